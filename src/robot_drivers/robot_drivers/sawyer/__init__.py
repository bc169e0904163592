"""Sawyer: a seven-joint arm that takes torques over its own ROS 1 protocol."""

from robot_drivers.registry import RobotType
from robot_drivers.robot import Connection, Robot
from robot_drivers.sawyer.config import SawyerConfig


def create(config: SawyerConfig, connection: Connection) -> Robot:
    """Return an unconnected arm; the port is the URI of its ROS 1 master."""
    from robot_drivers.sawyer.robot import SawyerRobot

    return SawyerRobot(config, connection)


ROBOT = RobotType(
    config=SawyerConfig,
    create=create,
    default_port={'sim': 'http://127.0.0.1:11311', 'hardware': ''},
)
