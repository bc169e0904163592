"""The D'Claw turns a valve: ``ros2 launch sac_agent dclaw_valve.launch.py``.

Simulated by default: an emulated servo bus with the hand behind it, and the real driver on it.
"""

from pathlib import Path
import tempfile

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

HERE = Path(__file__).resolve().parent
CONFIG = HERE.parent / 'config'
NAMESPACE = 'dclaw'
CONFIGURATION_ERROR = 2
TOOL_ARGUMENTS = {'sigterm_timeout', 'sigkill_timeout'}
PASSED_ON = ['run_dir', 'resume', 'steps', 'seed', 'evaluate', 'episodes']
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
        'steps', default_value='60000', description='Training steps at which the run ends.'
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
    known = {argument.name for argument in ARGUMENTS} | TOOL_ARGUMENTS
    if unknown := sorted(set(context.launch_configurations) - known):
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
    hardware = value['backend'] == 'hardware'
    clock = 'wall' if hardware or speed == 1.0 else 'lockstep'
    robot = str(
        CONFIG / ('dclaw_valve.yaml' if value['observe'] == 'state' else 'dclaw_valve_image.yaml')
    )
    port = value['port'] if hardware else str(Path(tempfile.mkdtemp(prefix='dclaw-')) / 'bus')
    driver = Node(
        package='robot_drivers',
        executable='robot_node',
        name='driver',
        namespace=NAMESPACE,
        output='screen',
        parameters=[
            robot,
            {
                'robot': 'dclaw',
                'backend': value['backend'],
                'port': port,
                'clock': clock,
                'speed': ParameterValue(str(speed), value_type=float),
                'autostart': not hardware,
                'camera': _camera(value, hardware),
            },
        ],
        respawn=True,
        respawn_delay=1.0,
        on_exit=stop_on_configuration_error,
    )
    learning = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(HERE / 'train.launch.py')),
        launch_arguments={
            **{name: value[name] for name in PASSED_ON if value[name]},
            'robot': robot,
            'namespace': NAMESPACE,
            'clock': clock,
            'film': 'robot_drivers.sim.dclaw:DclawTwin' if value['film'] == 'true' else '',
            'included': 'true',
        }.items(),
    )
    return [*([] if hardware else [_emulator(value, port, clock)]), driver, learning]


def _camera(value, hardware):
    if value['observe'] == 'state':
        return 'none'
    return 'v4l2' if hardware else 'emulated'


def _emulator(value, port, clock):
    viewer = ['--viewer'] if value['viewer'] == 'true' else []
    return Node(
        package='robot_drivers',
        executable='dclaw_emulator',
        output='screen',
        arguments=['--link', port, '--clock', clock, '--seed', value['seed'], *viewer],
        respawn=True,
        respawn_delay=1.0,
        on_exit=stop_on_configuration_error,
    )


def stop_on_configuration_error(event, context):
    """End the launch with an error where restarting cannot help."""
    if event.returncode == CONFIGURATION_ERROR:
        raise RuntimeError(f'{event.process_name} cannot run, see its message above')


def generate_launch_description():
    """Check what was given, then start what is needed."""
    return LaunchDescription(
        [
            OpaqueFunction(function=refuse_unknown_arguments),
            *ARGUMENTS,
            OpaqueFunction(function=start),
        ]
    )
