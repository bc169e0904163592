"""Sawyer as a robot of the driver node: torques of the policy, sent faster than it thinks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
import time
from typing import Any

import numpy as np

from robot_drivers.errors import (
    ConnectionFailedError,
    EstopError,
    MotorFaultError,
    NotConnectedError,
    NotEnabledError,
    ResetFailedError,
    RobotError,
    StaleStateError,
)
from robot_drivers.robot import Connection, Pose, Robot, RobotState
from robot_drivers.sawyer.actuator import Actuator
from robot_drivers.sawyer.config import SawyerConfig
from robot_drivers.sawyer.description import Array
from robot_drivers.sawyer.kinematics import forward
from robot_drivers.sawyer.link import SawyerLink
from robot_drivers.sawyer.messages import EndpointState, RobotAssemblyState
from robot_drivers.sawyer.quaternion import quaternion
from robot_drivers.sawyer.reset import ResetWay
from robot_drivers.sawyer.ros1.messages import JointState
from robot_drivers.sawyer.start import start_positions

_REPEAT = 0.05  # enabling is asked for again so often [s], as the vendor's tool does
_LIMP_TRIES = 3


class SawyerRobot(Robot):
    """One arm behind its ROS 1 master.

    Between two policy torques the driver repeats the last one at the publish rate, or replaces it
    by what protects the arm. A policy that falls silent is followed by damping, then by holding
    the position; a driver that falls silent by the robot's own time-out.
    """

    def __init__(self, config: SawyerConfig, connection: Connection) -> None:
        """Open nothing yet."""
        self.spec = config.spec()
        self._config = config
        self._connection = connection
        self._lockstep = connection.clock == 'lockstep'
        self._substeps = config.substeps if self._lockstep else 1
        self._protection = config.protection()
        self._actuator = Actuator(config, self._protection, self._now)
        self._link: SawyerLink | None = None
        self._armed = False  # we enabled it

    # Life

    def connect(self) -> None:
        """Connect every topic and read a first state; nothing is enabled.

        Raises:
            ConnectionFailedError: With what is missing and what to do about it.
        """
        self.close()
        uri = self._connection.port
        if not uri:
            raise ConnectionFailedError(
                "set the port to the URI of the robot's master: http://<serial>.local:11311"
            )
        self._link = SawyerLink.open(
            uri,
            self._config.host,
            self._config.connect_timeout,
            priority=0 if self._lockstep else self._config.receive_priority,
        )
        joints, _, assembly = self._link.snapshot()
        self._actuator.limp()
        if not assembly.homed:
            self.close()
            raise ConnectionFailedError('the robot is not homed; home it, then configure again')
        positions, _, _ = self._link.arm(joints)
        if ((positions < self.spec.lower - 0.1) | (positions > self.spec.upper + 0.1)).any():
            self.close()
            raise ConnectionFailedError(f'positions {positions} rad are beyond the joint ranges')

    def enable(self) -> None:
        """Clear a stop if the button allows it, enable, set the robot's time-out, hold.

        Only ever called on a person's request; nothing else in the driver enables the robot.

        Raises:
            EstopError: The e-stop button is pressed.
            NotEnabledError: The robot did not follow.
            RobotError: The link is gone.
        """
        link = self._linked()
        self._actuator.limp()
        self._armed = False
        _, _, assembly = link.snapshot()
        if assembly.estop_button == RobotAssemblyState.BUTTON_PRESSED:
            raise EstopError('the red button is pressed; twist it free, then enable again')
        if assembly.stopped or assembly.error:
            link.reset()
            if not self._insist(lambda state: not state.stopped, link.reset):
                raise NotEnabledError(f'reset was not followed: {link.condition}')
        link.set_timeout(self._config.robot_timeout)
        link.enable(True)
        if not self._insist(lambda s: s.enabled and s.ready, lambda: link.enable(True)):
            raise NotEnabledError(f'enable was not followed: {link.condition}')
        self._actuator.interrupted = ''
        self._armed = True
        self._actuator.hold(link)

    def limp(self) -> None:
        """Disable the robot if we enabled it: motors off, brakes on; never raises."""
        link, armed = self._link, self._armed
        self._actuator.limp()
        self._armed = False
        if link is None or not armed:
            return
        for _ in range(_LIMP_TRIES):
            assembly = link.assembly
            if assembly is None or not assembly.enabled or not link.connected():
                return
            link.enable(False)
            link.wait(lambda: not (link.assembly and link.assembly.enabled), _REPEAT)

    def close(self) -> None:
        """Disable what we enabled and hang up; never raises."""
        if self._link is not None:
            self.limp()
            self._link.close()
            self._link = None

    # State

    def read(self) -> RobotState:
        """Return the newest measurement.

        Raises:
            EstopError: The robot was stopped while we drove it.
            MotorFaultError: It was disabled or reports a fault while we drove it.
            StaleStateError: It fell silent.
            NotConnectedError: It hung up.
        """
        link = self._linked()
        joints, endpoint, _ = self._checked(link)
        positions, velocities, efforts = link.arm(joints)
        pose = forward(positions)
        twist = pose.jacobian() @ velocities
        interrupted, self._actuator.interrupted = self._actuator.interrupted, ''
        stamp = joints.header.stamp if self._lockstep else joints.header.stamp + link.offset
        return RobotState(
            stamp=stamp,
            position=positions,
            velocity=velocities,
            effort=efforts,
            wrench=endpoint.wrench if endpoint.valid else None,
            endpoint=Pose(
                pose.hand_position, quaternion(pose.hand), twist[:3], twist[3:], frame_id='base'
            ),
            interrupted=interrupted,
        )

    def guard(self, target: Array, state: RobotState) -> tuple[Array, str]:
        """Return what the workspace and joint limits leave of a torque."""
        return self._protection.torque(target, state.position, state.velocity)

    def health(self) -> dict[str, Any]:
        """Return counters for diagnostics."""
        values: dict[str, Any] = {'activity': self._actuator.activity, **self._actuator.counts}
        if self._link is not None:
            values |= self._link.health()
            values['robot'] = self._link.condition
        return values

    # Motion

    def _write(self, target: Array) -> None:
        if self._actuator.activity == 'limp':
            raise NotEnabledError('the robot is not enabled')
        self._actuator.follow(target)
        self._advance()

    def hold(self, state: RobotState) -> Array:
        """Brake by damping, then hold the position; in lockstep let one period pass."""
        del state
        self._actuator.brake()
        if self._actuator.activity != 'limp':
            self._advance()
        return np.zeros(7)

    def update(self) -> None:
        """Wall clock: send the next torque; called at the publish rate."""
        if self._actuator.activity == 'limp' or self._lockstep:
            return
        self._actuator.expire()
        self._tick()

    def reset(self, goal: Mapping[str, float], timeout: float) -> Iterator[RobotState]:
        """Move to a start pose with soft joint springs; see the base class.

        Args:
            goal: Start positions by joint name [rad]; the rest from the usual start pose.
            timeout: [s] of robot time.

        Raises:
            ValueError: The goal names no joint or leaves its range.
            ResetFailedError: It was not reached.
        """
        wanted = start_positions(goal)
        return self._reset(wanted, timeout)

    def _reset(self, wanted: Array, timeout: float) -> Iterator[RobotState]:
        actuator = self._actuator
        if actuator.activity == 'limp':
            raise NotEnabledError('the robot is not enabled')
        state = self.read()
        way = ResetWay(self._config, state, wanted, timeout=timeout, now=self._now())
        actuator.reset(way)
        while not way.reached(state, self._now()):
            if overdue := way.overdue(state):
                actuator.hold(self._linked())
                raise ResetFailedError(overdue)
            if actuator.activity != 'resetting':
                reason = actuator.reason or actuator.activity
                raise ResetFailedError(f'reset was interrupted: {reason}')
            if self._lockstep:
                self._advance()
            state = self.read()
            yield state
        actuator.hold(self._linked())

    # Inside

    def _linked(self) -> SawyerLink:
        if self._link is None:
            raise NotConnectedError('not connected; configure the driver first')
        return self._link

    def _checked(self, link: SawyerLink) -> tuple[JointState, EndpointState, RobotAssemblyState]:
        """Return the newest states, or stop commanding and raise; the robot holds by itself."""
        try:
            joints, endpoint, assembly = link.snapshot()
            if self._armed and assembly.stopped:
                raise EstopError(f'the robot was stopped: {assembly.describe()}')
            if self._armed and not assembly.enabled:
                raise MotorFaultError(f'the robot was disabled: {assembly.describe()}')
            if not self._lockstep:
                for kind in ('joints', 'assembly', 'endpoint'):
                    if link.is_stale(kind, self._config.stale_timeout):
                        raise StaleStateError(
                            f'newest {kind} state is {link.age(kind):.3f} s old, at most '
                            f'{self._config.stale_timeout} s allowed; check robot and network'
                        )
        except RobotError:
            self._actuator.limp()
            raise
        return joints, endpoint, assembly

    def _insist(
        self, reached: Callable[[RobotAssemblyState], bool], ask: Callable[[], None]
    ) -> bool:
        """Ask again until the robot's state is as wanted; say whether it is."""
        link = self._linked()
        deadline = time.monotonic() + self._config.enable_timeout
        while time.monotonic() < deadline:
            if link.wait(lambda: link.assembly is not None and reached(link.assembly), _REPEAT):
                return True
            ask()
        return False

    def _now(self) -> float:
        """Return the time that passes for the arm [s]."""
        if self._lockstep and self._link is not None and self._link.joints is not None:
            return self._link.joints.header.stamp
        return time.monotonic()

    def _advance(self) -> None:
        """Send the next torque; in lockstep, all torques of a control period."""
        for _ in range(self._substeps):
            self._tick()

    def _tick(self) -> None:
        """Look at the arm once and send what it needs now."""
        link = self._linked()
        joints, endpoint, _ = self._checked(link)
        if self._actuator.activity == 'limp':
            return
        self._actuator.send(link, joints, endpoint)
        if self._lockstep:
            link.advanced(joints.header.stamp, self._config.answer_timeout)
