"""Signals end what a command does at its next step, so that it can save."""

from collections.abc import Callable, Iterator
import contextlib
import signal
import threading
from typing import Any


@contextlib.contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Let SIGINT and SIGTERM end the loop at its next step; a second one ends the process."""
    flag = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield flag.is_set
        return
    previous: dict[int, Any] = {}

    def interrupt(number: int, _: Any) -> None:
        flag.set()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        previous[number] = signal.signal(number, interrupt)
    try:
        yield flag.is_set
    finally:
        for known, handler in previous.items():
            signal.signal(known, handler)
