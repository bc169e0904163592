"""Slows a lockstep simulation down to a set speed, without drift and without catching up."""

from __future__ import annotations


class Pacer:
    """Says when the next control period may begin; all times from one monotonic clock [s]."""

    def __init__(self, period: float) -> None:
        """Start with the next period due at once.

        Args:
            period: Control period [s] of the robot's time.
        """
        self._period = period
        self._due = 0.0

    def wait(self, now: float, speed: float) -> float:
        """Return how long the next period has to wait [s]; ``speed`` 0: not at all."""
        return max(0.0, self._due - now) if speed else 0.0

    def begin(self, now: float, speed: float) -> None:
        """Take note that a period begins.

        The next one is due one period after this one was due, so that small delays do not add up;
        after a pause longer than a period it counts from now.
        """
        step = self._period / speed if speed else 0.0
        late = now - self._due > step
        self._due = (now if late else self._due) + step

    def rest(self, now: float) -> None:
        """Let the next period begin at once, e.g. after a reset."""
        self._due = now
