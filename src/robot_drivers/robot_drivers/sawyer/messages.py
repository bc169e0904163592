"""The messages the robot speaks: ROS 1 types with their definitions, bytes and checksums.

Definitions: ros/common_msgs, ros/std_msgs, RethinkRobotics/intera_common. The robot compares the
checksums of definitions, so the tests hold each to the published value.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
import struct
from typing import ClassVar, Self

import numpy as np

from robot_drivers.sawyer import wire
from robot_drivers.sawyer.wire import Array, Reader

_HEADER = struct.Struct('<III')
_INT32 = struct.Struct('<i')
_POSE = struct.Struct('<7d')
_SIX = struct.Struct('<6d')
_BYTE = struct.Struct('<B')
_FLOAT64 = struct.Struct('<d')
_UINT16 = struct.Struct('<H')
_ASSEMBLY = struct.Struct('<8B')

_HEADER_DEFINITION = 'uint32 seq\ntime stamp\nstring frame_id'
_VECTOR3 = wire.md5sum('float64 x\nfloat64 y\nfloat64 z', {})
_QUATERNION = wire.md5sum('float64 x\nfloat64 y\nfloat64 z\nfloat64 w', {})
_KNOWN = {
    'Header': wire.md5sum(_HEADER_DEFINITION, {}),
    'geometry_msgs/Pose': wire.md5sum(
        'Point position\nQuaternion orientation', {'Point': _VECTOR3, 'Quaternion': _QUATERNION}
    ),
    'geometry_msgs/Twist': wire.md5sum('Vector3 linear\nVector3 angular', {'Vector3': _VECTOR3}),
    'geometry_msgs/Wrench': wire.md5sum('Vector3 force\nVector3 torque', {'Vector3': _VECTOR3}),
}


def _checksum(definition: str) -> str:
    return wire.md5sum(definition, _KNOWN)


def _none() -> Array:
    return np.zeros(0)


class Message(ABC):
    """What every message type offers."""

    TYPE: ClassVar[str]
    DEFINITION: ClassVar[str]
    MD5: ClassVar[str]

    @abstractmethod
    def encode(self) -> bytes:
        """Return the message's bytes."""

    @classmethod
    @abstractmethod
    def read(cls, reader: Reader) -> Self:
        """Read the message at the front of what is left."""

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a whole message.

        Raises:
            WireError: The bytes are no such message.
        """
        reader = Reader(data)
        message = cls.read(reader)
        reader.finish()
        return message


@dataclass(frozen=True)
class Header(Message):
    """std_msgs/Header."""

    TYPE: ClassVar[str] = 'std_msgs/Header'
    DEFINITION: ClassVar[str] = _HEADER_DEFINITION
    MD5: ClassVar[str] = _KNOWN['Header']

    seq: int = 0
    stamp: float = 0.0
    """Robot time [s]; nanoseconds on the wire."""
    frame_id: str = ''

    def encode(self) -> bytes:
        """Return the message's bytes."""
        seconds, nanoseconds = divmod(round(self.stamp * 1e9), 1_000_000_000)
        return _HEADER.pack(self.seq, seconds, nanoseconds) + wire.string(self.frame_id)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Read the header, here of another message."""
        seq, seconds, nanoseconds = reader.unpack(_HEADER)
        return cls(int(seq), seconds + 1e-9 * nanoseconds, reader.string())


@dataclass(frozen=True, eq=False)
class JointState(Message):
    """sensor_msgs/JointState."""

    TYPE: ClassVar[str] = 'sensor_msgs/JointState'
    DEFINITION: ClassVar[str] = (
        'Header header\nstring[] name\nfloat64[] position\nfloat64[] velocity\nfloat64[] effort'
    )
    MD5: ClassVar[str] = _checksum(DEFINITION)

    header: Header
    name: tuple[str, ...]
    position: Array
    velocity: Array
    effort: Array

    def encode(self) -> bytes:
        """Return the message's bytes."""
        arrays = (self.position, self.velocity, self.effort)
        return b''.join(
            (self.header.encode(), wire.strings(self.name), *(wire.floats(a) for a in arrays))
        )

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Read the message."""
        header, names = Header.read(reader), reader.strings()
        return cls(header, names, reader.floats(), reader.floats(), reader.floats())


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
    MD5: ClassVar[str] = _checksum(DEFINITION)
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
    MD5: ClassVar[str] = _checksum(DEFINITION)
    BUTTON_UNPRESSED: ClassVar[int] = 0
    BUTTON_PRESSED: ClassVar[int] = 1
    BUTTON_UNKNOWN: ClassVar[int] = 2
    BUTTON_RELEASED: ClassVar[int] = 3
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
    MD5: ClassVar[str] = _checksum(DEFINITION)

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


@dataclass(frozen=True)
class Bool(Message):
    """std_msgs/Bool."""

    TYPE: ClassVar[str] = 'std_msgs/Bool'
    DEFINITION: ClassVar[str] = 'bool data'
    MD5: ClassVar[str] = _checksum(DEFINITION)

    data: bool

    def encode(self) -> bytes:
        """Return the message's bytes."""
        return _BYTE.pack(self.data)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Read the message."""
        return cls(bool(reader.unpack(_BYTE)[0]))


@dataclass(frozen=True)
class Float64(Message):
    """std_msgs/Float64."""

    TYPE: ClassVar[str] = 'std_msgs/Float64'
    DEFINITION: ClassVar[str] = 'float64 data'
    MD5: ClassVar[str] = _checksum(DEFINITION)

    data: float

    def encode(self) -> bytes:
        """Return the message's bytes."""
        return _FLOAT64.pack(self.data)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Read the message."""
        return cls(float(reader.unpack(_FLOAT64)[0]))


@dataclass(frozen=True)
class UInt16(Message):
    """std_msgs/UInt16."""

    TYPE: ClassVar[str] = 'std_msgs/UInt16'
    DEFINITION: ClassVar[str] = 'uint16 data'
    MD5: ClassVar[str] = _checksum(DEFINITION)

    data: int

    def encode(self) -> bytes:
        """Return the message's bytes."""
        return _UINT16.pack(self.data)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Read the message."""
        return cls(int(reader.unpack(_UINT16)[0]))


@dataclass(frozen=True)
class Empty(Message):
    """std_msgs/Empty."""

    TYPE: ClassVar[str] = 'std_msgs/Empty'
    DEFINITION: ClassVar[str] = ''
    MD5: ClassVar[str] = _checksum(DEFINITION)

    def encode(self) -> bytes:
        """Return the message's bytes."""
        return b''

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Read the message."""
        return cls()
