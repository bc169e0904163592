"""Minitaur walks forward.

Reward after bulletphysics/bullet3 (minitaur_extended_env.py, whose author also wrote the paper's
walking experiment): forward velocity minus the acceleration of the last three actions. Faster than
wanted earns less again, as in his environments for google-research: rewards that are merely
clipped make it run until it falls. After the words of the paper: large tilt and front legs folded
under the robot cost. The weights are ours, as the paper gives none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from sac_agent.angles import roll_pitch
from sac_agent.layout import SensorLayout
from sac_agent.settings import option
from sac_agent.tasks.task import Array, Task, Trajectory

_MOTORS = tuple(
    f'motor_{leg}{side}_joint'
    for leg in ('front_left', 'back_left', 'front_right', 'back_right')
    for side in 'LR'
)
_FRONT = (0, 2)  # legs are ordered front left, back left, front right, back right


@dataclass(frozen=True)
class MinitaurWalkConfig:
    """Parameters of the task."""

    motors: tuple[str, ...] = option(_MOTORS, 'Motor joints, left before right of each leg.')
    joints: str = option('joint_states.position', 'Where the motor angles are.')
    orientation: str = option('imu.orientation', 'Where the orientation is.')
    position: str = option('pose.position', 'Where the position of the body is, elements x, y, z.')
    target_velocity: float = option(0.5, 'Walk that is worth most [m/s].', range=(0.05, 5.0))
    action_scale: float = option(0.3, 'Leg angle per action [rad].', range=(0.01, 2.0))
    acceleration_cost: float = option(0.5, 'Per rad of action change.', range=(0.0, 10.0))
    tilt_free: float = option(0.15, 'Roll and pitch that cost nothing [rad].', range=(0.0, 1.5))
    tilt_cost: float = option(0.5, 'Per rad beyond, each of the two.', range=(0.0, 10.0))
    swing_free: float = option(0.2, 'Front swing that costs nothing [rad].', range=(0.0, 1.5))
    swing_cost: float = option(2.0, 'Per rad beyond, each front leg.', range=(0.0, 10.0))
    tilt_limit: float = option(0.7, 'Roll or pitch that ends the task [rad].', range=(0.1, 1.5))
    swing_limit: float = option(0.8, 'Front swing that ends the task [rad].', range=(0.1, 1.5))
    success_velocity: float = option(0.4, 'Mean velocity of success [m/s].', range=(0.0, 5.0))
    traverse_velocity: float = option(
        0.2, 'Mean velocity at which terrain counts as traversed [m/s].', range=(0.0, 5.0)
    )
    full_length: int = option(500, 'Steps without a fall, of both.', range=(1, 1_000_000))
    perturb: float = option(
        0.0, 'Pushes and changes of a simulated robot in training, as a scale.', range=(0.0, 2.0)
    )
    start_spread: float = option(
        0.1, 'Spread of leg angles after a reset [rad], uniform.', range=(0.0, 0.5)
    )
    start_channels: tuple[str, ...] = option(
        (*(f'swing_{i}' for i in range(4)), *(f'extension_{i}' for i in range(4))),
        'What the reset moves.',
    )
    start_pose: tuple[float, ...] = option((0.0,) * 4 + (2.0,) * 4, 'Middle of the reset [rad].')


class MinitaurWalk(Task):
    """Reward terms are velocity, acceleration, tilt and swing."""

    config_type = MinitaurWalkConfig
    reward_names = ('velocity', 'acceleration', 'tilt', 'swing')
    distance = 'velocity'
    paper: ClassVar[Mapping[str, float]] = {'steps': 160_000, 'hours': 2.0, 'episodes': 400}

    def __init__(self, layout: SensorLayout, config: Any, period: float) -> None:
        """Find motors, orientation and position among the sensor values."""
        super().__init__(layout, config, period)
        self._motors = layout.indices(config.joints, config.motors)
        self._orientation = layout.indices(config.orientation, ('x', 'y', 'z', 'w'))
        self._x = layout.index(config.position, 'x')

    def front_swing(self, raw: Array) -> Array:
        """Return the swing of both front legs [rad], (2,); positive is backward."""
        left = raw[self._motors[[2 * leg for leg in _FRONT]]]
        right = raw[self._motors[[2 * leg + 1 for leg in _FRONT]]]
        return np.array([1.0, -1.0]) * (right - left) / 2.0

    def reset_goal(
        self, rng: np.random.Generator, *, evaluation: bool = False
    ) -> dict[str, float]:
        """Return leg angles around the neutral pose, and whether the robot is perturbed."""
        spread = self.config.start_spread
        goal = {
            name: float(angle + rng.uniform(-spread, spread))
            for name, angle in zip(self.config.start_channels, self.config.start_pose, strict=True)
        }
        if self.config.perturb > 0.0 and not evaluation:
            goal['perturb'] = self.config.perturb
        return goal

    def reward(
        self, before: Array, action: Array, after: Array, history: Sequence[Array]
    ) -> Array:
        """Return ``w - |w - v|``, ``-c mean|a - 2 a' + a''|`` and the costs of tilt and swing."""
        config = self.config
        wanted = config.target_velocity
        velocity = (after[self._x] - before[self._x]) / self.period
        previous = history[-1] if history else action
        earlier = history[-2] if len(history) > 1 else previous
        acceleration = np.abs(action - 2.0 * previous + earlier).mean() * config.action_scale
        tilt = np.abs(roll_pitch(after[self._orientation]))
        # Beyond the limit the task ends: one broken measurement must not outweigh an episode.
        swing = np.minimum(self.front_swing(after), config.swing_limit) - config.swing_free
        return np.array(
            [
                max(wanted - abs(wanted - velocity), -wanted),
                -config.acceleration_cost * acceleration,
                -config.tilt_cost * np.maximum(0.0, tilt - config.tilt_free).sum(),
                -config.swing_cost * np.maximum(0.0, swing).sum(),
            ]
        )

    def terminated(self, after: Array) -> bool:
        """Return whether the robot tilts too far or a front leg is folded under it."""
        tilt = np.abs(roll_pitch(after[self._orientation])).max()
        swing = self.front_swing(after).max()
        return bool(tilt > self.config.tilt_limit or swing > self.config.swing_limit)

    def success(self, trajectory: Trajectory) -> bool:
        """Return whether the robot walked fast enough for the full length, without a fall."""
        return self._walked(trajectory, self.config.success_velocity)

    def metrics(self, trajectory: Trajectory) -> dict[str, float]:
        """Return mean velocity [m/s], distance walked [m], and whether it fell or traversed.

        Terrain is traversed where the robot walks for the full length without a fall, at half the
        velocity of success: it was never told to be as fast there as on the floor.
        """
        x = trajectory.sensors[:, self._x]
        return {
            'velocity': self._velocity(trajectory),
            'walked': float(x[-1] - x[0]),
            'fell': float(trajectory.terminated),
            'traversed': float(self._walked(trajectory, self.config.traverse_velocity)),
        }

    def _walked(self, trajectory: Trajectory, velocity: float) -> bool:
        return (
            not trajectory.terminated
            and len(trajectory.actions) >= self.config.full_length
            and self._velocity(trajectory) >= velocity
        )

    def _velocity(self, trajectory: Trajectory) -> float:
        x = trajectory.sensors[:, self._x]
        return float((x[-1] - x[0]) / (max(1, len(x) - 1) * trajectory.period))
