"""The Sawyer presses the brick in its hand onto another one.

Only a target pose of the end effector defines the goal, as in the soft Q-learning predecessor.
Ours, since its reward is unpublished: ``-log`` of the distance of three corners of the brick,
which stays steep at a millimetre; bounded; a workspace box that ends the task.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from sac_agent.angles import rotate
from sac_agent.errors import ConfigError
from sac_agent.layout import SensorLayout
from sac_agent.settings import option
from sac_agent.tasks.task import Array, Task, Trajectory

_JOINTS = tuple(f'right_j{i}' for i in range(7))


@dataclass(frozen=True)
class SawyerStackConfig:
    """Parameters of the task."""

    position: str = option('endpoint.position', 'Where the end effector is, elements x, y, z.')
    orientation: str = option('endpoint.orientation', 'Its quaternion, elements x, y, z, w.')
    velocity: str = option('joint_states.velocity', 'Where the joint velocities are.')
    joints: tuple[str, ...] = option(_JOINTS, 'Joints of the arm.')
    target_position: tuple[float, ...] = option(
        (0.55, 0.0, 0.15), 'Of the end effector when seated [m].', range=(-3.0, 3.0)
    )
    target_orientation: tuple[float, ...] = option(
        (0.0, 1.0, 0.0, 0.0), 'Quaternion x y z w of the end effector when seated.'
    )
    corners: tuple[float, ...] = option(
        (0.016, 0.016, 0.1, -0.016, 0.016, 0.1, 0.016, -0.016, 0.1),
        'Three points of the brick in the frame of the end effector, x y z each [m].',
        range=(-1.0, 1.0),
    )
    tolerance: float = option(0.002, 'Mean corner distance of success [m].', range=(1e-5, 0.1))
    floor: float = option(1e-5, 'Bounds the reward: -log(d^2 + floor) / 2.', range=(1e-9, 1.0))
    velocity_cost: float = option(0.02, 'Per (rad/s)^2.', range=(0.0, 10.0))
    box_low: tuple[float, ...] = option((0.3, -0.4, 0.0), 'Workspace [m].', range=(-3.0, 3.0))
    box_high: tuple[float, ...] = option((0.8, 0.4, 0.7), 'Workspace [m].', range=(-3.0, 3.0))
    outside_cost: float = option(5.0, 'For leaving the workspace.', range=(0.0, 1000.0))
    start_pose: tuple[float, ...] = option(
        (), 'Joint angles after a reset [rad]; empty: the driver decides.', range=(-10.0, 10.0)
    )
    start_spread: float = option(0.03, 'Spread of them [rad], uniform.', range=(0.0, 0.5))


class SawyerStack(Task):
    """Reward terms are distance, velocity and outside."""

    config_type = SawyerStackConfig
    reward_names = ('distance', 'velocity', 'outside')
    distance = 'final_distance'
    paper: ClassVar[Mapping[str, float]] = {'hours': 2.0}

    def __init__(self, layout: SensorLayout, config: Any, period: float) -> None:
        """Find the end effector among the sensor values."""
        super().__init__(layout, config, period)
        self._position = layout.indices(config.position, ('x', 'y', 'z'))
        self._orientation = layout.indices(config.orientation, ('x', 'y', 'z', 'w'))
        self._velocity = layout.indices(config.velocity, config.joints)
        for name, size in (
            ('target_position', 3), ('target_orientation', 4), ('corners', 9), ('box_low', 3),
            ('box_high', 3), ('start_pose', len(config.joints)),
        ):  # fmt: skip
            given = len(getattr(config, name))
            if given != size and not (name == 'start_pose' and given == 0):
                raise ConfigError(f'task_parameters.{name}: must hold {size} numbers, got {given}')
        self._corners = np.array(config.corners).reshape(3, 3)
        self._target = self._points(
            np.array(config.target_position), np.array(config.target_orientation)
        )
        self._low, self._high = np.array(config.box_low), np.array(config.box_high)

    def corner_distance(self, raw: Array) -> float:
        """Return the mean distance of the corners from their goals [m]."""
        points = self._points(raw[self._position], raw[self._orientation])
        return float(np.linalg.norm(points - self._target, axis=1).mean())

    def reset_goal(
        self, rng: np.random.Generator, *, evaluation: bool = False
    ) -> dict[str, float]:
        """Return joint angles around the start pose, if one is given."""
        spread = self.config.start_spread
        pose = self.config.start_pose
        if not pose:
            return {}
        return {
            name: float(angle + rng.uniform(-spread, spread))
            for name, angle in zip(self.config.joints, pose, strict=True)
        }

    def reward(
        self, before: Array, action: Array, after: Array, history: Sequence[Array]
    ) -> Array:
        """Return ``-log(d^2 + floor) / 2``, the cost of velocity, and of leaving the workspace."""
        distance = self.corner_distance(after)
        velocity = after[self._velocity]
        return np.array(
            [
                -0.5 * np.log(distance**2 + self.config.floor),
                -self.config.velocity_cost * min(float(velocity @ velocity), 100.0),
                -self.config.outside_cost if self.terminated(after) else 0.0,
            ]
        )

    def terminated(self, after: Array) -> bool:
        """Return whether the end effector has left the workspace."""
        position = after[self._position]
        return bool((position < self._low).any() or (position > self._high).any())

    def success(self, trajectory: Trajectory) -> bool:
        """Return whether the brick is seated at the end."""
        return (
            not trajectory.terminated
            and self.corner_distance(trajectory.sensors[-1]) < self.config.tolerance
        )

    def metrics(self, trajectory: Trajectory) -> dict[str, float]:
        """Return corner distances [m]."""
        distances = [self.corner_distance(raw) for raw in trajectory.sensors[1:]]
        return {'final_distance': distances[-1], 'median_distance': float(np.median(distances))}

    def _points(self, position: Array, orientation: Array) -> Array:
        return position + rotate(orientation, self._corners)
