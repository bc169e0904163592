"""One child process and what it writes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
import contextlib
import os
import signal
import tty
from typing import Any

import psutil

LAST_WORDS = (
    1.0  # [s], how long output is awaited from whoever still holds the pipes of a dead process
)


class Child:
    """A subprocess of the launch, in its process group, with a pipe as standard input."""

    def __init__(self, on_output: Callable[[int, bytes], None]) -> None:
        """Take the function that gets the number of the stream and what was written to it."""
        self._on_output = on_output
        self._process: asyncio.subprocess.Process | None = None
        self._readers: list[asyncio.Task[None]] = []
        self._transports: list[asyncio.BaseTransport] = []

    @property
    def pid(self) -> int:
        """Process id."""
        assert self._process is not None, 'not started'
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    async def start(
        self,
        command: Sequence[str],
        *,
        shell: bool,
        cwd: str | None,
        env: Mapping[str, str],
        emulate_tty: bool,
    ) -> None:
        """Start the command.

        Raises:
            OSError: It cannot be started.
        """
        pipes = {1: asyncio.subprocess.PIPE, 2: asyncio.subprocess.PIPE}
        masters: dict[int, int] = {}
        if emulate_tty:
            for stream in pipes:
                masters[stream], pipes[stream] = _open_terminal()
        options: dict[str, Any] = {
            'stdin': asyncio.subprocess.PIPE,
            'stdout': pipes[1],
            'stderr': pipes[2],
        }
        try:
            if shell:
                self._process = await asyncio.create_subprocess_shell(
                    ' '.join(command), cwd=cwd, env=dict(env), **options
                )
            else:
                self._process = await asyncio.create_subprocess_exec(
                    *command, cwd=cwd, env=dict(env), **options
                )
        finally:
            for stream in masters:
                os.close(pipes[stream])
        streams = {1: self._process.stdout, 2: self._process.stderr}
        for stream, reader in streams.items():
            if stream in masters:
                reader = await self._read_terminal(masters[stream])
            assert reader is not None
            self._readers.append(asyncio.create_task(self._pump(stream, reader)))

    async def wait(self) -> int:
        """Wait for its end and for the rest of its output, and return its exit status."""
        assert self._process is not None, 'not started'
        code = await self._process.wait()
        _, pending = await asyncio.wait(self._readers, timeout=LAST_WORDS)
        for reader in pending:
            reader.cancel()
        for transport in self._transports:
            transport.close()
        return code

    def send(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens if it has ended."""
        if self.is_running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it and all of its descendants without asking."""
        if not self.is_running:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            for victim in [*process.children(recursive=True), process]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    victim.kill()

    async def _pump(self, stream: int, reader: asyncio.StreamReader) -> None:
        # A terminal whose other end is closed reads as an error.
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                self._on_output(stream, data)

    async def _read_terminal(self, master: int) -> asyncio.StreamReader:
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(master, 'rb', buffering=0)
        )
        self._transports.append(transport)
        return reader


def _open_terminal() -> tuple[int, int]:
    master, slave = os.openpty()
    tty.setraw(slave)  # line feeds stay line feeds
    return master, slave
