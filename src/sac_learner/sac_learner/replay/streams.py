"""The streams a replay has seen, and how far it has each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import json
from pathlib import Path

import numpy as np

from sac_learner.replay.errors import ReplayError
from sac_learner.replay.files import MappedArray, write_synced
from sac_learner.replay.transition import ReplayTransition

NAMES = 'streams.json'
TABLE = 'streams.i64'
LIMIT = 4096  # streams of one replay
RECEIVED, DURABLE, LAST = range(3)


@dataclass(slots=True)
class Lane:
    """One stream while the replay is open."""

    index: int
    received: int = 0  # highest sequence handled
    last: int = -1  # position of its newest slot, -1 without one
    sequence: int = -1  # sequence of that slot
    ended: bool = True  # that slot ended an episode


class StreamTable:
    """Names and watermarks of all streams.

    A row of the table holds what was received, what of it is known to be on the disk, and the
    position of the newest slot. Each is one 8-byte store, so none is ever half done.
    """

    def __init__(self, directory: Path, *, create: bool) -> None:
        """Open the table, or make an empty one.

        Raises:
            ReplayError: The names are damaged.
        """
        self._path = directory / NAMES
        if create:
            write_synced(self._path, b'[]\n')
        try:
            names = json.loads(self._path.read_text())
        except (OSError, ValueError) as error:
            raise ReplayError(f'{self._path} is damaged: {error!r}') from error
        if (
            not isinstance(names, list)
            or not all(isinstance(name, str) for name in names)
            or len(set(names)) != len(names)
            or len(names) > LIMIT
        ):
            raise ReplayError(f'{self._path} is damaged: it must list up to {LIMIT} unique names')
        self.mapped = MappedArray(directory / TABLE, '<i8', (LIMIT, 3), create=create)
        if create:
            self.mapped.allocate(0, LIMIT)
        self.lanes = {
            name: Lane(index, received=int(self.mapped.array[index, RECEIVED]))
            for index, name in enumerate(names)
        }

    def lane(self, stream: str) -> Lane:
        """Return the lane of ``stream``; a new one is named on the disk before its first use.

        Raises:
            ReplayError: There are too many streams.
        """
        lane = self.lanes.get(stream)
        if lane is not None:
            return lane
        if len(self.lanes) >= LIMIT:
            raise ReplayError(
                f'{stream!r} would be stream {LIMIT + 1}, a replay keeps at most {LIMIT}; '
                f'start a new run directory'
            )
        lane = Lane(len(self.lanes))
        self.mapped.array[lane.index] = (0, 0, -1)
        lanes = {**self.lanes, stream: lane}
        write_synced(self._path, json.dumps(list(lanes), indent=1).encode() + b'\n')
        self.lanes = lanes  # replaced, not changed: a flush may be reading it
        return lane

    def advance(self, lane: Lane, position: int, transition: ReplayTransition) -> None:
        """Note that a transition was stored, its newest slot at ``position``."""
        table = self.mapped.array
        table[lane.index, LAST] = lane.last = position
        lane.sequence = transition.sequence
        lane.ended = transition.terminated or transition.truncated
        table[lane.index, RECEIVED] = lane.received = transition.sequence

    def skip(self, lane: Lane, sequence: int) -> None:
        """Note that everything up to ``sequence`` is dealt with."""
        self.mapped.array[lane.index, RECEIVED] = lane.received = sequence

    def rewind(self, received: Mapping[str, int]) -> None:
        """Go back to what had been received, by stream; newest slots are to be found again."""
        for name, lane in self.lanes.items():
            lane.received = received.get(name, 0)
            # Without a newest slot the next opening looks for it, should we die right here.
            row = (-1, lane.received, lane.received)
            self.mapped.array[lane.index, [LAST, RECEIVED, DURABLE]] = row

    def durable(self) -> dict[str, int]:
        """Return, by stream, the highest sequence that is on the disk."""
        table = self.mapped.array
        return {name: int(table[lane.index, DURABLE]) for name, lane in self.lanes.items()}

    def column(self, which: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Return a copy of one column for the streams in use."""
        return self.mapped.array[: len(self.lanes), which].copy()
