"""The Sawyer stacks a brick: ``ros2 launch sac_agent sawyer_stack.launch.py``.

Simulated by default: an emulated arm behind the wire protocol of the robot, and the real driver.
"""

from pathlib import Path
import socket

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

HERE = Path(__file__).resolve().parent
CONFIG = HERE.parent / 'config'
TOOL_ARGUMENTS = {'sigterm_timeout', 'sigkill_timeout'}
PASSED_ON = ['run_dir', 'resume', 'steps', 'evaluate', 'episodes']
ARGUMENTS = [
    DeclareLaunchArgument(
        'backend',
        default_value='sim',
        choices=['sim', 'hardware'],
        description='Emulated arm, or the ROS 1 master of a real one.',
    ),
    DeclareLaunchArgument(
        'port',
        default_value='',
        description="URI of the robot's ROS 1 master, needed with backend:=hardware: "
        'http://SERIAL.local:11311.',
    ),
    DeclareLaunchArgument(
        'speed',
        default_value='0',
        description='Simulated per wall time: 1.0 is like the robot, 0 as fast as it learns.',
    ),
    DeclareLaunchArgument(
        'variant',
        default_value='domed',
        choices=['domed', 'plain'],
        description='Studs of the simulated brick: domed ones lead in, plain ones are hard.',
    ),
    DeclareLaunchArgument('seed', default_value='0', description='Seed of the whole run.'),
    DeclareLaunchArgument(
        'run_dir', default_value='', description='Where the run is kept. Default: runs/NAME-DATE.'
    ),
    DeclareLaunchArgument(
        'resume', default_value='', description='Run directory to go on with, instead of run_dir.'
    ),
    DeclareLaunchArgument(
        'steps', default_value='70000', description='Training steps at which the run ends.'
    ),
    DeclareLaunchArgument(
        'evaluate',
        default_value='',
        description='Policy file or checkpoint to evaluate; nothing is learned.',
    ),
    DeclareLaunchArgument(
        'episodes', default_value='30', description='Evaluation episodes with evaluate:=.'
    ),
    DeclareLaunchArgument(
        'film',
        default_value='true',
        choices=['true', 'false'],
        description='Render the learned policy to policy.gif at the end.',
    ),
]


def refuse_unknown_arguments(context):
    """Raise on a misspelt argument; launch itself would ignore it."""
    known = {argument.name for argument in ARGUMENTS}
    if unknown := sorted(set(context.launch_configurations) - known - TOOL_ARGUMENTS):
        raise RuntimeError(f'unknown argument {unknown[0]!r}; there are {sorted(known)}')


def start(context):
    """Start the emulated arm or none, the driver, and what learns."""
    value = {a.name: LaunchConfiguration(a.name).perform(context) for a in ARGUMENTS}
    speed = _number('speed', value['speed'], 1000.0)
    hardware = value['backend'] == 'hardware'
    if hardware and not value['port']:
        raise RuntimeError(
            "port is missing: the URI of the robot's master, http://SERIAL.local:11311"
        )
    port = free_port()
    common = {
        'robot': str(CONFIG / 'sawyer_stack.yaml'),
        'namespace': 'sawyer',
        'clock': 'wall' if hardware or speed == 1.0 else 'lockstep',
        'seed': value['seed'],
    }
    driver = {
        **common,
        'driver': 'sawyer',
        'backend': value['backend'],
        'port': value['port'],
        'speed': str(speed),
        'emulator': 'sawyer_emulator',
        'emulated_port': f'http://127.0.0.1:{port}',
        'emulator_arguments': f'--master-port {port} --clock {{clock}} --seed {{seed}} '
        f'--variant {value["variant"]}',
    }
    learning = {
        **common,
        **{name: value[name] for name in PASSED_ON if value[name]},
        'film': 'robot_drivers.sawyer.twin:SawyerTwin' if value['film'] == 'true' else '',
        'included': 'true',
    }
    return [_include('driver.launch.py', driver), _include('train.launch.py', learning)]


def free_port():
    """Return a TCP port for the emulated master, so that runs do not meet."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def _number(name, text, largest):
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0.0 <= number <= largest:
        raise RuntimeError(f'{name} must be a number from 0 to {largest:g}, got {text!r}')
    return number


def _include(name, arguments):
    source = PythonLaunchDescriptionSource(str(HERE / name))
    return IncludeLaunchDescription(source, launch_arguments=arguments.items())


def generate_launch_description():
    """Check what was given, then start what is needed."""
    return LaunchDescription(
        [
            OpaqueFunction(function=refuse_unknown_arguments),
            *ARGUMENTS,
            OpaqueFunction(function=start),
        ]
    )
