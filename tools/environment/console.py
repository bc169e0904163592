"""What ``./ros2w`` tells its user: steps, on standard error, and problems with a remedy."""

from collections.abc import Iterator
from contextlib import contextmanager
import shutil
import sys
import time


class ProblemError(Exception):
    """Something the user has to put right; the message says what and how."""


def say(text: str) -> None:
    """Write one line of progress."""
    print(f'ros2w: {text}', file=sys.stderr, flush=True)


@contextmanager
def step(title: str) -> Iterator[None]:
    """Announce a step, and how long it took when it succeeded."""
    say(f'{title} ...')
    began = time.monotonic()
    yield
    say(f'{title}: done in {time.monotonic() - began:.0f} s')


class ProgressLine:
    """One line that is overwritten on a terminal, and repeated now and then elsewhere."""

    PERIOD = 10.0  # [s] between two lines where nobody watches

    def __init__(self) -> None:
        """Begin with nothing written."""
        self._on_terminal = sys.stderr.isatty()
        self._written = -self.PERIOD if not self._on_terminal else 0.0

    def show(self, text: str) -> None:
        """Show the newest state."""
        now = time.monotonic()
        if self._on_terminal:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write('\r' + f'ros2w:   {text}'[:width].ljust(width))
            sys.stderr.flush()
        elif now - self._written >= self.PERIOD:
            self._written = now
            say(f'  {text}')

    def close(self) -> None:
        """Leave the line."""
        if self._on_terminal:
            sys.stderr.write('\r' + ' ' * (shutil.get_terminal_size().columns - 1) + '\r')
            sys.stderr.flush()
