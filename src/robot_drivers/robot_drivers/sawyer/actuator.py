"""What is sent to the arm: a policy's torque, a reset's, damping, or a position to hold."""

from __future__ import annotations

from collections.abc import Callable
import time
from typing import Literal

import numpy as np

from robot_drivers.sawyer.config import SawyerConfig
from robot_drivers.sawyer.description import Array
from robot_drivers.sawyer.link import SawyerLink
from robot_drivers.sawyer.messages import EndpointState
from robot_drivers.sawyer.protection import Protection
from robot_drivers.sawyer.reset import ResetWay
from robot_drivers.sawyer.ros1.messages import JointState

Activity = Literal['limp', 'torque', 'damping', 'holding', 'resetting']


class Actuator:
    """Chooses what is sent in each tick; every motion that ends is followed by damping, then hold.

    Attributes:
        activity: What is sent now; limp: nothing.
        interrupted: Why the last motion was ended, '' once somebody has told it.
        reason: The same, kept.
        counts: For diagnostics.
    """

    def __init__(
        self, config: SawyerConfig, protection: Protection, now: Callable[[], float]
    ) -> None:
        """Send nothing yet.

        Args:
            config: Times and limits.
            protection: What a policy's torque has to pass.
            now: The time that passes for the arm [s].
        """
        self.activity: Activity = 'limp'
        self.interrupted = self.reason = ''
        self.counts = {'push-backs': 0, 'interruptions': 0, 'policy time-outs': 0, 'torques': 0}
        self._config, self._protection, self._now = config, protection, now
        self._braking = config.gains()[2]
        self._torque = np.zeros(7)
        self._held: Array | None = None
        self._way: ResetWay | None = None
        self._since = 0.0  # of the activity
        self._commanded = 0.0  # monotonic time of the newest torque of the policy [s]

    def limp(self) -> None:
        """Send nothing any more; the robot holds by itself."""
        self._go('limp')

    def follow(self, torque: Array) -> None:
        """Repeat a torque of the policy [Nm], shape (7,), from now on."""
        self._torque = torque.copy()
        self._commanded = time.monotonic()
        self._go('torque')

    def reset(self, way: ResetWay) -> None:
        """Go a way from now on."""
        self._way = way
        self._go('resetting')

    def brake(self) -> None:
        """End a motion by damping."""
        if self.activity in ('torque', 'resetting'):
            self._go('damping')

    def expire(self) -> None:
        """Wall clock: damp if the policy has been silent for too long."""
        silence = time.monotonic() - self._commanded
        if self.activity == 'torque' and silence > self._config.policy_timeout:
            self.counts['policy time-outs'] += 1
            self._go('damping')

    def hold(self, link: SawyerLink) -> None:
        """Hold the newest position from now on.

        Raises:
            NotConnectedError: The robot hung up.
        """
        joints, _, _ = link.snapshot()
        self._held, _, _ = link.arm(joints)
        self._go('holding')

    def send(self, link: SawyerLink, joints: JointState, endpoint: EndpointState) -> None:
        """Send what the arm needs in the state it is in; not to be called while limp.

        Raises:
            NotConnectedError: The robot hung up.
        """
        positions, velocities, _ = link.arm(joints)
        self._watch(velocities, endpoint)
        if self.activity == 'damping' and self._now() - self._since >= self._config.damping_time:
            self.hold(link)
        if self.activity == 'holding' and self._held is not None:
            link.send_position(self._held)
        else:
            link.send_torque(self._next_torque(positions, velocities))
            self.counts['torques'] += 1

    def _go(self, activity: Activity) -> None:
        if activity != self.activity:
            self.activity, self._since = activity, self._now()

    def _watch(self, velocities: Array, endpoint: EndpointState) -> None:
        """End the motion if the arm is much too fast or pushes too hard."""
        if self.activity not in ('torque', 'resetting'):
            return
        force = float(np.linalg.norm(endpoint.wrench[:3])) if endpoint.valid else 0.0
        fastest = float(np.abs(velocities).max())
        if fastest > self._config.stop_velocity:
            self._interrupt(f'{fastest:.1f} rad/s is beyond stop_velocity')
        elif force > self._config.wrench_limit:
            self._interrupt(f'{force:.0f} N at the hand is beyond wrench_limit')

    def _interrupt(self, reason: str) -> None:
        self.interrupted = self.reason = reason
        self.counts['interruptions'] += 1
        self._go('damping')

    def _next_torque(self, positions: Array, velocities: Array) -> Array:
        """Return the torque of the current activity, shape (7,)."""
        if self.activity == 'resetting' and self._way is not None:
            return self._way.torque(positions, velocities, self._now())
        if self.activity == 'damping':
            limits = self._protection.effort_limit
            return np.clip(-self._braking * velocities, -limits, limits)
        torque, reason = self._protection.torque(self._torque, positions, velocities)
        self.counts['push-backs'] += bool(reason)
        return torque
