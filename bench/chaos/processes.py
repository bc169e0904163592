"""Processes that are started again when they die, as a launch file does it, and can be hurt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import os
from pathlib import Path
import signal
import subprocess
import threading
import time

RESPAWN_DELAY = 1.0  # [s] as in launch/


class Child:
    """One process, supervised by a thread.

    Attributes:
        command: Program and arguments.
        starts: How often it was started.
        deaths: Exit codes of the times it ended by itself, that is without `kill` or `end`.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        log: Path,
        respawn: bool = True,
    ) -> None:
        """Start it.

        Args:
            name: For messages.
            command: Program and arguments; it must end up in the process it is started as.
            environment: Its whole environment.
            log: Where its output is appended.
            respawn: Start it again a second after it has died.
        """
        self.name = name
        self.starts = 0
        self.deaths: list[int] = []
        self.command = list(command)
        self._environment = dict(environment)
        self._log = log
        self._respawn = respawn
        self._ending = threading.Event()
        self._killed = False
        self._lock = threading.Lock()
        self._process = self._start()
        self._thread = threading.Thread(target=self._watch, name=name, daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        """The process id of the newest start."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs now."""
        return self._process.poll() is None

    def signal(self, number: int) -> bool:
        """Send a signal; return whether there was a process."""
        with self._lock:
            if self._process.poll() is not None:
                return False
            self._killed = self._killed or number == signal.SIGKILL
            self._process.send_signal(number)
            return True

    def end(self, timeout: float = 30.0) -> int:
        """Let it end by SIGINT, by SIGKILL after `timeout` [s]; return the exit code."""
        self._ending.set()
        with self._lock:
            for number in (signal.SIGCONT, signal.SIGINT):
                if self._process.poll() is None:
                    self._process.send_signal(number)
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._thread.join()
        return int(self._process.returncode)

    def _start(self) -> subprocess.Popen[bytes]:
        self.starts += 1
        with self._log.open('ab') as log:
            log.write(f'--- {time.time():.3f} start {self.starts} of {self.name}\n'.encode())
            log.flush()
            return subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
            )

    def _watch(self) -> None:
        while True:
            code = self._process.wait()
            if self._ending.is_set():
                return
            if not self._killed:
                self.deaths.append(code)
            self._killed = False
            if not self._respawn or self._ending.wait(RESPAWN_DELAY):
                return
            with self._lock:
                if self._ending.is_set():
                    return
                self._process = self._start()


def environment(**extra: str) -> dict[str, str]:
    """Return this process's environment, changed; a child writes what it says at once."""
    return {**os.environ, 'PYTHONUNBUFFERED': '1', **extra}
