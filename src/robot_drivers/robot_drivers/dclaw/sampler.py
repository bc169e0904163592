"""Samples off the bus, and the time that passes by the servos' own clocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
import time
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from robot_drivers.dclaw import control_table as table
from robot_drivers.dclaw.bus import Bus, retried
from robot_drivers.dclaw.config import ALL_IDS, DclawConfig
from robot_drivers.dclaw.sample import (
    BLOCK,
    CLOCK_BLOCK,
    decode,
    forgetful,
    LOCKSTEP_SPREAD,
    mixed,
    passed,
    Sample,
    WALL_SPREAD,
)
from robot_drivers.errors import StaleStateError
from robot_drivers.robot import Clock

T = TypeVar('T')


class Sampler:
    """Reads all servos at once, and tells late answers from new ones.

    Attributes:
        last: The newest sample that was accepted; None where the servos' clocks began anew.
        missed: Failed reads in a row, as whoever reads counts them.
    """

    def __init__(
        self,
        bus: Bus,
        config: DclawConfig,
        clock: Clock,
        counts: Counter[str],
        *,
        moving: Callable[[], bool],
    ) -> None:
        """Read nothing yet.

        Args:
            bus: Where the servos are.
            config: Retries and times.
            clock: Whose time stamps are.
            counts: Late answers are counted here.
            moving: Whether the hand may move, so that its state must not be old.
        """
        self.last: Sample | None = None
        self.missed = 0
        self._bus, self._config, self._clock = bus, config, clock
        self._counts, self._moving = counts, moving
        self._mixed = 0  # reads in a row whose clocks disagree
        self._accepted = 0.0  # monotonic time of the last one [s]
        self._measured = 0.0  # wall time of the last transfer [s]
        self._start, self._elapsed = 0.0, 0  # lockstep: [s], [ms] since then

    def begin(self, origin: float) -> None:
        """Begin anew, in lockstep at a time [s], but never back in time."""
        self._start = max(origin, self._start + self._elapsed / 1000)
        self._elapsed = 0
        self.last = None

    def take(self) -> Sample:
        """Return a sample, shape (10,), all of whose answers belong together.

        Raises:
            StaleStateError: None came.
        """
        return self.retried(self._take_once)

    def accept(self, sample: Sample) -> float:
        """Take a sample as the newest; return its stamp [s]."""
        self.missed = 0
        if self.last is not None:
            self._elapsed += int(passed(self.last, sample)[0])
        self.last, self._accepted = sample, time.monotonic()
        lockstep = self._clock == 'lockstep'
        return self._start + self._elapsed / 1000 if lockstep else self._measured

    def silence(self) -> float:
        """Return how long ago the last sample was accepted [s]."""
        return time.monotonic() - self._accepted

    def since_last(self, sample: Sample) -> NDArray[np.int_] | None:
        """Return the time from the last sample to this one, shape (10,), ms; None if unknown."""
        return None if self.last is None else passed(self.last, sample)

    def stood_still(self) -> bool:
        """Return whether no time has passed since the last sample, by a question of its own."""
        data = self.retried(lambda: self._bus.sync_read(ALL_IDS, *CLOCK_BLOCK))
        ticks = data[:, 0].astype(int) + 256 * data[:, 1].astype(int)
        return self.last is not None and bool((ticks == self.last['tick']).all())

    def retried(self, transfer: Callable[[], T]) -> T:
        """Return the result of a transfer, tried again as long as the hand may wait for it.

        Raises:
            StaleStateError: It was lost every time.
        """
        before = time.time()
        result = retried(transfer, self._config.retries, self._impatient)
        self._measured = 0.5 * (before + time.time())
        return result

    def _impatient(self) -> bool:
        """Whether trying again would take longer than the hand may move unseen."""
        late = self.silence() > self._config.stale_timeout
        return self._clock == 'wall' and self._moving() and late

    def _take_once(self) -> Sample:
        sample = decode(self._bus.sync_read(ALL_IDS, table.INDIRECT_DATA, BLOCK.itemsize))
        spread = LOCKSTEP_SPREAD if self._clock == 'lockstep' else WALL_SPREAD
        before = self.last
        if before is not None and not forgetful(sample).size and mixed(before, sample, spread):
            self._counts['late answers'] += 1
            self._mixed += 1
            if self._mixed > self._config.retries + 1:
                self.last = None  # they stay apart: no late answer, a servo's clock began anew
            raise StaleStateError('an answer of an earlier exchange came')
        self._mixed = 0
        return sample
