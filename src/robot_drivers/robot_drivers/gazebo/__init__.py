"""The robots in Gazebo, through ros2_control and ros_gz: drivers whose wire is ROS topics.

The port is the namespace in which controllers and bridge run, e.g. ``/dclaw/gazebo``. Forward
command controllers apply their last command for ever, so the driver is what stops a robot whose
agent fell silent, here as on hardware.
"""

from __future__ import annotations

from collections.abc import Callable

from robot_drivers.dclaw.config import DclawConfig, NAMES
from robot_drivers.gazebo.robot import Wire
from robot_drivers.minitaur import leg
from robot_drivers.minitaur.config import MinitaurConfig
from robot_drivers.registry import RobotType
from robot_drivers.robot import Connection, Robot
from robot_drivers.sawyer.config import SawyerConfig
from robot_drivers.sawyer.description import JOINT_NAMES

POSITION, VALVE_EFFORT, EFFORT = 'position_controller', 'valve_controller', 'effort_controller'


def _wire(connection: Connection, joints: tuple[str, ...], *controllers: str) -> Wire:
    if connection.clock != 'wall':
        raise ValueError("Gazebo's time passes by itself: clock must be wall")
    from robot_drivers.gazebo.ros_wire import RosWire

    return RosWire(connection.port, joints, controllers)


def _dclaw(config: DclawConfig, connection: Connection) -> Robot:
    from robot_drivers.gazebo.claw import GazeboClaw

    return GazeboClaw(config, _wire(connection, NAMES, POSITION, VALVE_EFFORT))


def _minitaur(config: MinitaurConfig, connection: Connection) -> Robot:
    from robot_drivers.gazebo.walker import GazeboWalker

    return GazeboWalker(config, _wire(connection, leg.MOTOR_JOINTS, EFFORT))


def _sawyer(config: SawyerConfig, connection: Connection) -> Robot:
    from robot_drivers.gazebo.arm import GazeboArm

    return GazeboArm(config, _wire(connection, JOINT_NAMES, EFFORT))


def _type(name: str, config: type, create: Callable[..., Robot]) -> RobotType:
    return RobotType(config, create, {'sim': f'/{name}/gazebo', 'hardware': ''})


DCLAW = _type('dclaw', DclawConfig, _dclaw)
MINITAUR = _type('minitaur', MinitaurConfig, _minitaur)
SAWYER = _type('sawyer', SawyerConfig, _sawyer)
