"""Driver of one robot, and the emulated robot in simulation; included by other launch files."""

from pathlib import Path
import tempfile

from launch.actions import DeclareLaunchArgument
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from sac_agent import launching

ARGUMENTS = [
    DeclareLaunchArgument('driver', description='Robot of the driver node: dclaw, minitaur ...'),
    DeclareLaunchArgument('robot', description='YAML file with the parameters of the driver.'),
    DeclareLaunchArgument(
        'namespace', default_value='robot', description='Namespace of the robot.'
    ),
    DeclareLaunchArgument(
        'backend',
        default_value='sim',
        choices=['sim', 'hardware'],
        description='Emulated robot, or the real one at port.',
    ),
    DeclareLaunchArgument(
        'port', default_value='', description='Where the real robot is. Default: its usual port.'
    ),
    DeclareLaunchArgument(
        'clock',
        default_value='wall',
        choices=['wall', 'lockstep'],
        description='lockstep: the simulated robot waits for every command.',
    ),
    DeclareLaunchArgument(
        'speed', default_value='0', description='Largest speed of a lockstep simulation; 0: none.'
    ),
    DeclareLaunchArgument(
        'clock_topic',
        default_value='/clock',
        description='Topic of simulated time; robots that run side by side have one each.',
    ),
    DeclareLaunchArgument('seed', default_value='0', description='Seed of the simulation.'),
    DeclareLaunchArgument(
        'camera', default_value='none', choices=['none', 'emulated', 'v4l2'], description='Camera.'
    ),
    DeclareLaunchArgument(
        'emulator',
        default_value='',
        description='Executable that emulates the robot; empty: another simulator runs.',
    ),
    DeclareLaunchArgument(
        'emulator_arguments',
        default_value='',
        description='Its arguments; {port}, {clock}, {seed} and {temporary} are filled in.',
    ),
    DeclareLaunchArgument(
        'emulated_port',
        default_value='',
        description='Port of the emulated robot; {temporary} is a new directory.',
    ),
]


def start(context):
    """Start the emulated robot, or none, and the driver."""
    value = launching.values(context, ARGUMENTS)
    simulated = value['backend'] == 'sim'
    port = value['port']
    processes = []
    if simulated:
        temporary = tempfile.mkdtemp(prefix=f'{value["driver"]}-')
        port = value['emulated_port'].format(temporary=temporary)
        arguments = value['emulator_arguments'].format(
            port=port, clock=value['clock'], seed=value['seed'], temporary=temporary
        )
        if value['emulator']:
            processes.append(_emulator(value['emulator'], arguments.split()))
    parameters = {
        'robot': value['driver'],
        'backend': value['backend'],
        'clock': value['clock'],
        'speed': ParameterValue(value['speed'], value_type=float),
        'autostart': simulated,
        'recover': simulated,  # a person enables a real robot after a fault
        'camera': value['camera'],
    }
    if port:
        parameters['port'] = port
    driver = Node(
        package='robot_drivers',
        executable='robot_node',
        name='driver',
        namespace=value['namespace'],
        output='screen',
        parameters=[str(Path(value['robot']).resolve()), parameters],
        remappings=[('/clock', value['clock_topic'])],
        respawn=True,
        respawn_delay=1.0,
        on_exit=launching.stop_on_configuration_error,
    )
    return [*processes, driver]


def _emulator(executable, arguments):
    return Node(
        package='robot_drivers',
        executable=executable,
        output='screen',
        arguments=arguments,
        respawn=True,
        respawn_delay=1.0,
        on_exit=launching.stop_on_configuration_error,
    )


def generate_launch_description():
    """Start what is needed for the backend."""
    return launching.description(ARGUMENTS, start, check=False)
