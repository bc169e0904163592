"""The D'Claw in Gazebo: position targets for the fingers, a torque for the valve in resets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from robot_drivers.dclaw.config import DclawConfig, JOINTS, NAMES, REACHED, REST_POSE, VALVE
from robot_drivers.errors import NotEnabledError, ResetFailedError
from robot_drivers.gazebo.robot import GazeboRobot, Joints, Wire
from robot_drivers.robot import Array, RobotState

POSITION, VALVE_EFFORT = 'position_controller', 'valve_controller'
STIFFNESS, DAMPING, STRENGTH = 0.8, 0.1, 0.6  # of the valve's spring [Nm/rad, Nm s/rad, Nm]
STILL = 0.05  # [rad/s]


class GazeboClaw(GazeboRobot):
    """Nine position-controlled joints and a valve that is free except in resets."""

    def __init__(self, config: DclawConfig, wire: Wire) -> None:
        """Open nothing yet."""
        super().__init__(config.spec(), wire)
        self._speed = config.reset_speed
        self._held: Array | None = None  # (9,) where the fingers are kept without a target
        self._valve: float | None = None  # [rad] where a reset turns it to

    def drive(self, joints: Joints) -> None:
        """Send finger targets, and the torque of the valve."""
        if self.target is not None:
            self._held = self.target
        elif self._held is None:
            self._held = np.clip(joints.position[:9], self.spec.lower, self.spec.upper)
        self.wire.send(POSITION, self._held)
        self.wire.send(VALVE_EFFORT, np.array([self._valve_effort(joints)]))

    def relax(self, joints: Joints) -> None:
        """Keep the fingers where they are, as Gazebo's position joints cannot be limp."""
        self._held = self._valve = None
        self.wire.send(POSITION, joints.position[:9])
        self.wire.send(VALVE_EFFORT, np.zeros(1))

    def reset(self, goal: Mapping[str, float], timeout: float) -> Iterator[RobotState]:
        """Lift the fingers, turn the valve, put the fingers into the start pose."""
        unknown = [name for name in goal if name not in NAMES]
        if unknown:
            raise ValueError(f'cannot reset {unknown}; the hand has {NAMES}')
        pose = np.array(
            [goal.get(name, rest) for name, rest in zip(JOINTS, REST_POSE, strict=True)]
        )
        if not ((pose >= self.spec.lower) & (pose <= self.spec.upper)).all():
            raise ValueError(f'start pose {pose} must lie within {self.spec.upper}')
        return self._reset(pose, goal.get(VALVE), timeout)

    def _reset(self, pose: Array, valve: float | None, timeout: float) -> Iterator[RobotState]:
        if not self.enabled:
            raise NotEnabledError('the hand is limp; enable it before a reset')
        begin = self.newest().stamp
        try:
            for fingers, angle in ((REST_POSE, None), (REST_POSE, valve), (pose, valve)):
                self._valve = angle
                while not self._reached(fingers, angle):
                    state = self.read()
                    if state.stamp - begin > timeout:
                        raise ResetFailedError(
                            f'start pose not reached in {timeout} s: fingers at '
                            f'{state.position[:9].round(2)}, valve at {state.position[9]:.2f}'
                        )
                    step = self._speed * self.spec.control_period
                    near = np.clip(fingers, state.position[:9] - step, state.position[:9] + step)
                    self.command(near)
                    yield state
        finally:
            self._valve = None

    def _reached(self, fingers: Array, valve: float | None) -> bool:
        joints = self.newest()
        off = np.abs(joints.position[:9] - fingers).max()
        turned = valve is None or (
            abs(_wrapped(valve - joints.position[9])) < REACHED and abs(joints.velocity[9]) < STILL
        )
        return bool(off < REACHED and turned)

    def _valve_effort(self, joints: Joints) -> float:
        if self._valve is None:
            return 0.0
        spring = STIFFNESS * _wrapped(self._valve - joints.position[9])
        limited = float(np.clip(spring, -STRENGTH, STRENGTH))
        return limited - DAMPING * float(joints.velocity[9])


def _wrapped(angle: float) -> float:
    """Return an angle in [-pi, pi) [rad]."""
    return float((angle + np.pi) % (2 * np.pi) - np.pi)
