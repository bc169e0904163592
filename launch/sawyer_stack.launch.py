"""The Sawyer stacks a brick: ``ros2 launch sac_agent sawyer_stack.launch.py``.

Simulated by default: an emulated arm behind the wire protocol of the robot, and the real driver.
"""

from pathlib import Path
from socket import SOCK_STREAM

from launch.actions import DeclareLaunchArgument

from sac_agent import launching

HERE = Path(__file__).resolve().parent
CONFIG = HERE.parent / 'config'
ARGUMENTS = [
    *launching.run_arguments(steps=70000, episodes=30),
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
        'variant',
        default_value='domed',
        choices=['domed', 'plain'],
        description='Studs of the simulated brick: domed ones lead in, plain ones are hard.',
    ),
]


def start(context):
    """Start the emulated arm or none, the driver, and what learns."""
    value = launching.values(context, ARGUMENTS)
    if value['backend'] == 'hardware' and not value['port']:
        raise RuntimeError(
            "port is missing: the URI of the robot's master, http://SERIAL.local:11311"
        )

    def driver():
        port = launching.free_port(SOCK_STREAM)
        return {
            'driver': 'sawyer',
            'port': value['port'],
            'emulator': 'sawyer_emulator',
            'emulated_port': f'http://127.0.0.1:{port}',
            'emulator_arguments': f'--master-port {port} --clock {{clock}} --seed {{seed}} '
            f'--variant {value["variant"]}',
        }

    return launching.robot_and_learner(
        HERE,
        value,
        robot=CONFIG / 'sawyer_stack.yaml',
        namespace='sawyer',
        driver=driver,
        twin='robot_drivers.sawyer.twin:SawyerTwin',
    )


def generate_launch_description():
    """Check what was given, then start what is needed."""
    return launching.description(ARGUMENTS, start)
