"""The newest set of sensor messages that belong together."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar('T')


@dataclass(frozen=True)
class Reading(Generic[T]):
    """One message.

    Attributes:
        stamp: Measurement time [ns].
        received: Arrival on the monotonic clock [s].
        value: Content.
    """

    stamp: int
    received: float
    value: T


class Pairer:
    """Collects messages of several sensors into sets with close stamps."""

    def __init__(self, sensors: Iterable[str], slop: float, *, depth: int = 10) -> None:
        """Start empty.

        Args:
            sensors: Names that make a complete set.
            slop: Largest difference of stamps within a set [s].
            depth: Messages kept per sensor.
        """
        self._slop = round(slop * 1e9)
        self._queues: dict[str, deque[Reading[Any]]] = {n: deque(maxlen=depth) for n in sensors}
        self._last: int | None = None

    def add(self, sensor: str, reading: Reading[Any]) -> dict[str, Reading[Any]] | None:
        """Take a message; return a set that is complete and newer than the last, if any.

        Where the clock jumps back, old messages of all sensors are forgotten.
        """
        queue = self._queues[sensor]
        if queue and reading.stamp < queue[-1].stamp - 1_000_000_000:
            self.clear()
        queue.append(reading)
        if not all(self._queues.values()):
            return None
        reference = min(queue[-1].stamp for queue in self._queues.values())
        chosen = {
            name: min(queue, key=lambda r: abs(r.stamp - reference))
            for name, queue in self._queues.items()
        }
        stamps = [reading.stamp for reading in chosen.values()]
        oldest = min(stamps)
        if max(stamps) - oldest > self._slop or (self._last is not None and oldest <= self._last):
            return None
        self._last = oldest
        return chosen

    def silent(self, now: float, timeout: float) -> list[str]:
        """Return the sensors that sent nothing for `timeout` [s] before `now`, or never."""
        return [
            name
            for name, queue in self._queues.items()
            if not queue or now - queue[-1].received > timeout
        ]

    def clear(self) -> None:
        """Forget everything, for example after a reset of simulated time."""
        for queue in self._queues.values():
            queue.clear()
        self._last = None
