"""The D'Claw turns a valve: ``ros2 launch sac_agent dclaw_valve.launch.py``.

Simulated by default: an emulated servo bus with the hand behind it, and the real driver on it.
"""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

HERE = Path(__file__).resolve().parent
CONFIG = HERE.parent / 'config'
TOOL_ARGUMENTS = {'sigterm_timeout', 'sigkill_timeout'}
PASSED_ON = ['run_dir', 'resume', 'evaluate', 'episodes']
STEPS = {'state': '60000', 'image': '150000'}
ARGUMENTS = [
    DeclareLaunchArgument(
        'backend',
        default_value='sim',
        choices=['sim', 'hardware'],
        description='Emulated hand, or the serial port of a real one.',
    ),
    DeclareLaunchArgument(
        'port',
        default_value='/dev/ttyUSB0',
        description='Serial port with backend:=hardware; better a link in /dev/serial/by-id.',
    ),
    DeclareLaunchArgument(
        'speed',
        default_value='0',
        description='Simulated per wall time: 1.0 is like the robot, 0 as fast as it learns.',
    ),
    DeclareLaunchArgument(
        'observe',
        default_value='state',
        choices=['state', 'image'],
        description='Valve angle from the motor, or a 32x32 camera image instead of it.',
    ),
    DeclareLaunchArgument('seed', default_value='0', description='Seed of the whole run.'),
    DeclareLaunchArgument(
        'run_dir', default_value='', description='Where the run is kept. Default: runs/NAME-DATE.'
    ),
    DeclareLaunchArgument(
        'resume', default_value='', description='Run directory to go on with, instead of run_dir.'
    ),
    DeclareLaunchArgument(
        'steps',
        default_value='',
        description='Training steps at which the run ends. Default: 60000, from images 150000.',
    ),
    DeclareLaunchArgument(
        'evaluate',
        default_value='',
        description='Policy file or checkpoint to evaluate; nothing is learned.',
    ),
    DeclareLaunchArgument(
        'episodes', default_value='20', description='Evaluation episodes with evaluate:=.'
    ),
    DeclareLaunchArgument(
        'appearance',
        default_value='',
        description='Seed of other colours, light and camera pose of the simulated hand, to '
        'evaluate how robust a policy is. Default: as built.',
    ),
    DeclareLaunchArgument(
        'viewer',
        default_value='false',
        choices=['true', 'false'],
        description='Show the simulated hand in a window.',
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
    """Start the emulated hand or none, the driver, and what learns."""
    value = {a.name: LaunchConfiguration(a.name).perform(context) for a in ARGUMENTS}
    try:
        speed = float(value['speed'])
    except ValueError:
        speed = -1.0
    if not 0.0 <= speed <= 1000.0:
        raise RuntimeError(f'speed must be a number from 0 to 1000, got {value["speed"]!r}')
    if not (value['appearance'] or '0').isdigit():
        raise RuntimeError(f'appearance must be a whole number, got {value["appearance"]!r}')
    hardware = value['backend'] == 'hardware'
    images = value['observe'] == 'image'
    common = {
        'robot': str(CONFIG / ('dclaw_valve_image.yaml' if images else 'dclaw_valve.yaml')),
        'namespace': 'dclaw',
        'clock': 'wall' if hardware or speed == 1.0 else 'lockstep',
        'seed': value['seed'],
    }
    driver = {
        **common,
        'driver': 'dclaw',
        'backend': value['backend'],
        'port': value['port'],
        'speed': str(speed),
        'camera': ('v4l2' if hardware else 'emulated') if images else 'none',
        'emulator': 'dclaw_emulator',
        'emulated_port': '{temporary}/bus',
        'emulator_arguments': '--link {port} --clock {clock} --seed {seed}'
        + (f' --appearance {value["appearance"]}' if value['appearance'] else '')
        + (' --viewer' if value['viewer'] == 'true' else ''),
    }
    learning = {
        **common,
        **{name: value[name] for name in PASSED_ON if value[name]},
        'steps': value['steps'] or STEPS[value['observe']],
        'film': 'robot_drivers.sim.dclaw:DclawTwin' if value['film'] == 'true' else '',
        'included': 'true',
    }
    return [_include('driver.launch.py', driver), _include('train.launch.py', learning)]


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
