"""An emulated hand in its own process, and the table of faults at the end of the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
import contextlib
import os
from pathlib import Path
import subprocess
import sys
import tempfile
import time
from typing import Any

import pytest

from robot_drivers.dclaw.emulator.client import ConsoleClient

FAULTS = pytest.StashKey[list[tuple[str, str, float]]]()


def wait_until(condition: Callable[[], Any], timeout: float = 10.0) -> Any:
    """Return the first true value of `condition`; fail after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            value = condition()
            if value:
                return value
    raise AssertionError(f'{condition} stayed false for {timeout} s')


def environment() -> dict[str, str]:
    """Return an environment in which child processes import what we import."""
    return os.environ | {'PYTHONPATH': os.pathsep.join(filter(None, sys.path))}


class EmulatedHand:
    """A running emulator and a connection to its console."""

    def __init__(self, clock: str, *options: str) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix='dclaw')
        self.port = str(Path(self._directory.name) / 'bus')
        self.process = subprocess.Popen(
            [
                sys.executable,
                '-m',
                'robot_drivers.dclaw.emulator.main',
                *('--link', self.port, '--clock', clock, *options),
            ],
            env=environment(),
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_until(Path(self.port).is_symlink, 30.0)  # comes last
        self.console = ConsoleClient(self.port)

    def ask(self, line: str) -> Any:
        return self.console.ask(line)

    def close(self) -> None:
        self.console.close()
        self.process.terminate()
        self.process.communicate(timeout=10)
        self._directory.cleanup()


@pytest.fixture
def wall_hand() -> Iterator[EmulatedHand]:
    hand = EmulatedHand('wall')
    yield hand
    hand.close()


@pytest.fixture
def lockstep_hand() -> Iterator[EmulatedHand]:
    hand = EmulatedHand('lockstep')
    yield hand
    hand.close()


@pytest.fixture
def child_environment() -> dict[str, str]:
    return environment()


@pytest.fixture
def report_fault(request: pytest.FixtureRequest) -> Callable[[str, str, float], None]:
    """Return a function that puts a line into the table: fault, state reached, seconds."""

    def report(fault: str, state: str, seconds: float) -> None:
        request.config.stash.setdefault(FAULTS, []).append((fault, state, seconds))

    return report


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    rows = config.stash.get(FAULTS, [])
    if rows:
        terminalreporter.section('faults injected')
        for fault, state, seconds in rows:
            terminalreporter.write_line(f'{fault:<44} {state:<34} {seconds * 1000:7.1f} ms')
