"""D'Claw: nine Dynamixel servos in three fingers over a valve on a tenth."""

from robot_drivers.dclaw.config import DclawConfig
from robot_drivers.registry import RobotType
from robot_drivers.robot import Connection, Robot


def create(config: DclawConfig, connection: Connection) -> Robot:
    """Return an unconnected hand on a serial port (sim: the emulator's pseudo-terminal)."""
    from robot_drivers.dclaw.bus import DynamixelBus
    from robot_drivers.dclaw.camera import create_camera
    from robot_drivers.dclaw.claw import DynamixelClaw

    bus = DynamixelBus(connection.port, config.baud_rate)
    return DynamixelClaw(bus, config, connection.clock, create_camera(config, connection))


ROBOT = RobotType(
    config=DclawConfig,
    create=create,
    default_port={'sim': '/tmp/dclaw', 'hardware': '/dev/ttyUSB0'},
)
