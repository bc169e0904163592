"""The way to a start pose: soft joint springs, off the studs or around them."""

import numpy as np

from robot_drivers.robot import RobotState
from robot_drivers.sawyer.config import SawyerConfig
from robot_drivers.sawyer.description import ABOVE, Array, GOAL_POSITION, JOINT_NAMES
from robot_drivers.sawyer.kinematics import forward

_RAMP = 0.3  # torques grow over this time [s]
_REST = 0.5  # without motion for so long, the way has ended [s]
_PULL = 15.0  # upward force that takes a seated brick off its studs [N]
_FREE = 0.01  # height above the seated pose at which it is off them [m]
_NEAR = 0.02  # horizontal distance from the goal within which the brick may sit on the studs [m]
_ON_THE_WAY = 5.0  # tolerance of a point on the way, in those of the end


class ResetWay:
    """One reset, point by point; time is the arm's own."""

    def __init__(
        self, config: SawyerConfig, state: RobotState, wanted: Array, *, timeout: float, now: float
    ) -> None:
        """Plan it.

        A brick on the studs is pulled straight off; an arm beside or below them goes around.

        Args:
            config: Springs and tolerances.
            state: Where the arm is.
            wanted: Where it shall be [rad], shape (7,).
            timeout: For the whole way [s].
            now: [s].
        """
        self._config = config
        self._stiffness, self._damping, _ = config.gains()
        self._limit = config.reset_effort * np.array([1.0] * 4 + [0.4] * 3)
        self._timeout = timeout
        self._began = state.stamp
        hand = forward(state.position).hand_position
        aside = not _above_goal(hand) and hand[2] < GOAL_POSITION[2] + _NEAR
        self._points = [ABOVE, wanted] if aside else [wanted]
        self._head_for_next(state, now)

    def reached(self, state: RobotState, now: float) -> bool:
        """Return whether the arm has come to the end of the way; go on to the next point.

        Args:
            state: Newest measurement.
            now: [s].
        """
        while self._at_point(state):
            if not self._points:
                return True
            self._head_for_next(state, now)
        return False

    def overdue(self, state: RobotState) -> str:
        """Return what keeps the arm if it takes too long, '' while it does not."""
        if state.stamp - self._began <= self._timeout:
            return ''
        error = np.abs(state.position - self._goal)
        return (
            f'start pose not reached in {self._timeout} s: {JOINT_NAMES[int(error.argmax())]} is '
            f'{error.max():.3f} rad off; is something in the way?'
        )

    def torque(self, positions: Array, velocities: Array, now: float) -> Array:
        """Return what pulls the arm along [Nm], shape (7,)."""
        growth = min(1.0, (now - self._since + 0.02) / _RAMP)
        # The spring is limited before the damping is added: far away, that limits the speed.
        spring = np.clip(self._stiffness * (self._goal - positions), -self._limit, self._limit)
        pose = forward(positions)
        if _on_studs(pose.hand_position):
            spring += pose.jacobian()[2] * _PULL
        damping = self._damping * velocities
        return np.clip(growth * spring - damping, -self._limit, self._limit)

    def _head_for_next(self, state: RobotState, now: float) -> None:
        self._goal = self._points.pop(0)
        self._since = now  # the ramp begins anew
        self._moved = state.stamp

    def _at_point(self, state: RobotState) -> bool:
        last = not self._points
        error = np.abs(state.position - self._goal).max()
        slow = bool(np.abs(state.velocity).max() < self._config.reset_velocity)
        tolerance = self._config.reset_tolerance * (1.0 if last else _ON_THE_WAY)
        if error < tolerance and (slow or not last):
            return True
        if not slow:
            self._moved = state.stamp
        resting = state.stamp - self._moved > _REST
        return resting and bool(error < self._config.reset_rest_tolerance)


def _above_goal(hand: Array) -> bool:
    """Say whether the hand, at a position [m], is over the goal or on it."""
    return float(np.hypot(hand[0] - GOAL_POSITION[0], hand[1] - GOAL_POSITION[1])) < _NEAR


def _on_studs(hand: Array) -> bool:
    """Say whether the held brick may sit on the studs."""
    return _above_goal(hand) and hand[2] < GOAL_POSITION[2] + _FREE
