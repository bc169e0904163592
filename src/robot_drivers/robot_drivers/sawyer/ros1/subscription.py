"""A topic that a node listens to, and how it is joined to one of its publishers."""

from collections.abc import Callable
from dataclasses import dataclass, field
import socket
from typing import Any

from robot_drivers.sawyer.ros1.frames import decode_header, encode_header, Frames
from robot_drivers.sawyer.ros1.master import call
from robot_drivers.sawyer.ros1.messages import Message
from robot_drivers.sawyer.ros1.sockets import SEND_TIMEOUT, tune
from robot_drivers.sawyer.ros1.wire import WireError

_CONNECT_TIMEOUT = 2.0


@dataclass
class Subscription:
    """One topic this node listens to."""

    topic: str
    kind: type[Message]
    callback: Callable[[Any], None]
    on_disconnect: Callable[[], None] | None = None
    received: int = 0
    malformed: int = 0
    refusal: str = ''
    """Why the last publisher was not connected; empty if all is well."""
    links: dict[str, socket.socket] = field(default_factory=dict)
    """Connections, by the URI of the publisher."""

    def deliver(self, body: bytes) -> None:
        """Hand a message over.

        Raises:
            WireError: The bytes are no such message.
        """
        self.received += 1
        self.callback(self.kind.decode(body))

    def connect(self, uri: str, caller: str) -> tuple[socket.socket, Frames, list[bytes]]:
        """Connect to one publisher.

        Args:
            uri: Of the publisher's own server.
            caller: Name of the node that listens.

        Returns:
            The accepted link, its framing and messages that came with the answer.

        Raises:
            MasterError: The publisher did not say where to connect.
            WireError: It is of another type, or does not speak TCPROS.
            OSError: There is no connection.
        """
        where = call(uri, 'requestTopic', caller, self.topic, [['TCPROS']])
        if not isinstance(where, list) or len(where) != 3 or where[0] != 'TCPROS':
            raise WireError(f'offered {where!r} instead of a TCPROS address')
        link = socket.create_connection((where[1], int(where[2])), _CONNECT_TIMEOUT)
        try:
            tune(link)
            link.settimeout(_CONNECT_TIMEOUT)
            frames, whole = self._shake_hands(link, caller)
        except BaseException:
            link.close()
            raise
        link.settimeout(SEND_TIMEOUT)
        return link, frames, whole

    def _shake_hands(self, link: socket.socket, caller: str) -> tuple[Frames, list[bytes]]:
        fields = {
            'callerid': caller,
            'topic': self.topic,
            'type': self.kind.TYPE,
            'md5sum': self.kind.MD5,
            'tcp_nodelay': '1',
        }
        link.sendall(encode_header(fields))
        frames = Frames()
        whole: list[bytes] = []
        while not whole:
            data = link.recv(65536)
            if not data:
                raise WireError('hung up during the handshake')
            whole.extend(frames.feed(data))
        reply = decode_header(whole.pop(0))
        if 'error' in reply:
            raise WireError(reply['error'])
        if reply.get('md5sum') not in ('*', self.kind.MD5):
            raise WireError(
                f'sends {reply.get("type")} with md5sum {reply.get("md5sum")}, expected '
                f'{self.kind.TYPE} with {self.kind.MD5}'
            )
        return frames, whole
