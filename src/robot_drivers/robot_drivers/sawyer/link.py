"""The driver's end of the wire: the newest states of the robot, and what may be sent to it."""

from __future__ import annotations

from collections.abc import Callable
import threading
import time

import numpy as np

from robot_drivers.errors import ConnectionFailedError, NotConnectedError, StaleStateError
from robot_drivers.sawyer import topics
from robot_drivers.sawyer.description import Array, JOINT_NAMES
from robot_drivers.sawyer.messages import EndpointState, JointCommand, RobotAssemblyState
from robot_drivers.sawyer.ros1.master import MasterError
from robot_drivers.sawyer.ros1.messages import Bool, Empty, Float64, Header, JointState, Message
from robot_drivers.sawyer.ros1.node import Node

_POLL = 0.01  # [s]
_CATCH_UP = 0.005  # the thread of the connections needs far less for what has arrived [s]


class SawyerLink:
    """All topics of one robot; states arrive in the node's thread.

    Attributes:
        joints: Newest joint states that hold the whole arm.
        endpoint: Newest state of the hand.
        assembly: Newest state of the whole robot.
    """

    def __init__(self, node: Node) -> None:
        """Register all topics.

        Raises:
            MasterError: The master did not accept them.
        """
        self.joints: JointState | None = None
        self.endpoint: EndpointState | None = None
        self.assembly: RobotAssemblyState | None = None
        self.arrivals = dict.fromkeys(('joints', 'endpoint', 'assembly'), -np.inf)
        self.offset = np.inf
        """Smallest seen host time minus robot time [s]."""
        self._node = node
        self._fresh = threading.Condition()
        self._sequence = 0
        self._order: dict[tuple[str, ...], Array] = {}
        self._commands = node.advertise(topics.JOINT_COMMAND, JointCommand)
        self._timeout = node.advertise(topics.JOINT_COMMAND_TIMEOUT, Float64, latched=True)
        self._enable = node.advertise(topics.ENABLE, Bool)
        self._reset = node.advertise(topics.RESET, Empty)
        self._subscriptions = (
            node.subscribe(topics.ROBOT_STATE, RobotAssemblyState, self._on_assembly),
            node.subscribe(topics.ENDPOINT_STATE, EndpointState, self._on_endpoint),
            node.subscribe(topics.JOINT_STATES, JointState, self._on_joints),
        )

    @classmethod
    def open(cls, uri: str, host: str, timeout: float, *, priority: int = 0) -> SawyerLink:
        """Connect every topic and wait for a first state of each.

        Args:
            uri: Of the robot's master.
            host: Our address as the robot sees it; empty: found by routing.
            timeout: [s].
            priority: SCHED_FIFO priority of the thread in which states arrive; 0: none.

        Raises:
            ConnectionFailedError: Something is missing; the text says what.
        """
        try:
            node = Node('/sac_sawyer_driver', uri, host, priority=priority)
        except (OSError, ValueError) as error:
            raise ConnectionFailedError(f'no way to the robot at {uri!r}: {error}') from error
        try:
            link = cls(node)
            link.wait(link.complete, timeout)
            missing = link.missing()
        except MasterError as error:
            missing = str(error)
        except BaseException:
            node.close()
            raise
        if missing:
            node.close()
            raise ConnectionFailedError(
                f'robot at {uri} is not complete after {timeout} s: {missing}. Is it on, does '
                f'its name resolve here, and can it reach {node.uri}?'
            )
        return link

    def complete(self) -> bool:
        """Say whether all topics are connected and every state came once."""
        return not self.missing()

    def missing(self) -> str:
        """Return what is not there, empty if nothing."""
        refused = [s.refusal for s in self._subscriptions if s.refusal]
        if refused:
            return '; '.join(refused)
        states = {'joints': self.joints, 'endpoint': self.endpoint, 'assembly': self.assembly}
        parts = [f'no {name} state' for name, state in states.items() if state is None]
        publications = (self._commands, self._timeout, self._enable, self._reset)
        parts += [f'nobody listens to {p.topic}' for p in publications if not p.subscribers]
        return ', '.join(parts)

    def connected(self) -> bool:
        """Say whether the streams that matter are up."""
        streams = all(subscription.links for subscription in self._subscriptions)
        return streams and self._commands.subscribers > 0

    @property
    def condition(self) -> str:
        """The robot's condition in words."""
        return 'unknown' if self.assembly is None else self.assembly.describe()

    def wait(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait until a condition on the states holds; return whether it does [s]."""
        deadline = time.monotonic() + timeout
        with self._fresh:
            while not condition():
                left = deadline - time.monotonic()
                if left <= 0.0:
                    return False
                self._fresh.wait(min(left, _POLL))
        return True

    def age(self, kind: str) -> float:
        """Return how long ago joints, endpoint or assembly arrived [s]."""
        return time.monotonic() - self.arrivals[kind]

    def is_stale(self, kind: str, limit: float) -> bool:
        """Say whether nothing of a kind came for longer than a limit [s].

        After this process itself was halted, states wait in the socket: they count.
        """
        return self.age(kind) > limit and not self.wait(lambda: self.age(kind) <= limit, _CATCH_UP)

    def snapshot(self) -> tuple[JointState, EndpointState, RobotAssemblyState]:
        """Return the newest states.

        Raises:
            NotConnectedError: The robot hung up.
        """
        with self._fresh:
            joints, endpoint, assembly = self.joints, self.endpoint, self.assembly
        if joints is None or endpoint is None or assembly is None or not self.connected():
            raise NotConnectedError('the robot hung up; check its power and network')
        return joints, endpoint, assembly

    def arm(self, joints: JointState) -> tuple[Array, Array, Array]:
        """Return positions, velocities and efforts of j0..j6, whatever else the message holds."""
        order = self._order.get(joints.name)
        if order is None:
            order = np.array([joints.name.index(name) for name in JOINT_NAMES])
            self._order[joints.name] = order
        return joints.position[order], joints.velocity[order], joints.effort[order]

    def send_torque(self, torque: Array) -> None:
        """Send torques [Nm], shape (7,), to be added to gravity compensation."""
        self._commands.publish(
            JointCommand(self._header(), JointCommand.TORQUE, JOINT_NAMES, effort=torque)
        )

    def send_position(self, position: Array) -> None:
        """Send positions [rad], shape (7,)."""
        self._commands.publish(
            JointCommand(self._header(), JointCommand.POSITION, JOINT_NAMES, position=position)
        )

    def set_timeout(self, seconds: float) -> None:
        """Tell the robot how long a command lasts; latched, so a restarted robot hears it too."""
        self._timeout.publish(Float64(seconds))

    def enable(self, on: bool) -> None:
        """Ask once for motors on or off."""
        self._enable.publish(Bool(on))

    def reset(self) -> None:
        """Ask once to clear a stop."""
        self._reset.publish(Empty())

    def advanced(self, stamp: float, timeout: float) -> None:
        """Wait for joints and endpoint newer than ``stamp`` [s].

        Raises:
            StaleStateError: They did not come.
            NotConnectedError: The robot hung up.
        """

        def newer() -> bool:
            joints, endpoint = self.joints, self.endpoint
            return bool(
                joints is not None
                and endpoint is not None
                and min(joints.header.stamp, endpoint.header.stamp) > stamp
            )

        deadline = time.monotonic() + timeout
        while not self.wait(newer, min(0.2, timeout)):
            if not self.connected():
                raise NotConnectedError('the robot hung up; check its power and network')
            if time.monotonic() > deadline:
                raise StaleStateError(f'no answer to a command within {timeout} s')

    def health(self) -> dict[str, float | int | str]:
        """Return counters for diagnostics."""
        names = ('robot state', 'endpoint state', 'joint states')
        values: dict[str, float | int | str] = {}
        for name, subscription in zip(names, self._subscriptions, strict=True):
            values[f'{name} received'] = subscription.received
            values[f'{name} malformed'] = subscription.malformed
            values[f'{name} publishers'] = len(subscription.links)
        values['robot clock offset [s]'] = self.offset
        values['peers dropped'] = self._commands.dropped
        return values

    def close(self) -> None:
        """Unregister and hang up."""
        self._node.close()

    def _header(self) -> Header:
        self._sequence += 1
        return Header(self._sequence, time.time())

    def _on_joints(self, message: JointState) -> None:
        if not set(JOINT_NAMES) <= set(message.name):
            return  # of the gripper or the head
        arrays = (message.position, message.velocity, message.effort)
        if any(len(array) != len(message.name) for array in arrays):
            return
        self.offset = min(self.offset, time.time() - message.header.stamp)
        self._store('joints', message)

    def _on_endpoint(self, message: EndpointState) -> None:
        self._store('endpoint', message)

    def _on_assembly(self, message: RobotAssemblyState) -> None:
        self._store('assembly', message)

    def _store(self, kind: str, message: Message) -> None:
        with self._fresh:
            setattr(self, kind, message)
            self.arrivals[kind] = time.monotonic()
            self._fresh.notify_all()
