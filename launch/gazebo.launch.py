"""A robot learns in Gazebo: ``ros2 launch sac_agent gazebo.launch.py robot:=minitaur``.

Gazebo Sim with ros2_control, the driver on its controllers, and what learns, in real time. Needs
Gazebo and its ROS packages, see docs/gazebo.md.
"""

from pathlib import Path
import shutil
import tempfile

from ament_index_python.packages import get_package_prefix, PackageNotFoundError
from launch.actions import DeclareLaunchArgument, ExecuteProcess, Shutdown
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from robot_drivers import models
from sac_agent import launching

HERE = Path(__file__).resolve().parent
CONFIG = HERE.parent / 'config'
NEEDED = ('controller_manager', 'gz_ros2_control', 'robot_state_publisher', 'ros_gz_bridge')
TASKS = {
    'dclaw': ('dclaw_valve.yaml', 'robot_drivers.sim.dclaw:DclawTwin'),
    'minitaur': ('minitaur_walk.yaml', 'robot_drivers.minitaur.twin:MinitaurTwin'),
    'sawyer': ('sawyer_stack.yaml', 'robot_drivers.sawyer.twin:SawyerTwin'),
}
CONTROLLERS = {
    'dclaw': ['position_controller', 'valve_controller'],
    'minitaur': ['effort_controller'],
    'sawyer': ['effort_controller'],
}
IMAGES = 'dclaw_valve_image.yaml'
FIXED = {'speed': '1.0', 'robots': '1', 'backend': 'sim'}  # Gazebo keeps its own time
ARGUMENTS = [
    DeclareLaunchArgument('robot', choices=sorted(TASKS), description='Robot and its task.'),
    DeclareLaunchArgument(
        'observe',
        default_value='state',
        choices=['state', 'image'],
        description="What the D'Claw sees: the angle of the valve, or an image instead of it.",
    ),
    DeclareLaunchArgument(
        'gui', default_value='true', choices=['true', 'false'], description='Show the scene.'
    ),
    *(
        argument
        for argument in launching.run_arguments(steps=80000, episodes=20)
        if argument.name not in FIXED
    ),
]


def start(context):
    """Start Gazebo with the robot, its controllers and bridge, the driver, and what learns."""
    value = launching.values(context, ARGUMENTS)
    check_installation()
    robot = value['robot']
    namespace = f'/{robot}/gazebo'
    files = prepare(robot, namespace)
    config, twin = TASKS[robot]
    if value['observe'] == 'image':
        if robot != 'dclaw':
            raise RuntimeError(f'observe:=image: there is no image task for {robot}, only dclaw')
        config = IMAGES
    options = [] if value['gui'] == 'true' else ['-s']
    gazebo = ExecuteProcess(
        cmd=['gz', 'sim', '-r', *options, str(files / 'world.sdf')],
        name='gazebo',
        output='screen',
        on_exit=[Shutdown(reason='Gazebo has ended')],
    )
    description = (files / 'robot.urdf').read_text()
    publisher = Node(
        package='robot_state_publisher',
        executable='robot_state_publisher',
        namespace=namespace,
        parameters=[
            {
                'robot_description': ParameterValue(description, value_type=str),
                'use_sim_time': True,
            }
        ],
    )
    spawner = Node(
        package='controller_manager',
        executable='spawner',
        namespace=namespace,
        arguments=[
            'joint_state_broadcaster',
            *CONTROLLERS[robot],
            '--controller-manager',
            f'{namespace}/controller_manager',
        ],
    )
    bridge = Node(
        package='ros_gz_bridge',
        executable='parameter_bridge',
        namespace=namespace,
        parameters=[{'config_file': str(files / 'bridge.yaml')}],
    )
    learning = launching.robot_and_learner(
        HERE,
        {**value, **FIXED},
        robot=CONFIG / config,
        namespace=robot,
        driver=lambda: {'driver': f'{robot}_gazebo', 'emulated_port': namespace},
        twin=twin,
    )
    return [gazebo, publisher, spawner, bridge, *learning]


def check_installation():
    """Raise when something is missing that Gazebo needs."""
    missing = [] if shutil.which('gz') else ['gz']
    for package in NEEDED:
        try:
            get_package_prefix(package)
        except PackageNotFoundError:
            missing.append(package)
    if missing:
        raise RuntimeError(f'not installed: {", ".join(missing)}; see docs/gazebo.md')


def prepare(robot, namespace):
    """Return a new directory with the robot's files, paths and namespace filled in."""
    directory = Path(tempfile.mkdtemp(prefix=f'{robot}-gazebo-'))
    for file in models.directory(robot, 'gazebo').iterdir():
        text = file.read_text()
        text = text.replace('@directory@', str(directory)).replace('@namespace@', namespace)
        (directory / file.name).write_text(text)
    return directory


def generate_launch_description():
    """Check what was given, then start what is needed."""
    return launching.description(ARGUMENTS, start)
