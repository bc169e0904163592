"""A ROS 1 node in plain Python: it finds its peers through a master and streams over TCP.

Every connection is served by one thread, so callbacks of a node never run at the same time. A
subscriber connects to every publisher of its topic; the robot has several for its joint states.
Source: wiki.ros.org/ROS/TCPROS.
"""

from collections.abc import Callable
from contextlib import suppress
import os
import socket
import threading
from typing import Any, TypeVar

from robot_drivers.sawyer.ros1.frames import decode_header, encode_header, Frames
from robot_drivers.sawyer.ros1.master import host_of, MasterClient, MasterError, RpcServer
from robot_drivers.sawyer.ros1.messages import Message
from robot_drivers.sawyer.ros1.publication import Publication
from robot_drivers.sawyer.ros1.sockets import SocketThread, tune
from robot_drivers.sawyer.ros1.subscription import Subscription
from robot_drivers.sawyer.ros1.wire import WireError

MessageT = TypeVar('MessageT', bound=Message)


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
        self._host = host or _own_address(*host_of(master_uri))
        self._rpc = RpcServer(self._host, 0)
        self.uri = f'http://{self._host}:{self._rpc.port}/'
        self.master = MasterClient(master_uri, self.name, self.uri)
        self._publications: dict[str, Publication] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._lock = threading.RLock()
        self._sockets = SocketThread(f'{name} io', priority=priority)
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
        self._sockets.watch(self._listener, self._accept)
        self._rpc.start()
        self._sockets.start()

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
        self._sockets.close()
        self._rpc.stop()

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

    # Subscribers come to us.

    def _accept(self) -> None:
        link, _ = self._listener.accept()
        tune(link)
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
                self._sockets.hang_up(link)
                for publication in peer:
                    publication.detach(link)

        self._sockets.watch(link, ready)

    def _welcome(self, link: socket.socket, fields: dict[str, str]) -> Publication:
        """Answer a subscriber's header, or refuse it and raise WireError."""
        topic = fields.get('topic', '')
        try:
            if topic not in self._publications:
                raise WireError(f'{self.name} does not publish {topic}')
            publication = self._publications[topic]
            reply = publication.reply(fields, self.name)
        except WireError as refusal:
            with suppress(OSError):
                link.sendall(encode_header({'error': str(refusal)}))
            raise
        publication.attach(link, encode_header(reply))
        return publication

    # We go to publishers, in short-lived threads: a dead one takes seconds.

    def _connect_all(self, subscription: Subscription, uris: list[str]) -> None:
        with self._lock:
            known = set(subscription.links)
            for uri in known - set(uris):
                self._sockets.release(subscription.links.pop(uri))
        for uri in set(uris) - known:
            threading.Thread(
                target=self._connect, args=(subscription, uri), name='connect', daemon=True
            ).start()

    def _connect(self, subscription: Subscription, uri: str) -> None:
        try:
            link, frames, rest = subscription.connect(uri, self.name)
        except (OSError, MasterError, WireError) as error:
            subscription.refusal = f'{subscription.topic} from {uri}: {error}'
            return
        with self._lock:
            if uri in subscription.links or self._closed.is_set():
                link.close()
                return
            subscription.links[uri] = link
            subscription.refusal = ''

        def ready() -> None:
            try:
                received = link.recv(65536)
                for frame in frames.feed(received):
                    subscription.deliver(frame)
            except WireError:
                subscription.malformed += 1
                received = b''
            except OSError:
                received = b''
            if not received:
                self._sockets.hang_up(link)
                with self._lock:
                    if subscription.links.get(uri) is link:
                        del subscription.links[uri]
                if subscription.on_disconnect and not self._closed.is_set():
                    subscription.on_disconnect()

        for body in rest:
            with suppress(WireError):
                subscription.deliver(body)
        self._sockets.watch(link, ready)


def _own_address(host: str, port: int) -> str:
    """Return the address from which this machine reaches ``host``, so that it can call back."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, port))
        return str(probe.getsockname()[0])
