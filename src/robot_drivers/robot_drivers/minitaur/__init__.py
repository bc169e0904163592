"""Minitaur: direct-drive quadruped behind a datagram link to its motor controller."""

from robot_drivers.minitaur.config import MinitaurConfig
from robot_drivers.registry import RobotType
from robot_drivers.robot import Connection, Robot


def create(config: MinitaurConfig, connection: Connection) -> Robot:
    """Return an unconnected Minitaur; the port is host:port of its motor controller."""
    from robot_drivers.minitaur.robot import MinitaurRobot

    return MinitaurRobot(config, connection)


ROBOT = RobotType(
    config=MinitaurConfig,
    create=create,
    default_port={'sim': '127.0.0.1:15001', 'hardware': '169.254.98.2:15001'},
)
