"""The robot's own messages, with their definitions, bytes and checksums.

Definitions: RethinkRobotics/intera_common. The robot compares the checksums of definitions, so the
tests hold each to the published value.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
import struct
from typing import ClassVar, Self

import numpy as np

from robot_drivers.sawyer.ros1 import wire
from robot_drivers.sawyer.ros1.messages import Header, KNOWN, Message
from robot_drivers.sawyer.ros1.wire import Array, md5sum, Reader

_INT32 = struct.Struct('<i')
_POSE = struct.Struct('<7d')
_SIX = struct.Struct('<6d')
_BYTE = struct.Struct('<B')
_ASSEMBLY = struct.Struct('<8B')


def _none() -> Array:
    return np.zeros(0)


@dataclass(frozen=True, eq=False)
class JointCommand(Message):
    """intera_core_msgs/JointCommand: one command for named joints."""

    TYPE: ClassVar[str] = 'intera_core_msgs/JointCommand'
    DEFINITION: ClassVar[str] = """
        Header header
        int32 mode
        string[] names
        float64[] position
        float64[] velocity
        float64[] acceleration
        float64[] effort
        int32 POSITION_MODE=1
        int32 VELOCITY_MODE=2
        int32 TORQUE_MODE=3
        int32 TRAJECTORY_MODE=4
    """
    MD5: ClassVar[str] = md5sum(DEFINITION, KNOWN)
    POSITION: ClassVar[int] = 1
    VELOCITY: ClassVar[int] = 2
    TORQUE: ClassVar[int] = 3
    TRAJECTORY: ClassVar[int] = 4

    header: Header
    mode: int
    names: tuple[str, ...]
    position: Array = field(default_factory=_none)
    velocity: Array = field(default_factory=_none)
    acceleration: Array = field(default_factory=_none)
    effort: Array = field(default_factory=_none)

    def encode(self) -> bytes:
        """Return the message's bytes."""
        arrays = (self.position, self.velocity, self.acceleration, self.effort)
        return b''.join(
            (
                self.header.encode(),
                _INT32.pack(self.mode),
                wire.strings(self.names),
                *(wire.floats(array) for array in arrays),
            )
        )

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Read the message."""
        header, mode = Header.read(reader), int(reader.unpack(_INT32)[0])
        names = reader.strings()
        position, velocity, acceleration, effort = (reader.floats() for _ in range(4))
        return cls(header, mode, names, position, velocity, acceleration, effort)


@dataclass(frozen=True)
class RobotAssemblyState(Message):
    """intera_core_msgs/RobotAssemblyState: whether the robot may move, and if not, why."""

    TYPE: ClassVar[str] = 'intera_core_msgs/RobotAssemblyState'
    DEFINITION: ClassVar[str] = """
        bool homed
        bool ready
        bool enabled
        bool stopped
        bool error
        bool lowVoltage
        uint8 estop_button
        uint8 ESTOP_BUTTON_UNPRESSED=0
        uint8 ESTOP_BUTTON_PRESSED=1
        uint8 ESTOP_BUTTON_UNKNOWN=2
        uint8 ESTOP_BUTTON_RELEASED=3
        uint8 estop_source
        uint8 ESTOP_SOURCE_NONE=0
        uint8 ESTOP_SOURCE_USER=1
        uint8 ESTOP_SOURCE_UNKNOWN=2
        uint8 ESTOP_SOURCE_FAULT=3
        uint8 ESTOP_SOURCE_ENGINE=4
    """
    MD5: ClassVar[str] = md5sum(DEFINITION, KNOWN)
    BUTTON_UNPRESSED: ClassVar[int] = 0
    BUTTON_PRESSED: ClassVar[int] = 1
    BUTTON_UNKNOWN: ClassVar[int] = 2
    BUTTON_RELEASED: ClassVar[int] = 3
    BUTTONS: ClassVar[Mapping[int, str]] = {1: 'pressed', 2: 'unknown', 3: 'released'}
    SOURCES: ClassVar[tuple[str, ...]] = ('none', 'user', 'unknown', 'joint fault', 'engine')

    homed: bool = True
    ready: bool = True
    enabled: bool = False
    stopped: bool = False
    error: bool = False
    low_voltage: bool = False
    estop_button: int = 0
    estop_source: int = 0

    def encode(self) -> bytes:
        """Return the message's bytes."""
        return _ASSEMBLY.pack(
            self.homed,
            self.ready,
            self.enabled,
            self.stopped,
            self.error,
            self.low_voltage,
            self.estop_button,
            self.estop_source,
        )

    def describe(self) -> str:
        """Return the robot's condition in words."""
        parts = ['enabled' if self.enabled else 'disabled']
        if self.stopped:
            source = self.estop_source
            known = self.SOURCES[source] if source < len(self.SOURCES) else source
            parts.append(f'stopped by {known}')
        if self.estop_button != self.BUTTON_UNPRESSED:
            parts.append(f'e-stop button {self.BUTTONS.get(self.estop_button, "unknown")}')
        parts += [
            text for text, on in (('error', self.error), ('low voltage', self.low_voltage)) if on
        ]
        if not self.homed:
            parts.append('not homed')
        return ', '.join(parts)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Read the message."""
        values = reader.unpack(_ASSEMBLY)
        return cls(*(bool(value) for value in values[:6]), *(int(v) for v in values[6:]))


@dataclass(frozen=True, eq=False)
class EndpointState(Message):
    """intera_core_msgs/EndpointState: pose, twist and estimated wrench of the hand."""

    TYPE: ClassVar[str] = 'intera_core_msgs/EndpointState'
    DEFINITION: ClassVar[str] = """
        Header header
        geometry_msgs/Pose pose
        geometry_msgs/Twist twist
        geometry_msgs/Wrench wrench
        bool valid
    """
    MD5: ClassVar[str] = md5sum(DEFINITION, KNOWN)

    header: Header
    pose: Array
    """Position [m], quaternion x y z w, shape (7,)."""
    twist: Array
    """Linear [m/s], angular [rad/s], shape (6,)."""
    wrench: Array
    """Force [N], torque [Nm], shape (6,)."""
    valid: bool = True

    def encode(self) -> bytes:
        """Return the message's bytes."""
        return b''.join(
            (
                self.header.encode(),
                _POSE.pack(*self.pose),
                _SIX.pack(*self.twist),
                _SIX.pack(*self.wrench),
                _BYTE.pack(self.valid),
            )
        )

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Read the message."""
        header = Header.read(reader)
        pose, twist, wrench = (np.array(reader.unpack(layout)) for layout in (_POSE, _SIX, _SIX))
        return cls(header, pose, twist, wrench, bool(reader.unpack(_BYTE)[0]))
