"""Ending a process: SIGINT, then SIGTERM, then SIGKILL."""

from __future__ import annotations

import asyncio
import signal

from ..logging import get_logger
from .child import Child


class Escalation:
    """Ends one process, more firmly the longer it takes."""

    def __init__(self, label: str, sigterm_timeout: str, sigkill_timeout: str) -> None:
        """Take the label of the process and the two times [s], as they were given.

        Raises:
            ValueError: A time is not a number.
        """
        self._label = label
        self._logger = get_logger(label)
        self._sigterm_timeout = sigterm_timeout
        self._until_sigterm = float(sigterm_timeout)
        self._until_sigkill = self._until_sigterm + float(sigkill_timeout)
        self._timers: list[asyncio.TimerHandle] = []

    def begin(self, child: Child, *, tell: bool) -> None:
        """Start the clock, and send SIGINT unless a terminal has done so (``tell=False``)."""
        if self._timers:
            return
        if tell:
            self._logger.info(f"sending signal 'SIGINT' to process[{self._label}]")
            child.send(signal.SIGINT)
        loop = asyncio.get_running_loop()
        self._timers = [
            loop.call_later(
                self._until_sigterm,
                self._escalate,
                child,
                self._sigterm_timeout,
                'SIGINT',
                'SIGTERM',
            ),
            loop.call_later(
                self._until_sigkill,
                self._escalate,
                child,
                str(self._until_sigkill),
                'SIGTERM',
                'SIGKILL',
            ),
        ]

    def end(self) -> None:
        """Stop the clock: the process has ended."""
        for timer in self._timers:
            timer.cancel()
        self._timers = []

    def _escalate(self, child: Child, seconds: str, ignored: str, stronger: str) -> None:
        self._logger.error(
            f"process[{self._label}] failed to terminate '{seconds}' seconds after "
            f"receiving '{ignored}', "
            f"escalating to '{stronger}'"
        )
        if stronger == 'SIGKILL':
            child.kill()
        else:
            child.send(signal.Signals[stronger])
