"""Talks to a running emulator's console."""

from __future__ import annotations

import json
import socket
from typing import Any


class ConsoleClient:
    """One connection to ``PATH.ctl``."""

    def __init__(self, port: str, timeout: float = 5.0) -> None:
        """Connect to the emulator whose serial device is ``port``.

        Raises:
            OSError: Nobody listens.
        """
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        self._socket.connect(f'{port}.ctl')
        self._file = self._socket.makefile('r')

    def ask(self, line: str) -> Any:
        """Return the parsed answer to one command, None for ok.

        Raises:
            ValueError: The emulator refuses.
        """
        self._socket.sendall(line.encode() + b'\n')
        answer = self._file.readline().strip()
        if answer.startswith('error') or not answer:
            raise ValueError(f'{line!r}: {answer or "the emulator ended"}')
        return None if answer == 'ok' else json.loads(answer)

    def close(self) -> None:
        """Disconnect."""
        self._file.close()
        self._socket.close()
