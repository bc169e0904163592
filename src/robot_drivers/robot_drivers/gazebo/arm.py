"""Sawyer in Gazebo: torques to ros2_control, with the driver's protection; links weigh nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from robot_drivers.errors import NotEnabledError, ResetFailedError
from robot_drivers.gazebo.robot import GazeboRobot, Joints, Wire
from robot_drivers.robot import Array, Pose, RobotState
from robot_drivers.sawyer.config import SawyerConfig
from robot_drivers.sawyer.kinematics import forward
from robot_drivers.sawyer.quaternion import quaternion
from robot_drivers.sawyer.start import start_positions

EFFORT = 'effort_controller'


class GazeboArm(GazeboRobot):
    """Torques of the policy, repeated at the publish rate; damping while there is none."""

    def __init__(self, config: SawyerConfig, wire: Wire) -> None:
        """Open nothing yet."""
        super().__init__(config.spec(), wire)
        self._config = config
        self._protection = config.protection()
        self._stiffness, self._damping, self._braking = config.gains()
        self._goal: Array | None = None  # (7,) of a reset [rad]

    def drive(self, joints: Joints) -> None:
        """Send the next torque."""
        self.wire.send(EFFORT, self._torque(joints))

    def relax(self, joints: Joints) -> None:
        """Take the torque away; friction and damping of the joints stop the arm."""
        del joints
        self._goal = None
        self.wire.send(EFFORT, np.zeros(7))

    def guard(self, target: Array, state: RobotState) -> tuple[Array, str]:
        """Return what the workspace and joint limits leave of a torque."""
        return self._protection.torque(target, state.position, state.velocity)

    def state(self, joints: Joints) -> RobotState:
        """Return the joint state with the pose of the hand."""
        pose = forward(joints.position)
        twist = pose.jacobian() @ joints.velocity
        hand = Pose(pose.hand_position, quaternion(pose.hand), twist[:3], twist[3:], 'base')
        return replace(super().state(joints), endpoint=hand)

    def reset(self, goal: Mapping[str, float], timeout: float) -> Iterator[RobotState]:
        """Move to the start pose with soft joint springs."""
        return self._reset(start_positions(goal), timeout)

    def _reset(self, goal: Array, timeout: float) -> Iterator[RobotState]:
        if not self.enabled:
            raise NotEnabledError('the arm is limp; enable it before a reset')
        state = self.read()
        begin = state.stamp
        self.target, self._goal = None, goal
        try:
            while True:
                error = np.abs(state.position - goal)
                slow = np.abs(state.velocity).max() < self._config.reset_velocity
                if slow and error.max() < self._config.reset_rest_tolerance:
                    return
                if state.stamp - begin > timeout:
                    worst = self.spec.joints[int(error.argmax())]
                    raise ResetFailedError(
                        f'start pose not reached in {timeout} s: {worst} is {error.max():.3f} '
                        'rad off; is something in the way?'
                    )
                yield state
                state = self.read()
        finally:
            self._goal = None

    def _torque(self, joints: Joints) -> Array:
        if self._goal is not None:
            limit = self._config.reset_effort * np.array([1.0] * 4 + [0.4] * 3)
            spring = np.clip(self._stiffness * (self._goal - joints.position), -limit, limit)
            return np.clip(spring - self._damping * joints.velocity, -limit, limit)
        if self.target is None:
            limit = self._protection.effort_limit
            return np.clip(-self._braking * joints.velocity, -limit, limit)
        return self._protection.torque(self.target, joints.position, joints.velocity)[0]
