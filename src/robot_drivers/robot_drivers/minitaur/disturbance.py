"""What a bad network does to datagrams: losing, damaging, delaying; for the emulator's tests."""

from __future__ import annotations

from dataclasses import dataclass
import heapq
import itertools

import numpy as np

Address = tuple[str, int]


@dataclass(frozen=True)
class Disturbance:
    """Applied to each datagram independently; the same in both directions."""

    lose: float = 0.0  # probability
    corrupt: float = 0.0  # probability of one flipped bit
    delay: float = 0.0  # [s]
    jitter: float = 0.0  # further delay, uniform in [0, jitter] [s]; reorders

    def __post_init__(self) -> None:
        """Check ranges."""
        for name in ('lose', 'corrupt'):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f'{name} must be in [0, 1], got {getattr(self, name)}')
        for name in ('delay', 'jitter'):
            if not 0.0 <= getattr(self, name) <= 10.0:
                raise ValueError(f'{name} must be in [0, 10] s, got {getattr(self, name)}')


class Channel:
    """A queue of datagrams that a disturbance acts on; time is an argument."""

    def __init__(self, random: np.random.Generator) -> None:
        """Start undisturbed."""
        self.disturbance = Disturbance()
        self._random = random
        self._queue: list[tuple[float, int, bytes, Address]] = []
        self._count = itertools.count()

    def put(self, data: bytes, address: Address, now: float) -> None:
        """Send a datagram at a time [s]."""
        fault = self.disturbance
        if fault.lose and self._random.random() < fault.lose:
            return
        if fault.corrupt and self._random.random() < fault.corrupt:
            data = flip_bit(data, int(self._random.integers(8 * len(data))))
        due = now + fault.delay + fault.jitter * self._random.random() if fault != CLEAN else now
        heapq.heappush(self._queue, (due, next(self._count), data, address))

    def take(self, now: float) -> list[tuple[bytes, Address]]:
        """Return what has arrived by a time [s], in order of arrival."""
        arrived = []
        while self._queue and self._queue[0][0] <= now:
            _, _, data, address = heapq.heappop(self._queue)
            arrived.append((data, address))
        return arrived

    @property
    def next_arrival(self) -> float | None:
        """Time of the next arrival [s], None if nothing is under way."""
        return self._queue[0][0] if self._queue else None


def flip_bit(data: bytes, bit: int) -> bytes:
    """Return data with one bit inverted."""
    damaged = bytearray(data)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


CLEAN = Disturbance()
