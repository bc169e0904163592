"""Emulated robots in processes of their own, and what a tester may do to them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
import contextlib
import json
import os
from pathlib import Path
import re
import socket
import subprocess
import sys
import tempfile
import time
from typing import Any

from robot_drivers.dclaw.emulator.client import ConsoleClient
from robot_drivers.minitaur.stage import Stage


def environment() -> dict[str, str]:
    """Return an environment in which child processes import what we import."""
    return os.environ | {'PYTHONPATH': os.pathsep.join(filter(None, sys.path))}


def wait_until(condition: Callable[[], Any], timeout: float = 10.0) -> Any:
    """Return the first true value of a condition.

    Raises:
        TimeoutError: It stayed false.
    """
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            value = condition()
            if value:
                return value
        time.sleep(0.002)
    raise TimeoutError(f'{condition} stayed false for {timeout} s')


class Rig(ABC):
    """One emulated robot; ``port`` is where its driver finds it."""

    port: str
    process: subprocess.Popen[str]

    def _start(self, module: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, '-m', module, *arguments],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        """Return the next line that the emulator says."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    @abstractmethod
    def do(self, name: str, *values: object, **arguments: object) -> Any:
        """Inject a fault, or look at the robot; the emulator's documentation lists them."""

    @abstractmethod
    def driver_options(self) -> dict[str, Any]:
        """Return parameters that the driver of this rig needs."""

    def close(self) -> None:
        """End the emulator."""
        if self.process.poll() is None:
            self.process.terminate()
        self.process.communicate(timeout=10)


class HandRig(Rig):
    """An emulated D'Claw and a connection to its console."""

    def __init__(self, clock: str, *options: str) -> None:
        """Start it; ``options`` are further arguments of the emulator."""
        self._directory = tempfile.TemporaryDirectory(prefix='dclaw')
        self.port = str(Path(self._directory.name) / 'bus')
        self._start(
            'robot_drivers.dclaw.emulator.main', '--link', self.port, '--clock', clock, *options
        )
        wait_until(Path(self.port).is_symlink, 30.0)  # comes last
        self.console = ConsoleClient(self.port)

    def ask(self, line: str) -> Any:
        """Return the answer to one line of the console."""
        return self.console.ask(line)

    def do(self, name: str, *values: object, **arguments: object) -> Any:
        """Send one command of the console."""
        del arguments
        return self.ask(' '.join(map(str, (name, *values))))

    def driver_options(self) -> dict[str, Any]:
        """Return nothing: the port says it all."""
        return {}

    def close(self) -> None:
        """End the emulator and remove its files."""
        self.console.close()
        super().close()
        self._directory.cleanup()


class WalkerRig(Rig):
    """An emulated Minitaur and requests to its stage."""

    def __init__(self, clock: str) -> None:
        """Start it on free ports."""
        self._start('robot_drivers.minitaur.emulator', '--clock', clock, '--robot-port', '0')
        self.robot_port, self.stage_port = map(int, re.findall(r'port (\d+)', self.line()))
        self.port = f'127.0.0.1:{self.robot_port}'
        self.stage = Stage('127.0.0.1', self.stage_port)

    def do(self, name: str, *values: object, **arguments: object) -> Any:
        """Send one request."""
        del values
        return self.stage.request(name, **arguments)

    def driver_options(self) -> dict[str, Any]:
        """Return where the stage is."""
        return {'stage_port': self.stage_port}


class ArmRig(Rig):
    """An emulated Sawyer and its control socket."""

    def __init__(self, clock: str) -> None:
        """Start it on free ports."""
        self._start('robot_drivers.sawyer.emulator', '--master-port', '0', '--clock', clock)
        _, self.uri, _, port = self.line().split()
        self.port = self.uri
        self._socket = socket.create_connection(('127.0.0.1', int(port)), 5.0)
        self._lines = self._socket.makefile('r')

    def do(self, name: str, *values: object, **arguments: object) -> Any:
        """Send one request and return the answer.

        Raises:
            ValueError: The emulator refuses.
        """
        del values
        self._socket.sendall(json.dumps({'do': name, **arguments}).encode() + b'\n')
        answer: dict[str, Any] = json.loads(self._lines.readline())
        if not answer['ok']:
            raise ValueError(f'{name}: {answer}')
        return answer

    def time_until(
        self, condition: Callable[[dict[str, Any]], bool], since: float, timeout: float = 5.0
    ) -> float:
        """Return seconds from ``since`` until the robot is as wanted.

        Raises:
            TimeoutError: It never was.
        """
        while not condition(self.do('query')):
            if time.monotonic() - since > timeout:
                raise TimeoutError(f'robot is {self.do("query")}')
        return time.monotonic() - since

    def driver_options(self) -> dict[str, Any]:
        """Return nothing: the port says it all."""
        return {}

    def close(self) -> None:
        """Hang up and end the emulator."""
        self._lines.close()
        self._socket.close()
        super().close()


RIGS: dict[str, Callable[[str], Rig]] = {
    'dclaw': HandRig,
    'minitaur': WalkerRig,
    'sawyer': ArmRig,
}
