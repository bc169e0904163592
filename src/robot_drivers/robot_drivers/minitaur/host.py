"""The host's end of the link: one UDP socket, what came in, and what was wrong with it."""

from __future__ import annotations

from collections import Counter
import secrets
import select
import socket
import time

from robot_drivers.errors import ConnectionFailedError, NotConnectedError, StaleStateError
from robot_drivers.minitaur.link import Command, decode, encode, LinkError, Mocap, State

OFFSET_DRIFT = 1e-3  # how fast the estimate of the clock offset may rise [s/s]


class HostLink:
    """Sends commands, keeps the newest state and counts everything else. Not thread-safe."""

    def __init__(self, address: tuple[str, int], host_port: int = 0) -> None:
        """Remember addresses; opens nothing.

        Args:
            address: Of the motor controller.
            host_port: Local UDP port; 0 is any.
        """
        self._address = address
        self._host_port = host_port
        self._socket: socket.socket | None = None
        self._session = 0
        self._sequence = 0
        self._last_remote = 0
        self._offset: float | None = None
        self.state: State | None = None
        self.received_at = 0.0  # monotonic time of the newest state [s]
        self.stamp = 0.0  # time.time() when the newest state was measured [s]
        self.mocap: Mocap | None = None
        self.mocap_at = 0.0  # monotonic [s]
        self.counts: Counter[str] = Counter()
        self.last_error = ''

    def open(self) -> None:
        """Open the socket under a fresh session.

        Raises:
            ConnectionFailedError: The local port is taken, or the host unknown.
        """
        self.close()
        channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            channel.bind(('', self._host_port))
            channel.connect(self._address) if self._host_port == 0 else None
        except OSError as error:
            channel.close()
            raise ConnectionFailedError(
                f'cannot open UDP port {self._host_port} towards {self._address}: {error}; '
                'another driver may be running, or the address is wrong'
            ) from error
        channel.setblocking(False)
        self._socket = channel
        self.state, self.mocap = None, None
        self.renew()

    def renew(self) -> None:
        """Begin a new session; the next command must be OFF or RESET."""
        self._session = secrets.randbits(32) or 1
        self._sequence = self._last_remote = 0
        self._offset = None

    def close(self) -> None:
        """Close the socket; may be called twice."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    @property
    def is_open(self) -> bool:
        """Whether `send` can work."""
        return self._socket is not None

    def send(self, command: Command) -> int:
        """Send a command without waiting; return its sequence number.

        Raises:
            NotConnectedError: The link is closed, or the network is down.
        """
        self._sequence += 1
        self._transmit(encode(command, session=self._session, sequence=self._sequence))
        return self._sequence

    def exchange(self, command: Command, *, timeout: float, retries: int) -> State:
        """Send a command and return the state that answers it.

        The same datagram is repeated when no answer comes; a controller in lock-step knows the
        sequence and does not advance twice.

        Raises:
            StaleStateError: No answer to any attempt.
            NotConnectedError: The link is closed, or the network is down.
        """
        self._sequence += 1
        data = encode(command, session=self._session, sequence=self._sequence)
        for attempt in range(retries + 1):
            if attempt:
                self.counts['resent'] += 1
            self._transmit(data)
            deadline = time.monotonic() + timeout
            while (left := deadline - time.monotonic()) > 0:
                if not select.select([self._live], [], [], left)[0]:
                    break
                refused = self.counts['refused']
                self.drain()
                if self.counts['refused'] > refused:
                    time.sleep(min(left, 0.02))  # nobody listens yet
                if self.state is not None and self.state.command_sequence == self._sequence:
                    return self.state
        raise StaleStateError(
            f'motor controller at {self._address[0]}:{self._address[1]} did not answer '
            f'{retries + 1} commands within {timeout} s each'
            + (f'; last refused datagram: {self.last_error}' if self.last_error else '')
            + '; check power, cable and addresses'
        )

    def drain(self) -> None:
        """Take in every datagram that has arrived.

        Raises:
            NotConnectedError: The link is closed.
        """
        channel = self._live
        while True:
            try:
                data = channel.recv(2048)
            except BlockingIOError:
                return
            except ConnectionRefusedError:  # nobody listens at the other end; try again
                self.counts['refused'] += 1
                return
            except OSError as error:
                raise NotConnectedError(f'link to {self._address} broke: {error}') from error
            self._take(data)

    @property
    def age(self) -> float:
        """Since the newest state came in [s]."""
        return time.monotonic() - self.received_at

    @property
    def _live(self) -> socket.socket:
        if self._socket is None:
            raise NotConnectedError('link to the motor controller is closed; connect first')
        return self._socket

    def _transmit(self, data: bytes) -> None:
        channel = self._live
        try:
            if self._host_port == 0:
                channel.send(data)
            else:
                channel.sendto(data, self._address)
        except ConnectionRefusedError:
            self.counts['refused'] += 1
        except BlockingIOError:
            self.counts['not sent'] += 1
        except OSError as error:
            raise NotConnectedError(f'cannot send to {self._address}: {error}') from error
        self.counts['sent'] += 1

    def _take(self, data: bytes) -> None:
        try:
            datagram = decode(data)
        except LinkError as error:
            self.counts['refused datagrams'] += 1
            self.last_error = str(error)
            return
        body = datagram.body
        if isinstance(body, Mocap):
            if self.mocap is None or body.time >= self.mocap.time or self._restarted(body.time):
                self.mocap, self.mocap_at = body, time.monotonic()
            return
        if not isinstance(body, State) or datagram.session != self._session:
            self.counts['foreign'] += 1
            return
        if datagram.sequence <= self._last_remote:
            if datagram.sequence < self._last_remote:
                self.counts['late'] += 1
            return
        if self._last_remote:
            self.counts['lost'] += datagram.sequence - self._last_remote - 1
        self._last_remote = datagram.sequence
        self.counts['received'] += 1
        self._set_state(body)

    def _set_state(self, state: State) -> None:
        """Keep a state, and estimate when it was measured on this host's clock.

        The smallest difference between arrival and the controller's clock is the one with the
        least delay in it.
        """
        now, wall = time.monotonic(), time.time()
        offset = wall - state.time
        if self._offset is None or offset < self._offset or self._restarted(state.time):
            self._offset = offset
        else:
            self._offset = min(offset, self._offset + OFFSET_DRIFT * (now - self.received_at))
        self.state, self.received_at = state, now
        self.stamp = state.time + self._offset

    def _restarted(self, remote: float) -> bool:
        """Whether the controller's clock began anew: it jumped back by more than a second."""
        return self.state is not None and remote < self.state.time - 1.0
