"""How ROS 1 writes messages into bytes, and the checksum by which two ends agree on a type.

Little-endian throughout; strings and arrays carry a uint32 length first.
Source: wiki.ros.org/msg and wiki.ros.org/ROS/Technical Overview.
"""

from collections.abc import Mapping, Sequence
import hashlib
import struct

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_UINT32 = struct.Struct('<I')
_BUILT_IN = frozenset(
    ['bool', 'byte', 'char', 'string', 'time', 'duration', 'float32', 'float64']
    + [f'{sign}int{bits}' for sign in ('', 'u') for bits in (8, 16, 32, 64)]
)


class WireError(ValueError):
    """Bytes that are no such message."""


class Reader:
    """Reads values off a message body, front to back."""

    def __init__(self, data: bytes) -> None:
        """Start at the front of ``data``."""
        self._data = data
        self._at = 0

    def unpack(self, layout: struct.Struct) -> tuple[float | int, ...]:
        """Read a fixed layout.

        Raises:
            WireError: The message is too short.
        """
        try:
            values = layout.unpack_from(self._data, self._at)
        except struct.error as error:
            raise WireError(f'message of {len(self._data)} bytes is too short: {error}') from error
        self._at += layout.size
        return values

    def length(self) -> int:
        """Read the length of a string or array."""
        return int(self.unpack(_UINT32)[0])

    def string(self) -> str:
        """Read a string."""
        size = self.length()
        return self._take(size).decode(errors='replace')

    def strings(self) -> tuple[str, ...]:
        """Read an array of strings."""
        return tuple(self.string() for _ in range(self.length()))

    def floats(self) -> Array:
        """Read an array of float64."""
        return np.frombuffer(self._take(8 * self.length()), dtype='<f8').astype(np.float64)

    def finish(self) -> None:
        """Check that nothing is left.

        Raises:
            WireError: Something is.
        """
        if self._at != len(self._data):
            raise WireError(f'{len(self._data) - self._at} bytes too many in the message')

    def _take(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        if len(taken) != size:
            raise WireError(f'message ends {size - len(taken)} bytes too early')
        self._at += size
        return taken


def string(text: str) -> bytes:
    """Write a string."""
    data = text.encode()
    return _UINT32.pack(len(data)) + data


def strings(texts: Sequence[str]) -> bytes:
    """Write an array of strings."""
    return _UINT32.pack(len(texts)) + b''.join(map(string, texts))


def floats(values: Array) -> bytes:
    """Write an array of float64."""
    return _UINT32.pack(len(values)) + np.ascontiguousarray(values, dtype='<f8').tobytes()


def md5sum(definition: str, known: Mapping[str, str]) -> str:
    """Return the checksum of a message definition.

    The text that is hashed has the constants first, then the fields, in their order, without
    comments; a field of a message type is written as that type's own checksum.

    Args:
        definition: Text of the .msg file.
        known: Checksum of every message type it uses, by the name it uses.

    Raises:
        ValueError: It uses a type that is not in ``known``.
    """
    constants, members = [], []
    for line in definition.splitlines():
        text = line.split('#')[0].strip()
        if not text:
            continue
        kind, rest = text.split(None, 1)
        if '=' in rest:
            name, value = (part.strip() for part in rest.split('=', 1))
            constants.append(f'{kind} {name}={value}')
        elif kind.split('[')[0] in _BUILT_IN:
            members.append(f'{kind} {rest.strip()}')
        elif kind.split('[')[0] in known:
            members.append(f'{known[kind.split("[")[0]]} {rest.strip()}')
        else:
            raise ValueError(f'unknown type {kind!r}; known are {sorted(known)}')
    return hashlib.md5('\n'.join(constants + members).encode()).hexdigest()
