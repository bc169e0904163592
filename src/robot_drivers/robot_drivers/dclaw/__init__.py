"""D'Claw: nine Dynamixel servos in three fingers over a valve on a tenth."""

from robot_drivers.dclaw.config import DclawConfig
from robot_drivers.registry import RobotType
from robot_drivers.robot import Connection, Robot

LOCKSTEP_LATENCY = 50.0  # [ms] time stands still meanwhile: a busy machine is no fault


def emulated_time(port: str) -> float:
    """Return the emulator's time [s], so that stamps go on where an earlier driver ended."""
    from robot_drivers.dclaw.emulator.client import ConsoleClient

    try:
        console = ConsoleClient(port)
        try:
            return round(float(console.ask('time')), 3)
        finally:
            console.close()
    except (OSError, ValueError):
        return 0.0


def create(config: DclawConfig, connection: Connection) -> Robot:
    """Return an unconnected hand on a serial port (sim: the emulator's pseudo-terminal)."""
    from robot_drivers.dclaw.camera import create_camera
    from robot_drivers.dclaw.claw import DynamixelClaw
    from robot_drivers.dclaw.dynamixel_bus import DynamixelBus

    lockstep = connection.clock == 'lockstep'
    latency = LOCKSTEP_LATENCY if lockstep else None
    bus = DynamixelBus(connection.port, config.baud_rate, latency)
    claw = DynamixelClaw(bus, config, connection.clock, create_camera(config, connection))
    if lockstep:
        claw.origin = lambda: emulated_time(connection.port)
    return claw


ROBOT = RobotType(
    config=DclawConfig,
    create=create,
    default_port={'sim': '/tmp/dclaw', 'hardware': '/dev/ttyUSB0'},
)
