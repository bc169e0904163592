"""Dynamixel X series: addresses, units and the models this driver knows.

Source: ROBOTIS e-manual, XM430-W210 and XH430 control tables, Protocol 2.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import tau

from robot_drivers.robot import Array

TICKS_PER_TURN = 4096
RADIANS_PER_TICK = tau / TICKS_PER_TURN
VELOCITY_UNIT = 0.229 * tau / 60.0  # [rad/s] per LSB
VOLTAGE_UNIT = 0.1  # [V] per LSB
WATCHDOG_UNIT = 0.02  # [s] per LSB
WATCHDOG_TRIPPED = 0xFF
TICK_MODULO = 32768  # realtime tick [ms] wraps here
POSITION_MODE = 3
GAIN_NOMINAL = 800  # position P gain as delivered


@dataclass(frozen=True)
class Register:
    """One entry of the control table."""

    address: int
    size: int
    initial: int = 0
    low: int = 0
    high: int = 0xFFFFFFFF
    writable: bool = True

    @property
    def eeprom(self) -> bool:
        """Whether it survives power-off and is locked while torque is on."""
        return self.address < 64


MODEL_NUMBER = Register(0, 2, 1030, writable=False)
FIRMWARE = Register(6, 1, 46, writable=False)
SERVO_ID = Register(7, 1, 1, 0, 252)
BAUD_RATE = Register(8, 1, 1, 0, 7)
RETURN_DELAY = Register(9, 1, 250, 0, 254)  # 2 us
DRIVE_MODE = Register(10, 1, 0, 0, 13)
OPERATING_MODE = Register(11, 1, POSITION_MODE, 0, 16)
HOMING_OFFSET = Register(20, 4, 0, -1044479, 1044479)
TEMPERATURE_LIMIT = Register(31, 1, 80, 0, 100)  # deg C
CURRENT_LIMIT = Register(38, 2, 1193, 0, 1193)
VELOCITY_LIMIT = Register(44, 4, 330, 0, 1023)
MAX_POSITION = Register(48, 4, 4095, 0, 4095)
MIN_POSITION = Register(52, 4, 0, 0, 4095)
SHUTDOWN = Register(63, 1, 52, 0, 63)
TORQUE_ENABLE = Register(64, 1, 0, 0, 1)
STATUS_RETURN_LEVEL = Register(68, 1, 2, 0, 2)
HARDWARE_ERROR = Register(70, 1, 0, writable=False)
POSITION_P_GAIN = Register(84, 2, GAIN_NOMINAL, 0, 16383)
BUS_WATCHDOG = Register(98, 1, 0, 0, 127)
PROFILE_ACCELERATION = Register(108, 4, 0, 0, 32767)
PROFILE_VELOCITY = Register(112, 4, 0, 0, 32767)
GOAL_POSITION = Register(116, 4, 0)  # admissible: MIN_POSITION..MAX_POSITION
REALTIME_TICK = Register(120, 2, 0, writable=False)  # ms
PRESENT_CURRENT = Register(126, 2, 0, writable=False)
PRESENT_VELOCITY = Register(128, 4, 0, writable=False)
PRESENT_POSITION = Register(132, 4, 0, writable=False)
PRESENT_VOLTAGE = Register(144, 2, 120, writable=False)
PRESENT_TEMPERATURE = Register(146, 1, 30, writable=False)

REGISTERS = tuple(item for item in list(globals().values()) if isinstance(item, Register))

INDIRECT_ADDRESS = 168  # 28 entries of 2 bytes: which address each data byte shows
INDIRECT_DATA = 224
INDIRECT_COUNT = 28
INDIRECT_LOW, INDIRECT_HIGH = 64, 661  # RAM only
TABLE_SIZE = 662

ERROR_BITS = {
    0x01: 'input voltage',
    0x04: 'overheating',
    0x08: 'encoder',
    0x10: 'electrical shock',
    0x20: 'overload',
}


@dataclass(frozen=True)
class Model:
    """What differs between servos of the family."""

    name: str
    current_unit: float  # [A] per LSB
    torque_constant: float  # [Nm/A]
    stall_torque: float  # [Nm] at nominal voltage


MODELS = {
    1020: Model('XM430-W350', 2.69e-3, 1.78, 4.1),
    1030: Model('XM430-W210', 2.69e-3, 1.30, 3.0),
    1050: Model('XH430-V210', 1.34e-3, 3.71, 2.6),
}


def error_text(bits: int) -> str:
    """Return the set bits of the hardware error status in words."""
    return ', '.join(text for bit, text in ERROR_BITS.items() if bits & bit) or f'0x{bits:02x}'


def signed(value: int, size: int) -> int:
    """Return the two's complement number in ``size`` bytes: 0xFFFF, 2 -> -1."""
    limit = 1 << (8 * size)
    return value - limit if value >= limit // 2 else value


def to_ticks(angle: Array, offset: Array) -> Array:
    """Return the nearest whole ticks of joint angles [rad]; angle = ticks * unit + offset."""
    ticks: Array = ((angle - offset) / RADIANS_PER_TICK).round()
    return ticks


def to_angle(ticks: Array, offset: Array) -> Array:
    """Return joint angles [rad], within the one turn that starts at ``offset``.

    Turned by hand while limp, a servo counts past 0..4095 and forgets the turns at power-off, so
    turns mean nothing.
    """
    angle: Array = (ticks % TICKS_PER_TURN) * RADIANS_PER_TICK + offset
    return angle
