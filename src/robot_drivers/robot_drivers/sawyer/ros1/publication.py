"""A topic that a node publishes, and the peers that listen to it."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
import socket
import threading

from robot_drivers.sawyer.ros1.frames import frame
from robot_drivers.sawyer.ros1.messages import Message
from robot_drivers.sawyer.ros1.wire import WireError


@dataclass
class Publication:
    """One topic this node publishes."""

    topic: str
    kind: type[Message]
    latched: bool
    on_connect: Callable[[], None] | None = None
    on_disconnect: Callable[[], None] | None = None
    dropped: int = 0
    """Peers given up because they took nothing."""
    _links: list[socket.socket] = field(default_factory=list)
    _last: bytes | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def subscribers(self) -> int:
        """Connected peers."""
        return len(self._links)

    def publish(self, message: Message) -> None:
        """Send a message to every peer."""
        data = frame(message.encode())
        with self._lock:
            self._last = data
            for link in tuple(self._links):
                self._send(link, data)

    def reply(self, header: Mapping[str, str], caller: str) -> dict[str, str]:
        """Return the answer to a subscriber's connection header.

        Args:
            header: Its fields.
            caller: Name of the node that answers.

        Raises:
            WireError: It expects another type.
        """
        wanted = header.get('md5sum', '')
        if wanted not in ('*', self.kind.MD5):
            raise WireError(
                f'{self.topic} is {self.kind.TYPE} with md5sum {self.kind.MD5}, not '
                f'{header.get("type")} with {wanted}'
            )
        return {
            'callerid': caller,
            'topic': self.topic,
            'type': self.kind.TYPE,
            'md5sum': self.kind.MD5,
            'latching': str(int(self.latched)),
        }

    def attach(self, link: socket.socket, reply: bytes) -> None:
        """Take on a peer whose header was accepted; it gets the last message if latched."""
        with self._lock:
            self._send(link, reply)
            self._links.append(link)
            if self.latched and self._last is not None:
                self._send(link, self._last)
        if self.on_connect:
            self.on_connect()

    def detach(self, link: socket.socket) -> None:
        """Forget a peer."""
        with self._lock:
            if link not in self._links:
                return
            self._links.remove(link)
        if self.on_disconnect:
            self.on_disconnect()

    def _send(self, link: socket.socket, data: bytes) -> None:
        try:
            link.sendall(data)
        except OSError:
            self.dropped += 1
            with suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)  # the serving thread sees it and detaches
