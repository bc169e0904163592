"""Puts the emulated bus where the real SDK looks for it: behind a pseudo-terminal.

``PATH`` is a link to the pseudo-terminal, ``PATH.ctl`` a socket that takes one command per line
(see ``Console``), ``PATH.camera`` one that answers image requests (see ``dclaw.camera``).
"""

from __future__ import annotations

from collections.abc import Callable
import contextlib
import os
from pathlib import Path
import pty
import select
import selectors
import socket
import time
import tty

from robot_drivers.dclaw.camera import encode_image, parse_request
from robot_drivers.dclaw.emulator.bus import EmulatedBus
from robot_drivers.dclaw.emulator.console import Console

WATCH_PERIOD = 0.002  # [s] wall clock: how finely time passes
FRAME = 1 / 30  # [s] between two pictures in a window
QUIET = 0.3  # [s] without a packet: no driver is there any more
PATIENCE = 2.0  # [s] with one that does not end
CATCH_UP = 0.05  # [s] wall clock: what a busy machine may lose of the past

Reader = Callable[[], None]


class Server:
    """Serves one hand until asked to stop; everything happens in the thread of ``serve``."""

    def __init__(
        self, bus: EmulatedBus, link: Path, show: Callable[[], None] | None = None
    ) -> None:
        """Open the pseudo-terminal and the sockets; ``show`` is called for every frame to see.

        Raises:
            ValueError: ``link`` exists and is no link, or is too long for a socket's name.
        """
        if len(str(link)) > 95:
            raise ValueError(f'{link} is too long for a socket; take at most 95 characters')
        if link.exists() and not link.is_symlink():
            raise ValueError(f'{link} exists and is no link; choose another path or remove it')
        self.bus = bus
        self.link = link
        self.console = Console(self)
        self.running = True
        self._show = show
        self._shown = 0.0
        self._stopping = 0.0  # since when [s], 0: not
        self._selector = selectors.DefaultSelector()
        self._sockets = [
            self._listen(Path(f'{link}.ctl'), self._on_console),
            self._listen(Path(f'{link}.camera'), self._on_camera),
        ]
        self._master = self._slave = -1
        self.plug()

    def plug(self) -> None:
        """Make the serial device appear."""
        if self._master >= 0:
            return
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)  # keep it open: else the master reads EIO between two drivers
        os.set_blocking(self._master, False)
        self._selector.register(self._master, selectors.EVENT_READ, self._on_bus)
        temporary = self.link.with_name(self.link.name + '.new')
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(os.ttyname(self._slave))
        temporary.replace(self.link)

    def unplug(self) -> None:
        """Make the serial device vanish, as if the cable was pulled."""
        if self._master < 0:
            return
        self._selector.unregister(self._master)
        os.close(self._master)
        os.close(self._slave)
        self._master = self._slave = -1
        self.link.unlink(missing_ok=True)

    def serve(self) -> None:
        """Answer until ``running`` is false."""
        wall = not self.bus.lockstep
        physics = self.bus.bank.physics
        step = float(physics.model.opt.timestep)
        last = time.monotonic()
        poll = select.poll()  # the bus alone: cheaper than the selector
        while self.running:
            if self._master >= 0 and not wall:
                poll.register(self._master, select.POLLIN)
                ready = poll.poll(1)
                poll.unregister(self._master)
                if ready:
                    self._on_bus()
                    if time.monotonic() - last < 0.01:
                        continue  # look at the sockets now and then, not every cycle
                last = time.monotonic()
                timeout = 0.0
            else:
                timeout = WATCH_PERIOD
            for key, _ in self._selector.select(timeout):
                key.data()
            self._pass_time()
            if wall:
                now = time.monotonic()
                last = max(last, now - CATCH_UP)
                steps = int((now - last) / step)
                if steps:
                    self.bus.bank.advance(steps)
                    last += steps * step
                tripped = self.bus.bank.watch(now - self.bus.last_packet)
                self.console.tripped += [(servo_id, now) for servo_id in tripped]

    def stop(self) -> None:
        """End when the driver, told to end at the same time, has let the hand go limp."""
        if self._stopping:
            self.running = False
        self._stopping = self._stopping or time.monotonic()

    def _pass_time(self) -> None:
        now = time.monotonic()
        if self._show is not None and now - self._shown > FRAME:
            self._shown = now
            self._show()
        quiet = now - self.bus.last_packet > QUIET
        if self._stopping and (quiet or now - self._stopping > PATIENCE):
            self.running = False

    def close(self) -> None:
        """Remove everything from the file system."""
        self.unplug()
        for item in self._sockets:
            Path(item.getsockname()).unlink(missing_ok=True)
            item.close()
        self._selector.close()
        self.bus.bank.physics.cameras.close()

    def _on_bus(self) -> None:
        try:
            data = os.read(self._master, 4096)
        except (BlockingIOError, OSError):
            return
        answer = self.bus.feed(data)
        while answer:
            try:
                answer = answer[os.write(self._master, answer) :]
            except BlockingIOError:  # nobody reads: a real bus does not wait either
                return

    def _listen(self, path: Path, serve: Callable[[bytes], bytes]) -> socket.socket:
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()
        listener.setblocking(False)
        self._selector.register(
            listener, selectors.EVENT_READ, lambda: self._on_client(listener, serve)
        )
        return listener

    def _on_client(self, listener: socket.socket, serve: Callable[[bytes], bytes]) -> None:
        client, _ = listener.accept()
        client.settimeout(1.0)
        rest = bytearray()

        def answer() -> None:
            try:
                data = client.recv(4096)
                rest.extend(data)
                while data and b'\n' in rest:
                    line, _, left = bytes(rest).partition(b'\n')
                    rest[:] = left
                    client.sendall(serve(line))
            except OSError:
                data = b''
            if not data or len(rest) > 4096:
                with contextlib.suppress(KeyError):
                    self._selector.unregister(client)
                client.close()

        self._selector.register(client, selectors.EVENT_READ, answer)

    def _on_console(self, line: bytes) -> bytes:
        return self.console.execute(line.decode(errors='replace')).encode() + b'\n'

    def _on_camera(self, line: bytes) -> bytes:
        physics = self.bus.bank.physics
        try:
            camera, height, width = parse_request(line)
            return encode_image(physics.render(camera, height, width), physics.time)
        except ValueError as error:
            return encode_image(None, physics.time, str(error))
