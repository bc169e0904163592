"""One thread that serves all connections of a node."""

from collections.abc import Callable
from contextlib import suppress
import queue
import selectors
import socket
import threading

from sac_core.realtime import prefer

SEND_TIMEOUT = 0.05
"""A peer that takes nothing for so long is given up [s]."""


def tune(link: socket.socket) -> None:
    """Send small messages at once, and never wait long for a peer."""
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    link.settimeout(SEND_TIMEOUT)


class SocketThread:
    """Calls back when something can be read; no two callbacks run at the same time."""

    def __init__(self, name: str, *, priority: int = 0) -> None:
        """Watch nothing yet.

        Args:
            name: Of the thread.
            priority: SCHED_FIFO priority of the thread, where permitted; 0: none.
        """
        self._priority = priority
        self._selector = selectors.DefaultSelector()
        self._changes: queue.SimpleQueue[tuple[socket.socket, Callable[[], None] | None]]
        self._changes = queue.SimpleQueue()
        self._wake, self._woken = socket.socketpair()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.watch(self._woken, self._wake_up)

    def start(self) -> None:
        """Serve from now on."""
        self._thread.start()

    def watch(self, link: socket.socket, ready: Callable[[], None]) -> None:
        """Call `ready` whenever something can be read, from now on."""
        self._change(link, ready)

    def release(self, link: socket.socket) -> None:
        """Stop watching a socket and close it, soon; from any thread."""
        self._change(link, None)

    def hang_up(self, link: socket.socket) -> None:
        """Stop watching a socket and close it; from within a callback only."""
        with suppress(KeyError, ValueError):
            self._selector.unregister(link)
        link.close()

    def close(self) -> None:
        """Stop, and close everything that is watched."""
        self._closed.set()
        self._wake.send(b'x')
        if threading.current_thread() is not self._thread:
            self._thread.join(2.0)
        while not self._changes.empty():
            self._changes.get()[0].close()
        for key in list(self._selector.get_map().values()):
            with suppress(OSError):
                key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()
        self._wake.close()

    def _change(self, link: socket.socket, ready: Callable[[], None] | None) -> None:
        self._changes.put((link, ready))
        with suppress(OSError):
            self._wake.send(b'x')

    def _wake_up(self) -> None:
        self._woken.recv(64)

    def _run(self) -> None:
        if self._priority:
            prefer(self._priority)
        while not self._closed.is_set():
            while not self._changes.empty():
                link, ready = self._changes.get()
                if ready is None:
                    self.hang_up(link)
                else:
                    self._selector.register(link, selectors.EVENT_READ, ready)
            for key, _ in self._selector.select(0.5):
                key.data()
