"""The line that tells how a run goes: live on a terminal, now and then in a log."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
import os
import time
from typing import TextIO

BAR = 24  # characters


@dataclass
class Rate:
    """Events per second over the last seconds."""

    window: float = 5.0
    _marks: list[tuple[float, int]] = field(default_factory=list)

    def observe(self, count: int, now: float) -> float:
        """Take a counter at a monotonic time [s] and return its rate [1/s]."""
        self._marks.append((now, count))
        while len(self._marks) > 2 and self._marks[0][0] < now - self.window:
            self._marks.pop(0)
        (begin, first), (end, last) = self._marks[0], self._marks[-1]
        return (last - first) / (end - begin) if end > begin else 0.0


class Occasions:
    """What is to be done every so often; times are of one monotonic clock [s]."""

    def __init__(self, names: Iterable[str], now: float) -> None:
        """Count from `now`."""
        self._last = dict.fromkeys(names, now)

    def restart(self, now: float) -> None:
        """Count all of them from `now`."""
        self._last = dict.fromkeys(self._last, now)

    def due(self, name: str, now: float, period: float) -> bool:
        """Return whether `period` has passed since it was last due; if so, it is due now."""
        if now - self._last[name] < period:
            return False
        self._last[name] = now
        return True


@dataclass
class Progress:
    """What the line shows.

    Attributes:
        limit: Steps at which the run ends, 0 for none.
        unit: What is counted: training steps, or updates where no robot takes part.
        metric: Name of the headline metric, the first of the task.
    """

    limit: int
    unit: str = 'steps'
    steps: int = 0
    episodes: int = 0
    updates: int = 0
    updates_per_second: float = 0.0
    update_to_data: float = 0.0
    metric: str = ''
    returns: deque[float] = field(default_factory=lambda: deque(maxlen=20))
    metrics: deque[float] = field(default_factory=lambda: deque(maxlen=20))
    evaluated: str = ''
    state: str = 'waiting for an agent'
    _rates: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=30))

    def observe(self, steps: int, now: float) -> None:
        """Take the number of steps, or what is counted, at a monotonic time [s]."""
        self.steps = steps
        self._rates.append((now, steps))

    def remaining(self) -> float | None:
        """Return the expected time to the limit [s], or None while unknown."""
        if self.limit <= 0 or len(self._rates) < 2:
            return None
        (begin, first), (end, last) = self._rates[0], self._rates[-1]
        if last <= first or end <= begin:
            return None
        return (self.limit - last) * (end - begin) / (last - first)

    def line(self) -> str:
        """Return the line."""
        parts = [self._bar()]
        if self.unit == 'steps':
            parts.append(f'{self.episodes} episodes')
        if self.returns:
            parts.append(f'return {sum(self.returns) / len(self.returns):.1f}')
        if self.metrics:
            middle = sorted(self.metrics)[len(self.metrics) // 2]
            parts.append(f'{self.metric.replace("_", " ")} {middle:.3f}')
        if self.evaluated:
            parts.append(self.evaluated)
        parts.append(f'{self.updates_per_second:.0f} updates/s')
        if self.unit == 'steps':
            parts.append(f'UTD {self.update_to_data:.2f}')
        remaining = self.remaining()
        if remaining is not None:
            parts.append(f'ETA {clock(remaining)}')
        if self.state:
            parts.append(self.state)
        return ' | '.join(parts)

    def _bar(self) -> str:
        if self.limit <= 0:
            return f'{self.steps} {self.unit}'
        share = min(1.0, self.steps / self.limit)
        full = int(share * BAR)
        return f'{"█" * full}{"░" * (BAR - full)} {self.steps}/{self.limit} {self.unit}'


class ProgressLine:
    """Shows a line in place on the terminal, or through `log` every `period` seconds."""

    def __init__(self, log: Callable[[str], None], *, period: float = 10.0) -> None:
        """Find out whether a person watches."""
        self._log = log
        self._period = period
        self._last = float('-inf')
        self._terminal = _terminal()

    def show(self, text: str, *, final: bool = False) -> None:
        """Show the newest line."""
        now = time.monotonic()
        if self._terminal is not None:
            try:
                width = os.get_terminal_size(self._terminal.fileno()).columns
                self._terminal.write(
                    '\r\033[K' + text[: max(20, width - 1)] + ('\n' if final else '')
                )
                self._terminal.flush()
            except OSError:
                self._terminal = None
        elif final or now - self._last >= self._period:
            self._last = now
            self._log(text)


def clock(seconds: float) -> str:
    """Return a duration as h:mm:ss or mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours}:{minutes:02}:{rest:02}' if hours else f'{minutes:02}:{rest:02}'


def _terminal() -> TextIO | None:
    """Return the controlling terminal; a launched process's own output is a pipe."""
    if os.environ.get('CI') or os.environ.get('TERM', 'dumb') == 'dumb':
        return None
    try:
        return open('/dev/tty', 'w')  # noqa: PTH123
    except OSError:
        return None
