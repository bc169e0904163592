"""The Sawyer presses the brick in its hand onto another one.

Only a target pose of the end effector defines the goal, as in the soft Q-learning predecessor.
Ours, since its reward is unpublished: ``-log`` of the distance of three points from their goals,
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

_FAR, _NEAR = 0.05, 0.003  # what a policy sees as 1: how far the brick starts, nearly seated [m]
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
    reward_points: tuple[float, ...] = option(
        (),
        'Three points whose distances the reward measures, as corners; empty: those. Points far '
        'apart make a tilted brick costly.',
        range=(-1.0, 1.0),
    )
    tolerance: float = option(0.002, 'Mean corner distance of success [m].', range=(1e-5, 0.1))
    floor: float = option(2e-6, 'Bounds the reward: -log(d^2 + floor) / 2.', range=(1e-9, 1.0))
    zero_distance: float = option(
        0.03, 'Where the reward of the distance changes its sign [m].', range=(1e-3, 1.0)
    )
    velocity_cost: float = option(0.02, 'Per (rad/s)^2.', range=(0.0, 10.0))
    box_low: tuple[float, ...] = option((0.3, -0.4, 0.0), 'Workspace [m].', range=(-3.0, 3.0))
    box_high: tuple[float, ...] = option((0.8, 0.4, 0.7), 'Workspace [m].', range=(-3.0, 3.0))
    outside_cost: float = option(20.0, 'For leaving the workspace.', range=(0.0, 1000.0))
    start_pose: tuple[float, ...] = option(
        (), 'Joint angles after a reset [rad]; empty: the driver decides.', range=(-10.0, 10.0)
    )
    start_spread: float = option(0.03, 'Spread of them [rad], uniform.', range=(0.0, 0.5))


class SawyerStack(Task):
    """Reward terms are distance, velocity and outside."""

    config_type = SawyerStackConfig
    reward_names = ('distance', 'velocity', 'outside')
    feature_names = tuple(
        f'point_{i}_{axis}{close}' for close in ('', '_near') for i in range(3) for axis in 'xyz'
    )
    distance = 'final_distance'
    paper: ClassVar[Mapping[str, float]] = {'hours': 2.0}

    def __init__(self, layout: SensorLayout, config: Any, period: float) -> None:
        """Find the end effector among the sensor values."""
        super().__init__(layout, config, period)
        self._position = layout.indices(config.position, ('x', 'y', 'z'))
        self._orientation = layout.indices(config.orientation, ('x', 'y', 'z', 'w'))
        self._velocity = layout.indices(config.velocity, config.joints)
        for name, size in (
            ('target_position', 3), ('target_orientation', 4), ('corners', 9),
            ('reward_points', 9), ('box_low', 3), ('box_high', 3),
            ('start_pose', len(config.joints)),
        ):  # fmt: skip
            given = len(getattr(config, name))
            if given != size and not (name in ('reward_points', 'start_pose') and given == 0):
                raise ConfigError(f'task_parameters.{name}: must hold {size} numbers, got {given}')
        self._corners = np.array(config.corners).reshape(3, 3)
        self._reward_points = np.array(config.reward_points or config.corners).reshape(3, 3)
        goal = np.array(config.target_position), np.array(config.target_orientation)
        self._target = self._points(*goal, self._corners)
        self._reward_target = self._points(*goal, self._reward_points)
        self._unit = config.zero_distance**2 + config.floor
        self._low, self._high = np.array(config.box_low), np.array(config.box_high)

    def corner_distance(self, raw: Array) -> float:
        """Return the mean distance of the corners from their goals [m]."""
        points = self._points(raw[self._position], raw[self._orientation], self._corners)
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

    def features(self, raw: Array) -> Array:
        """Return where the reward's points are from their goals, whole and close up, (18,).

        Joint angles say the same, but a millimetre, which decides success, is a few thousandths
        of a radian and nearly nothing to a network: hence their tanh at some millimetres.
        """
        error = self._errors(raw).ravel()
        return np.concatenate([error / _FAR, np.tanh(error / _NEAR)])

    def reward(
        self, before: Array, action: Array, after: Array, history: Sequence[Array]
    ) -> Array:
        """Return ``-log(d^2 + floor) / 2``, the cost of velocity, and of leaving the workspace.

        The first is shifted to be 0 at `zero_distance`: critics would learn a large constant for
        thousands of steps before anything else.
        """
        distance = np.linalg.norm(self._errors(after), axis=1).mean()
        velocity = after[self._velocity]
        return np.array(
            [
                -0.5 * np.log((distance**2 + self.config.floor) / self._unit),
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

    def _errors(self, raw: Array) -> Array:
        """Return the reward's points from their goals [m], (3, 3)."""
        points = self._points(raw[self._position], raw[self._orientation], self._reward_points)
        return points - self._reward_target

    def _points(self, position: Array, orientation: Array, points: Array) -> Array:
        return position + rotate(orientation, points)
