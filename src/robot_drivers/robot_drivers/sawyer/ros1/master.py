"""The ROS 1 master: a client for the robot's, and a small one for the emulated robot.

The master only tells who publishes what where; messages never pass through it.
Source: wiki.ros.org/ROS/Master_API, wiki.ros.org/ROS/Slave_API.
"""

from collections.abc import Callable
from http.client import HTTPConnection
from socketserver import ThreadingMixIn
import threading
from typing import Any
from urllib.parse import urlparse
from xmlrpc.client import Error as XmlRpcError
from xmlrpc.client import ServerProxy, Transport
from xmlrpc.server import SimpleXMLRPCRequestHandler, SimpleXMLRPCServer

CALL_TIMEOUT = 3.0
"""Longest wait for an answer [s]."""


class MasterError(ConnectionError):
    """The master, or a node it named, did not answer as agreed."""


class _TimedTransport(Transport):
    def make_connection(self, host: Any) -> HTTPConnection:
        connection = super().make_connection(host)
        connection.timeout = CALL_TIMEOUT
        return connection


class _Handler(SimpleXMLRPCRequestHandler):
    rpc_paths = ('/', '/RPC2')
    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = True


class RpcServer(ThreadingMixIn, SimpleXMLRPCServer):
    """An XML-RPC server in its own threads."""

    daemon_threads = True

    def __init__(self, host: str, port: int) -> None:
        """Listen on ``host``; port 0 takes a free one."""
        super().__init__((host, port), _Handler, logRequests=False, allow_none=True)
        self.port = int(self.server_address[1])
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={'poll_interval': 0.05}, name='xmlrpc', daemon=True
        )

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join(2.0)
        self.server_close()


def call(uri: str, method: str, *arguments: Any) -> Any:
    """Call a node or master and return the value of its answer.

    Raises:
        MasterError: No answer, or a refusal.
    """
    try:
        proxy = ServerProxy(uri, transport=_TimedTransport())
        with proxy:
            answer: Any = getattr(proxy, method)(*arguments)
    except (OSError, XmlRpcError) as error:
        raise MasterError(f'{uri} did not answer {method}: {error}') from error
    if not isinstance(answer, list) or len(answer) != 3:
        raise MasterError(f'{uri} answered {method} with {answer!r}, not [code, message, value]')
    code, message, value = answer
    if code != 1:
        raise MasterError(f'{uri} refused {method}: {message}')
    return value


class MasterClient:
    """Registers one node with a master and takes back everything it registered."""

    def __init__(self, uri: str, name: str, node_uri: str) -> None:
        """Say who is asking.

        Args:
            uri: The master, such as ``http://021608CP00013.local:11311``.
            name: Node name with its leading slash.
            node_uri: Where the node's own XML-RPC server listens.
        """
        self.uri = uri
        self._name = name
        self._node_uri = node_uri
        self._undo: list[tuple[str, str]] = []

    def subscribe(self, topic: str, kind: str) -> list[str]:
        """Register a subscriber and return the URIs of all publishers."""
        uris = call(self.uri, 'registerSubscriber', self._name, topic, kind, self._node_uri)
        self._undo.append(('unregisterSubscriber', topic))
        return [str(uri) for uri in uris]

    def advertise(self, topic: str, kind: str) -> None:
        """Register a publisher."""
        call(self.uri, 'registerPublisher', self._name, topic, kind, self._node_uri)
        self._undo.append(('unregisterPublisher', topic))

    def withdraw(self) -> None:
        """Unregister everything, best effort: a stale entry would confuse the next node."""
        while self._undo:
            method, topic = self._undo.pop()
            try:
                call(self.uri, method, self._name, topic, self._node_uri)
            except MasterError:
                return  # the master is gone, and the entries with it


class Master:
    """A master for one emulated robot: registrations, notifications, nothing else."""

    def __init__(self, host: str = '127.0.0.1', port: int = 11311) -> None:
        """Listen; ``start`` begins to answer. Port 0 takes a free one."""
        self._server = RpcServer(host, port)
        self.uri = f'http://{host}:{self._server.port}'
        self._lock = threading.Lock()
        self._types: dict[str, str] = {}
        self._publishers: dict[str, dict[str, str]] = {}
        self._subscribers: dict[str, dict[str, str]] = {}
        methods: dict[str, Callable[..., Any]] = {
            'registerPublisher': self._register_publisher,
            'unregisterPublisher': self._unregister_publisher,
            'registerSubscriber': self._register_subscriber,
            'unregisterSubscriber': self._unregister_subscriber,
            'getPublishedTopics': lambda caller, subgraph: self._ok(list(self._types.items())),
            'getTopicTypes': lambda caller: self._ok(list(self._types.items())),
            'getSystemState': self._system_state,
            'lookupNode': self._lookup,
            'getUri': lambda caller: self._ok(self.uri),
            'getPid': lambda caller: self._ok(1),
        }
        for name, method in methods.items():
            self._server.register_function(method, name)

    def start(self) -> None:
        """Answer from now on."""
        self._server.start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.stop()

    @staticmethod
    def _ok(value: Any) -> list[Any]:
        return [1, 'ok', value]

    def _register_publisher(self, caller: str, topic: str, kind: str, uri: str) -> list[Any]:
        with self._lock:
            self._types[topic] = kind
            self._publishers.setdefault(topic, {})[caller] = uri
            subscribers = list(self._subscribers.get(topic, {}).values())
        self._notify(topic)
        return self._ok(subscribers)

    def _unregister_publisher(self, caller: str, topic: str, uri: str) -> list[Any]:
        with self._lock:
            found = self._publishers.get(topic, {}).pop(caller, None)
        self._notify(topic)
        return self._ok(int(found == uri))

    def _register_subscriber(self, caller: str, topic: str, kind: str, uri: str) -> list[Any]:
        with self._lock:
            self._types.setdefault(topic, kind)
            self._subscribers.setdefault(topic, {})[caller] = uri
            return self._ok(list(self._publishers.get(topic, {}).values()))

    def _unregister_subscriber(self, caller: str, topic: str, uri: str) -> list[Any]:
        with self._lock:
            return self._ok(int(self._subscribers.get(topic, {}).pop(caller, None) == uri))

    def _system_state(self, caller: str) -> list[Any]:
        with self._lock:
            tables = (self._publishers, self._subscribers)
            return self._ok([[[t, list(nodes)] for t, nodes in x.items()] for x in tables] + [[]])

    def _lookup(self, caller: str, node: str) -> list[Any]:
        with self._lock:
            for table in (*self._publishers.values(), *self._subscribers.values()):
                if node in table:
                    return self._ok(table[node])
        return [-1, f'unknown node {node}', '']

    def _notify(self, topic: str) -> None:
        """Tell every subscriber who publishes now; a dead one must not delay the others."""
        with self._lock:
            publishers = list(self._publishers.get(topic, {}).values())
            subscribers = list(self._subscribers.get(topic, {}).values())
        for uri in subscribers:
            threading.Thread(
                target=self._tell, args=(uri, topic, publishers), name='notify', daemon=True
            ).start()

    @staticmethod
    def _tell(uri: str, topic: str, publishers: list[str]) -> None:
        try:
            call(uri, 'publisherUpdate', '/master', topic, publishers)
        except MasterError:
            return  # it will ask again when it comes back


def host_of(uri: str) -> tuple[str, int]:
    """Return host and port of a master's URI.

    Raises:
        ValueError: It is no such URI.
    """
    parts = urlparse(uri)
    if parts.scheme != 'http' or not parts.hostname:
        raise ValueError(f'master URI must look like http://robot.local:11311, got {uri!r}')
    return parts.hostname, parts.port or 11311
