"""A ROS 1 node in plain Python: it finds its peers through a master and streams over TCP.

Every connection is served by one thread, so callbacks of a node never run at the same time. A
subscriber connects to every publisher of its topic; the robot has several for its joint states.
Source: wiki.ros.org/ROS/TCPROS.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
import os
import queue
import selectors
import socket
import struct
import threading
from typing import Any, TypeVar

from robot_drivers.realtime import prefer
from robot_drivers.sawyer.messages import Message
from robot_drivers.sawyer.rosmaster import call, host_of, MasterClient, MasterError, RpcServer
from robot_drivers.sawyer.wire import WireError

_UINT32 = struct.Struct('<I')
_LARGEST_FRAME = 1 << 24
_SEND_TIMEOUT = 0.05  # a peer that takes nothing for so long is given up
_CONNECT_TIMEOUT = 2.0

MessageT = TypeVar('MessageT', bound=Message)
Link = Callable[[bytes], None]


def encode_header(fields: Mapping[str, str]) -> bytes:
    """Return a connection header, its total length in front."""
    parts = [f'{key}={value}'.encode() for key, value in fields.items()]
    body = b''.join(_UINT32.pack(len(part)) + part for part in parts)
    return _UINT32.pack(len(body)) + body


def decode_header(body: bytes) -> dict[str, str]:
    """Read a connection header without its total length.

    Raises:
        WireError: It is none.
    """
    fields: dict[str, str] = {}
    at = 0
    while at < len(body):
        if at + 4 > len(body):
            raise WireError('connection header ends within a length')
        (size,) = _UINT32.unpack_from(body, at)
        part = body[at + 4 : at + 4 + size]
        if len(part) != size or b'=' not in part:
            raise WireError(f'connection header holds {part!r}, not key=value')
        key, _, value = part.decode(errors='replace').partition('=')
        fields[key] = value
        at += 4 + size
    return fields


class Frames:
    """Cuts a byte stream into length-prefixed frames."""

    def __init__(self) -> None:
        """Start with nothing received."""
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take received bytes and yield every frame that is whole.

        Raises:
            WireError: A frame claims to be too large, so the stream is out of step.
        """
        self._buffer += data
        while len(self._buffer) >= 4:
            (size,) = _UINT32.unpack_from(self._buffer)
            if size > _LARGEST_FRAME:
                raise WireError(f'frame of {size} bytes, at most {_LARGEST_FRAME} are allowed')
            if len(self._buffer) < 4 + size:
                return
            frame = bytes(self._buffer[4 : 4 + size])
            del self._buffer[: 4 + size]
            yield frame


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
        body = message.encode()
        frame = _UINT32.pack(len(body)) + body
        with self._lock:
            self._last = frame
            for link in tuple(self._links):
                self._send(link, frame)

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


class Node:
    """Publishes and subscribes as one ROS 1 node."""

    def __init__(self, name: str, master_uri: str, host: str = '', *, priority: int = 0) -> None:
        """Open the node's own servers; nothing is registered yet.

        Args:
            name: Node name with its leading slash; the process id makes it unique.
            master_uri: Such as ``http://robot.local:11311``.
            host: Address under which peers reach this node; found by routing if empty.
            priority: SCHED_FIFO priority of the thread of the connections, where permitted;
                0: none.

        Raises:
            ValueError: The URI is none.
            OSError: There is no route to the master.
        """
        self.name = f'{name}_{os.getpid()}'
        self._priority = priority
        self._host = host or _own_address(*host_of(master_uri))
        self._rpc = RpcServer(self._host, 0)
        self.uri = f'http://{self._host}:{self._rpc.port}/'
        self.master = MasterClient(master_uri, self.name, self.uri)
        self._publications: dict[str, Publication] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._lock = threading.RLock()
        self._selector = selectors.DefaultSelector()
        self._changes: queue.SimpleQueue[tuple[socket.socket, Callable[[], None] | None]]
        self._changes = queue.SimpleQueue()
        self._wake, self._woken = socket.socketpair()
        self._listener = socket.create_server((self._host, 0))
        self._closed = threading.Event()
        methods: dict[str, Callable[..., Any]] = {
            'requestTopic': self._request_topic,
            'publisherUpdate': self._publisher_update,
            'getPid': lambda caller: [1, 'ok', os.getpid()],
            'getBusInfo': lambda caller: [1, 'ok', []],
            'getMasterUri': lambda caller: [1, 'ok', master_uri],
        }
        for method, function in methods.items():
            self._rpc.register_function(function, method)
        self._serve(self._listener, self._accept)
        self._serve(self._woken, self._wake_up)
        self._thread = threading.Thread(target=self._run, name=f'{name} io', daemon=True)
        self._rpc.start()
        self._thread.start()

    def advertise(
        self,
        topic: str,
        kind: type[Message],
        *,
        latched: bool = False,
        on_connect: Callable[[], None] | None = None,
        on_disconnect: Callable[[], None] | None = None,
    ) -> Publication:
        """Publish a topic from now on.

        Raises:
            MasterError: The master did not accept it.
        """
        publication = Publication(topic, kind, latched, on_connect, on_disconnect)
        with self._lock:
            self._publications[topic] = publication
        self.master.advertise(topic, kind.TYPE)
        return publication

    def subscribe(
        self,
        topic: str,
        kind: type[MessageT],
        callback: Callable[[MessageT], None],
        on_disconnect: Callable[[], None] | None = None,
    ) -> Subscription:
        """Listen to a topic; the callback runs in the node's thread.

        Raises:
            MasterError: The master did not accept it.
        """
        subscription = Subscription(topic, kind, callback, on_disconnect)
        with self._lock:
            self._subscriptions[topic] = subscription
        self._connect_all(subscription, self.master.subscribe(topic, kind.TYPE))
        return subscription

    def close(self) -> None:
        """Unregister, hang up; may be called twice."""
        if self._closed.is_set():
            return
        self.master.withdraw()
        self._closed.set()
        self._wake.send(b'x')
        if threading.current_thread() is not self._thread:
            self._thread.join(2.0)
        self._rpc.stop()
        for key in list(self._selector.get_map().values()):
            with suppress(OSError):
                key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()
        self._wake.close()

    # What other nodes may call.

    def _request_topic(self, caller: str, topic: str, protocols: list[list[Any]]) -> list[Any]:
        if topic not in self._publications:
            return [0, f'{self.name} does not publish {topic}', []]
        if not any(protocol and protocol[0] == 'TCPROS' for protocol in protocols):
            return [0, f'only TCPROS is spoken, not {protocols}', []]
        return [1, 'ready', ['TCPROS', self._host, self._listener.getsockname()[1]]]

    def _publisher_update(self, caller: str, topic: str, publishers: list[str]) -> list[Any]:
        with self._lock:
            subscription = self._subscriptions.get(topic)
        if subscription is not None and not self._closed.is_set():
            self._connect_all(subscription, publishers)
        return [1, 'ok', 0]

    # The thread that serves all connections.

    def _serve(self, link: socket.socket, ready: Callable[[], None] | None) -> None:
        """Watch a socket, or stop watching and close it if ``ready`` is None."""
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
                    self._hang_up(link)
                else:
                    self._selector.register(link, selectors.EVENT_READ, ready)
            for key, _ in self._selector.select(0.5):
                key.data()

    def _hang_up(self, link: socket.socket) -> None:
        with suppress(KeyError, ValueError):
            self._selector.unregister(link)
        link.close()

    def _accept(self) -> None:
        link, _ = self._listener.accept()
        _tune(link)
        frames = Frames()
        peer: list[Publication] = []

        def ready() -> None:
            try:
                data = link.recv(65536)
                for frame in frames.feed(data):
                    if not peer:
                        peer.append(self._welcome(link, decode_header(frame)))
            except (OSError, WireError):
                data = b''
            if not data:
                self._hang_up(link)
                for publication in peer:
                    publication.detach(link)

        self._selector.register(link, selectors.EVENT_READ, ready)

    def _welcome(self, link: socket.socket, fields: dict[str, str]) -> Publication:
        """Answer a subscriber's header, or refuse it and raise WireError."""
        publication = self._publications.get(fields.get('topic', ''))
        wanted = fields.get('md5sum', '')
        refusal = ''
        if publication is None:
            refusal = f'{self.name} does not publish {fields.get("topic")}'
        elif wanted not in ('*', publication.kind.MD5):
            refusal = (
                f'{publication.topic} is {publication.kind.TYPE} with md5sum '
                f'{publication.kind.MD5}, not {fields.get("type")} with {wanted}'
            )
        if publication is None or refusal:
            with suppress(OSError):
                link.sendall(encode_header({'error': refusal}))
            raise WireError(refusal)
        reply = {
            'callerid': self.name,
            'topic': publication.topic,
            'type': publication.kind.TYPE,
            'md5sum': publication.kind.MD5,
            'latching': str(int(publication.latched)),
        }
        publication.attach(link, encode_header(reply))
        return publication

    # Connecting to publishers happens in short-lived threads: a dead one takes seconds.

    def _connect_all(self, subscription: Subscription, uris: list[str]) -> None:
        with self._lock:
            known = set(subscription.links)
            for uri in known - set(uris):
                self._serve(subscription.links.pop(uri), None)
        for uri in set(uris) - known:
            threading.Thread(
                target=self._connect, args=(subscription, uri), name='connect', daemon=True
            ).start()

    def _connect(self, subscription: Subscription, uri: str) -> None:
        try:
            link, frames, rest = self._handshake(subscription, uri)
        except (OSError, MasterError, WireError) as error:
            subscription.refusal = f'{subscription.topic} from {uri}: {error}'
            return
        with self._lock:
            if uri in subscription.links or self._closed.is_set():
                link.close()
                return
            subscription.links[uri] = link
            subscription.refusal = ''

        def deliver(body: bytes) -> None:
            subscription.received += 1
            subscription.callback(subscription.kind.decode(body))

        def ready(data: bytes | None = None) -> None:
            try:
                received = link.recv(65536)
                for frame in frames.feed(received):
                    deliver(frame)
            except WireError:
                subscription.malformed += 1
                received = b''
            except OSError:
                received = b''
            if not received:
                self._hang_up(link)
                with self._lock:
                    if subscription.links.get(uri) is link:
                        del subscription.links[uri]
                if subscription.on_disconnect and not self._closed.is_set():
                    subscription.on_disconnect()

        for body in rest:
            with suppress(WireError):
                deliver(body)
        self._serve(link, ready)

    def _handshake(
        self, subscription: Subscription, uri: str
    ) -> tuple[socket.socket, Frames, list[bytes]]:
        """Return the accepted link, its framing and messages that came with the answer."""
        where = call(uri, 'requestTopic', self.name, subscription.topic, [['TCPROS']])
        if not isinstance(where, list) or len(where) != 3 or where[0] != 'TCPROS':
            raise WireError(f'offered {where!r} instead of a TCPROS address')
        link = socket.create_connection((where[1], int(where[2])), _CONNECT_TIMEOUT)
        try:
            _tune(link)
            fields = {
                'callerid': self.name,
                'topic': subscription.topic,
                'type': subscription.kind.TYPE,
                'md5sum': subscription.kind.MD5,
                'tcp_nodelay': '1',
            }
            link.settimeout(_CONNECT_TIMEOUT)
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
            if reply.get('md5sum') not in ('*', subscription.kind.MD5):
                raise WireError(
                    f'sends {reply.get("type")} with md5sum {reply.get("md5sum")}, expected '
                    f'{subscription.kind.TYPE} with {subscription.kind.MD5}'
                )
        except BaseException:
            link.close()
            raise
        link.settimeout(_SEND_TIMEOUT)
        return link, frames, whole


def _tune(link: socket.socket) -> None:
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    link.settimeout(_SEND_TIMEOUT)


def _own_address(host: str, port: int) -> str:
    """Return the address from which this machine reaches ``host``, so that it can call back."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, port))
        return str(probe.getsockname()[0])
