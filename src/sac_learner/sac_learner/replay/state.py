"""The published state of a replay: how much of its files counts."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from sac_learner.replay.errors import ReplayError
from sac_learner.replay.files import MappedArray

STATE = 'state.i64'
_RECORD = 4  # head, count, size, check
_DURABLE = 1 + 2 * _RECORD
_MARK = 0x5AC0_5AC0_5AC0


class Record(NamedTuple):
    """What a replay holds at one moment."""

    head: int  # slots written
    transitions: int  # appended
    size: int  # transitions that can be sampled


class State:
    """Two records and which of them holds, and a third one: what is known to be on the disk.

    Publishing fills the idle record and then switches with a single store, so a process that is
    killed at any point leaves either the old record or the new one.
    """

    def __init__(self, directory: Path, *, create: bool) -> None:
        """Open the state, or make that of an empty replay.

        Raises:
            ReplayError: The state is damaged.
        """
        path = directory / STATE
        self._mapped = MappedArray(path, '<i8', (_DURABLE + _RECORD,), create=create)
        self._words = memoryview(self._mapped.buffer).cast('q')
        if create:
            self._mapped.allocate(0, _DURABLE + _RECORD)
            for start in (1, 1 + _RECORD, _DURABLE):
                self._store(start, Record(0, 0, 0))
        if self._words[0] not in (0, 1):
            raise ReplayError(f'{path} is damaged: no record is in force')
        self._active = self._words[0]

    def published(self) -> Record:
        """Return the record in force."""
        return self._load(1 + self._active * _RECORD)

    def durable(self) -> Record:
        """Return what was on the disk at the last flush."""
        return self._load(_DURABLE)

    def publish(self, record: Record) -> None:
        """Put ``record`` in force."""
        idle = 1 - self._active
        self._store(1 + idle * _RECORD, record)
        self._words[0] = idle
        self._active = idle

    def set_durable(self, record: Record) -> None:
        """Note that everything up to ``record`` is on the disk, and have that note on the disk."""
        self._store(_DURABLE, record)
        self._mapped.sync()

    def sync(self) -> None:
        """Wait until the state is on the disk."""
        self._mapped.sync()

    def close(self) -> None:
        """Unmap the file."""
        self._words.release()
        self._mapped.close()

    def _store(self, start: int, record: Record) -> None:
        words = self._words
        head, count, size = record
        words[start] = head
        words[start + 1] = count
        words[start + 2] = size
        words[start + 3] = head ^ (count << 1) ^ (size << 2) ^ _MARK

    def _load(self, start: int) -> Record:
        head, count, size, check = self._words[start : start + _RECORD].tolist()
        if check != head ^ (count << 1) ^ (size << 2) ^ _MARK or not 0 <= size <= count <= head:
            raise ReplayError(
                f'{self._mapped.path} is damaged: head {head}, count {count} and size {size} '
                f'do not fit together'
            )
        return Record(head, count, size)
