"""Minitaur in Gazebo: the PD law of its motor controller here, torques to ros2_control."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from robot_drivers.errors import NotEnabledError, ResetFailedError
from robot_drivers.gazebo.robot import GazeboRobot, Joints, Wire
from robot_drivers.minitaur import leg
from robot_drivers.minitaur.config import MinitaurConfig
from robot_drivers.minitaur.start import PLACES, start_motion, start_pose
from robot_drivers.minitaur.torque_loop import TorqueLoop, TorqueLoopConfig
from robot_drivers.robot import Array, RobotState

EFFORT = 'effort_controller'
START_ANGLE = np.pi / 2  # motor angle where Gazebo's joint angle is 0: legs begin closed [rad]
DROP = 0.36  # height of the base in which no leg reaches the ground [m]


class GazeboWalker(GazeboRobot):
    """Leg commands become motor torques at the driver's update rate."""

    def __init__(self, config: MinitaurConfig, wire: Wire) -> None:
        """Open nothing yet."""
        super().__init__(config.spec(), wire)
        # The delay of the topics asks for less stiffness than a motor controller has.
        gains = TorqueLoopConfig(kp=min(config.kp, TorqueLoopConfig.kp), kd=config.kd)
        self._loop, self._idle = TorqueLoop(gains), TorqueLoop(gains)  # the idle one only damps

    def drive(self, joints: Joints) -> None:
        """Send the torques of the PD law; without a target the legs are damped."""
        now = joints.received
        theta = joints.position + START_ANGLE
        loop = self._idle if self.target is None else self._loop
        loop.measure(leg.MOTOR_JOINTS, theta.tolist(), joints.velocity.tolist(), now)
        if self.target is not None:
            loop.command(leg.LEG_CHANNELS, self.target.tolist(), now)
        self.wire.send(EFFORT, loop.torque(now))

    def hold(self, state: RobotState) -> Array:
        """Let the legs sink damped where nobody commands, as on the robot."""
        self.target = None
        return np.clip(state.position[:8], self.spec.lower, self.spec.upper)

    def relax(self, joints: Joints) -> None:
        """Take the torque away."""
        del joints
        self.wire.send(EFFORT, np.zeros(8))

    def state(self, joints: Joints) -> RobotState:
        """Return leg angles before motor angles, as on the robot."""
        theta, rate, torque = joints.position + START_ANGLE, joints.velocity, joints.effort
        both = Joints(
            np.concatenate([leg.leg_angles(theta), theta]),
            np.concatenate([leg.leg_angles(rate), rate]),
            np.concatenate([leg.leg_efforts(torque), torque]),
            joints.stamp,
            joints.received,
        )
        return super().state(both)

    def reset(self, goal: Mapping[str, float], timeout: float) -> Iterator[RobotState]:
        """Lift the robot by Gazebo's set_pose, and get onto the feet."""
        pose = start_pose(goal)
        x, y, yaw = (goal.get(name, 0.0) for name in PLACES)
        return self._rise(pose, np.array([x, y, DROP]), yaw, timeout)

    def _rise(
        self, pose: Array, position: Array, yaw: float, timeout: float
    ) -> Iterator[RobotState]:
        if not self.enabled:
            raise NotEnabledError('Minitaur is limp; enable it before a reset')
        state = self.read()
        begin = state.stamp
        self.wire.place('minitaur', position, yaw)
        for target in start_motion(pose, self.spec.control_period, state.position[:8]):
            self.command(target)
            state = self.read()
            yield state
            if state.stamp - begin > timeout:
                raise ResetFailedError(f'reset took longer than {timeout} s; allow about 2 s')
