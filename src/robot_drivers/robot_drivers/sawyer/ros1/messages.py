"""What every message offers, and the standard messages a robot uses.

Definitions: ros/std_msgs, ros/common_msgs. Two ends compare the checksums of their definitions, so
the tests hold each to the published value.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
import struct
from typing import ClassVar, Self

from robot_drivers.sawyer.ros1 import wire
from robot_drivers.sawyer.ros1.wire import Array, md5sum, Reader

_HEADER = struct.Struct('<III')
_BYTE = struct.Struct('<B')
_FLOAT64 = struct.Struct('<d')
_UINT16 = struct.Struct('<H')

_VECTOR3 = md5sum('float64 x\nfloat64 y\nfloat64 z', {})
_QUATERNION = md5sum('float64 x\nfloat64 y\nfloat64 z\nfloat64 w', {})
_HEADER_DEFINITION = 'uint32 seq\ntime stamp\nstring frame_id'
KNOWN = {
    'Header': md5sum(_HEADER_DEFINITION, {}),
    'geometry_msgs/Pose': md5sum(
        'Point position\nQuaternion orientation', {'Point': _VECTOR3, 'Quaternion': _QUATERNION}
    ),
    'geometry_msgs/Twist': md5sum('Vector3 linear\nVector3 angular', {'Vector3': _VECTOR3}),
    'geometry_msgs/Wrench': md5sum('Vector3 force\nVector3 torque', {'Vector3': _VECTOR3}),
}
"""Checksums of the standard types that other types are made of."""


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
    MD5: ClassVar[str] = KNOWN['Header']

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
    MD5: ClassVar[str] = md5sum(DEFINITION, KNOWN)

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


@dataclass(frozen=True)
class Bool(Message):
    """std_msgs/Bool."""

    TYPE: ClassVar[str] = 'std_msgs/Bool'
    DEFINITION: ClassVar[str] = 'bool data'
    MD5: ClassVar[str] = md5sum(DEFINITION, KNOWN)

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
    MD5: ClassVar[str] = md5sum(DEFINITION, KNOWN)

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
    MD5: ClassVar[str] = md5sum(DEFINITION, KNOWN)

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
    MD5: ClassVar[str] = md5sum(DEFINITION, KNOWN)

    def encode(self) -> bytes:
        """Return the message's bytes."""
        return b''

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Read the message."""
        return cls()
