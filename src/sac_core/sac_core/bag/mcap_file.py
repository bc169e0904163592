"""Writes one MCAP file so that everything committed survives the death of the process."""

import ctypes
import os
from pathlib import Path

from mcap.writer import CompressionType, Writer

from sac_core.bag.messages import FileInfo, Topic

COMPRESSIONS = {
    'none': CompressionType.NONE,
    'zstd': CompressionType.ZSTD,
    'lz4': CompressionType.LZ4,
}


RESERVE = 4 << 20  # [bytes] on the disk beyond the end of a file
_KEEP_SIZE = 1  # FALLOC_FL_KEEP_SIZE
_libc = ctypes.CDLL(None)


def reserve(descriptor: int, begin: int) -> None:
    """Keep room for what comes next, as far as disk and file system allow; changes no length."""
    allocate = getattr(_libc, 'fallocate', None)
    if allocate is not None:
        offsets = (ctypes.c_int64(begin), ctypes.c_int64(RESERVE))
        allocate(ctypes.c_int(descriptor), ctypes.c_int(_KEEP_SIZE), *offsets)


def sync_directory(path: Path) -> None:
    """Bring the names in a directory to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class StagedFile:
    """Collects bytes in memory and moves them to the disk as one; a failure keeps them.

    A full disk therefore tears nothing: the next commit writes the same bytes to the same place.
    And until the room that was reserved is used up, a full disk is not even noticed.
    """

    def __init__(self, path: Path) -> None:
        """Prepare; the file is created by the first commit."""
        self.path = path
        self.committed = 0
        self._stage = bytearray()
        self._reserved = 0
        self._descriptor = -1
        self._entered = False

    def write(self, data: bytes) -> int:
        """Take bytes."""
        self._stage += data
        return len(data)

    def tell(self) -> int:
        """Return the length of the file with everything taken so far."""
        return self.committed + len(self._stage)

    def flush(self) -> None:
        """Do nothing: `commit` does."""

    def commit(self, *, sync: bool) -> None:
        """Hand everything to the operating system, with `sync` to the disk.

        Raises:
            OSError: It did not take them, e.g. as the disk is full.
        """
        if self._descriptor < 0:
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        done = 0
        try:
            with memoryview(self._stage) as view:
                while done < len(view):
                    done += os.pwrite(self._descriptor, view[done:], self.committed + done)
        except OSError:
            os.ftruncate(self._descriptor, self.committed)
            raise
        self.committed += done
        self._stage.clear()
        if self._reserved < self.committed + RESERVE // 2:
            reserve(self._descriptor, self.committed)
            self._reserved = self.committed + RESERVE
        if sync:
            os.fdatasync(self._descriptor)
            if not self._entered:
                sync_directory(self.path.parent)
                self._entered = True

    def close(self) -> None:
        """Give file and reserve back; what was not committed is gone."""
        if self._descriptor >= 0:
            os.ftruncate(self._descriptor, self.committed)
            os.close(self._descriptor)
            self._descriptor = -1


class McapFile:
    """One file of a bag. Not thread-safe."""

    suffix = '.mcap'

    def __init__(self, path: Path, compression: str = 'none', chunk_bytes: int = 1 << 16) -> None:
        """Begin a file; its chunks end at every commit and beyond `chunk_bytes`."""
        self.info = FileInfo(path.name)
        self._staged = StagedFile(path)
        self._chunk_bytes = chunk_bytes
        self._pending = 0
        # Chunks end where we say, so that their positions are known.
        self._writer = Writer(
            self._staged,  # type: ignore[arg-type]
            chunk_size=1 << 62,
            compression=COMPRESSIONS[compression],
            enable_data_crcs=True,
        )
        self._writer.start(profile='ros2', library='sac_core')
        self._schemas: dict[str, int] = {}
        self._channels: dict[str, int] = {}
        self._finished = False

    @property
    def size(self) -> int:
        """Length with everything written so far [bytes]."""
        return self._staged.tell() + self._pending

    @property
    def pending(self) -> int:
        """Bytes not committed."""
        return self._staged.tell() - self._staged.committed + self._pending

    @property
    def position(self) -> int:
        """Where reading begins to meet the next message."""
        return self._staged.tell()

    def add_topic(self, topic: Topic) -> None:
        """Describe a topic before its first message."""
        name = topic.definition.name
        if name not in self._schemas:
            self._schemas[name] = self._writer.register_schema(
                name, 'ros2msg', topic.definition.text.encode()
            )
        self._channels[topic.name] = self._writer.register_channel(
            topic.name,
            'cdr',
            self._schemas[name],
            {
                'offered_qos_profiles': topic.qos_text(),
                'topic_type_hash': topic.definition.digest,
            },
        )

    def write(self, topic: str, stamp: int, data: bytes) -> None:
        """Take a message; it is safe once committed."""
        self._writer.add_message(self._channels[topic], stamp, data, stamp)
        self.info.add(topic, stamp)
        self._pending += len(data) + 31
        if self._pending >= self._chunk_bytes:
            self._end_chunk()

    def commit(self, *, sync: bool) -> None:
        """Make everything taken so far survive the process, with `sync` also the computer.

        Raises:
            OSError: The disk does not take it; a later commit tries again.
        """
        self._end_chunk()
        self._staged.commit(sync=sync)

    def finish(self, metadata: str) -> None:
        """Write index and end of the file; may be repeated after an error.

        Raises:
            OSError: The disk does not take it.
        """
        if not self._finished:
            self._end_chunk()
            self._writer.add_metadata('rosbag2', {'serialized_metadata': metadata})
            self._writer.finish()
            self._finished = True
        self._staged.commit(sync=True)
        self.info.size = self._staged.committed

    def close(self) -> None:
        """Give the file back."""
        self._staged.close()

    def _end_chunk(self) -> None:
        if self._pending:
            self._writer.flush()
            self._pending = 0
