"""What passes through a TCPROS connection: frames with their length in front, headers first."""

from collections.abc import Iterator, Mapping
import struct

from robot_drivers.sawyer.ros1.wire import WireError

_UINT32 = struct.Struct('<I')
_LARGEST_FRAME = 1 << 24


def frame(body: bytes) -> bytes:
    """Return a frame, its length in front."""
    return _UINT32.pack(len(body)) + body


def encode_header(fields: Mapping[str, str]) -> bytes:
    """Return a connection header, its total length in front."""
    return frame(b''.join(frame(f'{key}={value}'.encode()) for key, value in fields.items()))


def decode_header(body: bytes) -> dict[str, str]:
    """Read a connection header without its total length.

    Raises:
        WireError: It is none.
    """
    fields: dict[str, str] = {}
    at = 0
    while at < len(body):
        if at + 4 > len(body):
            raise WireError('connection header ends within a length')
        (size,) = _UINT32.unpack_from(body, at)
        part = body[at + 4 : at + 4 + size]
        if len(part) != size or b'=' not in part:
            raise WireError(f'connection header holds {part!r}, not key=value')
        key, _, value = part.decode(errors='replace').partition('=')
        fields[key] = value
        at += 4 + size
    return fields


class Frames:
    """Cuts a byte stream into length-prefixed frames."""

    def __init__(self) -> None:
        """Start with nothing received."""
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take received bytes and yield every frame that is whole.

        Raises:
            WireError: A frame claims to be too large, so the stream is out of step.
        """
        self._buffer += data
        while len(self._buffer) >= 4:
            (size,) = _UINT32.unpack_from(self._buffer)
            if size > _LARGEST_FRAME:
                raise WireError(f'frame of {size} bytes, at most {_LARGEST_FRAME} are allowed')
            if len(self._buffer) < 4 + size:
                return
            whole = bytes(self._buffer[4 : 4 + size])
            del self._buffer[: 4 + size]
            yield whole
