"""Reads MCAP files record by record, finished or not; every checksum is checked.

Format: https://mcap.dev/spec. The library's own readers either need the index at the end of a file
or do not say where a file is damaged; this one needs no index, and names the place.
"""

from collections.abc import Iterator
from pathlib import Path
import struct
from typing import BinaryIO, NamedTuple
import zlib

from sac_core.bag.errors import BagError, DamagedError
from sac_core.bag.messages import RawMessage

MAGIC = b'\x89MCAP0\r\n'
FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK, STATISTICS, DATA_END = 2, 3, 4, 5, 6, 11, 15


class Channel(NamedTuple):
    """One topic of a file, with what is needed to write it again."""

    topic: str
    type: str
    text: str
    metadata: dict[str, str]


class McapScan:
    """The messages of one file in the order in which they were written."""

    def __init__(self, path: Path, *, trusting: bool = False) -> None:
        """Prepare to read; nothing is opened yet.

        Args:
            path: The file.
            trusting: Whether a chunk with a wrong checksum is read all the same.
        """
        self.path = path
        self.channels: dict[int, Channel] = {}
        self.end = 0
        self._trusting = trusting
        self._schemas: dict[int, tuple[str, str]] = {}
        self._skipping = False

    def finished(self) -> bool:
        """Return whether the file was closed: it begins and ends as it should."""
        size = self.path.stat().st_size
        with self.path.open('rb') as file:
            if size < 2 * len(MAGIC) + 29 or file.read(len(MAGIC)) != MAGIC:
                return False
            file.seek(size - len(MAGIC))
            return file.read() == MAGIC

    def messages(self, position: int | None = None) -> Iterator[RawMessage]:
        """Yield messages; an unfinished file simply ends with its last whole chunk.

        `end` is then the offset behind the last whole record.

        Args:
            position: Begin at the chunk there, a value of `RawMessage.position`; messages of
                topics that were added between the first chunk and this one are left out.

        Raises:
            DamagedError: A record is not what was written.
            BagError: It is no MCAP file.
        """
        size = self.path.stat().st_size
        finished = self.finished()
        with self.path.open('rb') as file:
            if file.read(len(MAGIC)) != MAGIC:
                if size < len(MAGIC):
                    return
                raise BagError(f'{self.path} is no MCAP file')
            self.end = file.tell()
            while True:
                start = file.tell()
                record = self._record(file, size, finished)
                if record is None or record[0] in (DATA_END, FOOTER):
                    return
                opcode, content = record
                self.end = file.tell()
                if opcode == CHUNK:
                    try:
                        messages = self._chunk(content, start)
                    except DamagedError:
                        # The last chunk of a process that was killed may be torn.
                        if not finished and file.tell() == size:
                            self.end = start
                            return
                        raise
                    if position is not None:
                        # The first chunk defined the topics.
                        if start < position:
                            file.seek(position)
                            position = None
                            self._skipping = True
                            continue
                        position = None
                    yield from messages
                elif opcode in (SCHEMA, CHANNEL, MESSAGE):
                    message = self._item(opcode, content, start)
                    if message is not None:
                        yield message

    def _record(self, file: BinaryIO, size: int, finished: bool) -> tuple[int, bytes] | None:
        start = file.tell()
        head = file.read(9)
        length = struct.unpack_from('<Q', head, 1)[0] if len(head) == 9 else 0
        if len(head) < 9 or length > size - start - 9 or not 1 <= head[0] <= DATA_END:
            if finished:
                raise self._damaged('its structure is broken', start)
            return None
        return head[0], file.read(length)

    def _chunk(self, content: bytes, start: int) -> list[RawMessage]:
        try:
            size, crc, length = struct.unpack_from('<QII', content, 16)
            compression = content[32 : 32 + length].decode()
            (stored,) = struct.unpack_from('<Q', content, 32 + length)
            data = content[40 + length : 40 + length + stored]
        except (struct.error, UnicodeDecodeError) as error:
            raise self._damaged(f'its chunk is broken ({error})', start) from error
        data = self._decompress(data, compression, size, start)
        right = len(data) == size and (not crc or zlib.crc32(data) == crc)
        if not right and not self._trusting:
            raise self._damaged('the checksum of a chunk is wrong', start)
        messages = []
        offset = 0
        while offset < len(data):
            opcode, length = struct.unpack_from('<BQ', data, offset)
            message = self._item(opcode, data[offset + 9 : offset + 9 + length], start)
            if message is not None:
                messages.append(message)
            offset += 9 + length
        return messages

    def _decompress(self, data: bytes, compression: str, size: int, start: int) -> bytes:
        if not compression:
            return data
        try:
            if compression == 'zstd':
                import zstandard

                return bytes(zstandard.decompress(data, size))
            if compression == 'lz4':
                import lz4.frame  # type: ignore[import-untyped]

                return bytes(lz4.frame.decompress(data))
        except Exception as error:  # each library has its own kind
            raise self._damaged(f'a chunk does not unpack ({error})', start) from error
        raise BagError(
            f'{self.path}: compression {compression!r} is unknown; use "zstd", "lz4" or none'
        )

    def _item(self, opcode: int, content: bytes, start: int) -> RawMessage | None:
        if opcode == MESSAGE:
            identity, _, stamp, _ = struct.unpack_from('<HIQQ', content)
            channel = self.channels.get(identity)
            if channel is None and self._skipping:
                return None  # a topic that was added in a part that was skipped
            if channel is None:
                raise self._damaged(f'channel {identity} is not defined', start)
            return RawMessage(channel.topic, channel.type, stamp, content[22:], start)
        if opcode == SCHEMA:
            (identity,) = struct.unpack_from('<H', content)
            name, offset = _string(content, 2)
            _, offset = _string(content, offset)
            text, _ = _string(content, offset)
            self._schemas[identity] = (name, text)
        elif opcode == CHANNEL:
            identity, schema = struct.unpack_from('<HH', content)
            topic, offset = _string(content, 4)
            _, offset = _string(content, offset)
            (end,) = struct.unpack_from('<I', content, offset)
            offset += 4
            end += offset
            metadata = {}
            while offset < end:
                key, offset = _string(content, offset)
                metadata[key], offset = _string(content, offset)
            name, text = self._schemas.get(schema, ('', ''))
            self.channels[identity] = Channel(topic, name, text, metadata)
        return None

    def _damaged(self, what: str, position: int) -> DamagedError:
        return DamagedError(
            f'{self.path} is damaged at byte {position}: {what}; restore the file from a copy, '
            'or read the bag without it',
            position,
        )


def check_mcap(path: Path) -> None:
    """Check every checksum of a finished file, also over what `McapScan` does not look at.

    Raises:
        DamagedError: A byte is not what was written.
        BagError: The file is not finished.
    """
    scan = McapScan(path)
    if not scan.finished():
        raise BagError(f'{path} is not finished; the process that wrote it was killed')
    with path.open('rb') as file:
        data = file.read()
    foot = len(data) - len(MAGIC) - 29
    summary, _, crc = struct.unpack_from('<QQI', data, foot + 9)
    if data[foot] != FOOTER or summary > foot:
        raise DamagedError(f'{path} is damaged at byte {foot}: its footer is broken', foot)
    if crc and zlib.crc32(data[summary : len(data) - len(MAGIC) - 4]) != crc:
        raise DamagedError(f'{path} is damaged: the checksum of its index is wrong', summary)
    end = (summary or foot) - 13
    opcode, length, data_crc = struct.unpack_from('<BQI', data, end)
    if (opcode, length) != (DATA_END, 4):
        raise DamagedError(f'{path} is damaged at byte {end}: its data end is broken', end)
    for _ in scan.messages():
        pass
    if data_crc and zlib.crc32(data[:end]) != data_crc:
        raise DamagedError(f'{path} is damaged: the checksum of its data is wrong', end)


def _string(content: bytes, offset: int) -> tuple[str, int]:
    (length,) = struct.unpack_from('<I', content, offset)
    offset += 4
    return content[offset : offset + length].decode(), offset + length
