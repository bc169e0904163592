"""How a training run shows itself: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from typing import Any, Protocol

from sac_learner.command_line import say
from sac_learner.run.progress import Progress

PERIOD = 10.0  # [s] between two plain lines


class Display(Protocol):
    """What the training loop tells."""

    def show(self, progress: Progress, *, final: bool = False) -> None:
        """Show how far the run is."""

    def log(self, text: str) -> None:
        """Tell what happened once."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class PlainDisplay:
    """Lines, for logs and pipes."""

    def __init__(self) -> None:
        """Show the first line at once."""
        self._last = float('-inf')

    def show(self, progress: Progress, *, final: bool = False) -> None:
        """Write a line when the last one is old enough."""
        now = time.monotonic()
        if final or now - self._last >= PERIOD:
            self._last = now
            say(progress.line())

    def log(self, text: str) -> None:
        """Write a line."""
        say(text)

    def close(self) -> None:
        """Nothing to restore."""


class BarDisplay:
    """A bar with steps, expected time and what the learner achieves."""

    def __init__(self, limit: int) -> None:
        """Begin a bar of `limit` steps."""
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self._bar: Any = Bar(
            BarColumn(24),
            MofNCompleteColumn(),
            TextColumn('ETA'),
            TimeRemainingColumn(),
            TextColumn('{task.description}', markup=False),
            refresh_per_second=4,
        )
        self._task = self._bar.add_task('', total=limit)
        self._bar.start()

    def show(self, progress: Progress, *, final: bool = False) -> None:
        """Move the bar."""
        returns = progress.returns
        parts = [f'{progress.updates_per_second:.0f} updates/s']
        if returns:
            parts.insert(0, f'return {sum(returns) / len(returns):.1f}')
        parts += [text for text in (progress.evaluated, progress.state) if text]
        self._bar.update(self._task, completed=progress.steps, description=' | '.join(parts))
        if final:
            self._bar.refresh()

    def log(self, text: str) -> None:
        """Write a line above the bar."""
        self._bar.console.print(text, markup=False, highlight=False)

    def close(self) -> None:
        """End the bar and give the cursor back."""
        self._bar.stop()


def display(limit: int) -> Display:
    """Return what fits standard output."""
    return BarDisplay(limit) if sys.stdout.isatty() else PlainDisplay()
