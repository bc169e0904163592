"""What of a replay a power failure cannot take."""

from __future__ import annotations

from collections.abc import Callable
import threading

import numpy as np

from sac_learner.replay.ring import Ring
from sac_learner.replay.state import Record, State
from sac_learner.replay.streams import DURABLE, RECEIVED, StreamTable


class Durability:
    """Brings slots, record and watermarks to the disk, in an order that a failure cannot break.

    Attributes:
        lock: Held while it does.
        head: Slots that are known to be on the disk.
    """

    def __init__(self, ring: Ring, state: State, streams: StreamTable) -> None:
        """Go on where the replay was flushed last.

        Args:
            ring: The slots.
            state: Takes the record.
            streams: Hold the watermarks.
        """
        self._ring, self._state, self._streams = ring, state, streams
        self.lock = threading.Lock()
        self._relabelled = 0
        durable = state.durable()
        # What was on the disk last, and how often it was relabelled.
        self._flushed: tuple[Record, int] = (durable, 0)
        self.head = durable.head

    def relabelled(self) -> None:
        """Note that stored slots have changed."""
        self._relabelled += 1

    def flush(self, present: Callable[[], Record]) -> None:
        """Wait until everything appended so far is on the disk; only what is new is written.

        Args:
            present: Returns what counts; asked once the watermarks are known.
        """
        with self.lock:
            # Watermarks are read first: none may count as durable before its frames do.
            received = self._streams.column(RECEIVED)
            record, relabelled = present(), self._relabelled
            durable = self._streams.mapped.array[: len(received), DURABLE]
            data_is_new = (record, relabelled) != self._flushed
            if data_is_new:
                self._ring.sync()
                self._state.set_durable(record)
            if data_is_new or not np.array_equal(durable, received):
                durable[...] = received
                self._streams.mapped.sync()
            self._flushed = (record, relabelled)
            self.head = record.head

    def rewind(self, record: Record) -> None:
        """Let no more be durable than what counts again; called with the lock held."""
        if self._state.durable().head > record.head:
            self._state.set_durable(record)
            self.head = record.head
