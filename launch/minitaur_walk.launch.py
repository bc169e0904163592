"""The Minitaur walks forward: ``ros2 launch sac_agent minitaur_walk.launch.py``.

Simulated by default: an emulated motor controller with the body behind it, and the real driver.
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
WORLD = ['friction', 'gain', 'noise', 'latency']
ARGUMENTS = [
    DeclareLaunchArgument(
        'backend',
        default_value='sim',
        choices=['sim', 'hardware'],
        description='Emulated robot, or the motor controller of a real one.',
    ),
    DeclareLaunchArgument(
        'port',
        default_value='',
        description='host:port of the motor controller with backend:=hardware. '
        'Default: 169.254.98.2:15001.',
    ),
    DeclareLaunchArgument(
        'speed',
        default_value='0',
        description='Simulated per wall time: 1.0 is like the robot, 0 as fast as it learns.',
    ),
    DeclareLaunchArgument(
        'terrain',
        default_value='flat',
        choices=['flat', 'slope_up', 'slope_down', 'blocks', 'stairs_down'],
        description='Simulated ground; those that are not flat are for evaluate:=.',
    ),
    DeclareLaunchArgument(
        'friction', default_value='1.0', description='Of simulated feet and ground, 0.1 to 3.'
    ),
    DeclareLaunchArgument(
        'gain', default_value='1.0', description='Scales the gains of the simulated motors.'
    ),
    DeclareLaunchArgument(
        'noise',
        default_value='0.0',
        description='Scales the noise of the simulated sensors, 0 to 10: 1 is 0.003 rad of a '
        'motor angle and 0.01 rad of tilt.',
    ),
    DeclareLaunchArgument(
        'latency',
        default_value='0.0',
        description='Age of the simulated sensor values, 0 to 0.2 [s]; the control step of delay '
        'in the YAML file comes on top.',
    ),
    DeclareLaunchArgument('seed', default_value='0', description='Seed of the whole run.'),
    DeclareLaunchArgument(
        'run_dir', default_value='', description='Where the run is kept. Default: runs/NAME-DATE.'
    ),
    DeclareLaunchArgument(
        'resume', default_value='', description='Run directory to go on with, instead of run_dir.'
    ),
    DeclareLaunchArgument(
        'steps', default_value='80000', description='Training steps at which the run ends.'
    ),
    DeclareLaunchArgument(
        'evaluate',
        default_value='',
        description='Policy file or checkpoint to evaluate; nothing is learned.',
    ),
    DeclareLaunchArgument(
        'episodes', default_value='10', description='Evaluation episodes with evaluate:=.'
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
    """Start the emulated robot or none, the driver, and what learns."""
    value = {a.name: LaunchConfiguration(a.name).perform(context) for a in ARGUMENTS}
    speed = _number('speed', value['speed'], 1000.0)
    hardware = value['backend'] == 'hardware'
    world = [f'--{name} {_number(name, value[name], 10.0)}' for name in WORLD]
    port = free_port()
    common = {
        'robot': str(CONFIG / 'minitaur_walk.yaml'),
        'namespace': 'minitaur',
        'clock': 'wall' if hardware or speed == 1.0 else 'lockstep',
        'seed': value['seed'],
    }
    driver = {
        **common,
        'driver': 'minitaur',
        'backend': value['backend'],
        'port': value['port'],
        'speed': str(speed),
        'emulator': 'minitaur_emulator',
        'emulated_port': f'127.0.0.1:{port}',
        'emulator_arguments': f'--robot-port {port} --clock {{clock}} --seed {{seed}} '
        f'--terrain {value["terrain"]} {" ".join(world)}',
    }
    learning = {
        **common,
        **{name: value[name] for name in PASSED_ON if value[name]},
        'film': 'robot_drivers.minitaur.twin:MinitaurTwin' if value['film'] == 'true' else '',
        'included': 'true',
    }
    return [_include('driver.launch.py', driver), _include('train.launch.py', learning)]


def free_port():
    """Return a UDP port for commands, so that runs do not meet; the next one is free as well."""
    while True:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as first,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as second,
        ):
            first.bind(('127.0.0.1', 0))
            port = first.getsockname()[1]
            try:
                second.bind(('127.0.0.1', port + 1))
            except (OSError, OverflowError):
                continue
            return port


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
