"""The arm and the brick in one process, without a driver: for Gymnasium and for tests."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from robot_drivers.sawyer.description import (
    Array,
    GOAL_CORNERS,
    JOINT_NAMES,
)
from robot_drivers.sawyer.kinematics import forward
from robot_drivers.sawyer.protection import Protection
from robot_drivers.sawyer.quaternion import quaternion
from robot_drivers.sawyer.start import start_positions
from robot_drivers.sawyer.world import SawyerWorld, Variant

CONTROL_PERIOD = 0.05
"""Time between two policy torques [s]."""
PUBLISH_PERIOD = 0.01
"""Time between two torques of the driver [s]."""
WRENCH_FILTER = 0.06
"""Time constant of the robot's wrench estimate [s]; ours, the robot's is not published."""

Sensors = dict[str, Array]


def follow(wrench: Array, measured: Array, elapsed: float) -> Array:
    """Return the filtered wrench after another measurement ``elapsed`` seconds later."""
    return wrench + (measured - wrench) * (1.0 - float(np.exp(-elapsed / WRENCH_FILTER)))


class SawyerTwin:
    """Steps the cell at the policy's rate with the limits the driver applies.

    Sensors by name: ``joint_states.position`` [rad], ``joint_states.velocity`` [rad/s] and
    ``joint_states.effort`` [Nm], shape (7,); ``wrench.force`` [N] and ``wrench.torque`` [Nm],
    shape (3,); ``endpoint.position`` [m] and ``endpoint.orientation`` (x y z w) of
    right_hand; ``brick.corners`` and ``brick.goal`` [m], shape (9,), three corners of the held
    brick and where they belong, in the base frame, computed from joint positions.
    """

    command_names = JOINT_NAMES
    joint_names = JOINT_NAMES

    def __init__(
        self, *, variant: Variant = 'domed', seed: int = 0, protection: Protection | None = None
    ) -> None:
        """Load the cell; the arm is at its start pose.

        Args:
            variant: Studs of the fixed brick.
            seed: Unused by the physics, which has no noise; kept for twins that have.
            protection: Limits between policy steps; the driver's defaults if None.
        """
        del seed
        self.world = SawyerWorld(variant)
        self.control_period = CONTROL_PERIOD
        self._protection = protection or Protection()
        self._wrench = np.zeros(6)
        self._substeps = round(CONTROL_PERIOD / PUBLISH_PERIOD)
        self._physics_steps = round(PUBLISH_PERIOD / self.world.timestep)
        self.reset({})

    def reset(self, goal: Mapping[str, float] | None = None) -> Sensors:
        """Put the arm at rest at the joint positions of ``goal`` and return the sensors.

        Raises:
            ValueError: The goal names an unknown joint or a position outside its range.
        """
        self.world.place(start_positions(goal or {}))
        self._wrench = np.zeros(6)
        return self.sensors()

    def step(self, torques: Array) -> Sensors:
        """Apply policy torques for one control period and return the sensors.

        Args:
            torques: Beyond gravity compensation [Nm], shape (7,), clipped to the learning range.

        Raises:
            ValueError: ``torques`` is not finite or not of shape (7,).
        """
        if torques.shape != (7,) or not np.isfinite(torques).all():
            raise ValueError(f'torques must be 7 finite numbers in Nm, got {torques}')
        world = self.world
        for _ in range(self._substeps):
            torque, _ = self._protection.torque(
                torques, world.positions, world.velocities, world.link_origins
            )
            world.step(torque, self._physics_steps)
            self._wrench = follow(self._wrench, world.wrench, PUBLISH_PERIOD)
        return self.sensors()

    @property
    def time(self) -> float:
        """Simulated time since the twin was built [s]."""
        return self.world.time

    def render(
        self, width: int = 640, height: int = 480, camera: str = 'close'
    ) -> NDArray[np.uint8]:
        """Return a picture (height, width, 3), RGB; set MUJOCO_GL before MuJoCo is imported."""
        return self.world.render(width, height, camera)

    def close(self) -> None:
        """Free the renderer; may be called twice."""
        self.world.close()

    def sensors(self) -> Sensors:
        """Return everything a task may look at."""
        positions = self.world.positions
        pose = forward(positions)
        return {
            'joint_states.position': positions,
            'joint_states.velocity': self.world.velocities,
            'joint_states.effort': self.world.efforts,
            'wrench.force': self._wrench[:3].copy(),
            'wrench.torque': self._wrench[3:].copy(),
            'endpoint.position': pose.hand_position,
            'endpoint.orientation': quaternion(pose.hand),
            'brick.corners': pose.corners().ravel(),
            'brick.goal': GOAL_CORNERS.ravel().copy(),
        }
