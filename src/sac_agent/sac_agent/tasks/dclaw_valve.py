"""The D'Claw turns a valve until its coloured prong points to the target.

As published (SAC Algorithms and Applications, run parameters in rail-berkeley/softlearning):
reward ``-2 |d|``, initial angle uniform, target pi. From ROBEL DClawTurn: bonuses near the target
and the success threshold of 0.1 rad. Ours: the bonus has a slope all the way down to the target,
and motion costs a little, without which the deterministic policy waves its fingers for ever.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import pi
from typing import Any, ClassVar

import numpy as np

from sac_agent.angles import wrap
from sac_agent.layout import SensorLayout
from sac_agent.settings import option
from sac_agent.tasks.dclaw_geometry import fingertips, JOINTS
from sac_agent.tasks.task import Array, Task, Trajectory


@dataclass(frozen=True)
class DclawValveConfig:
    """Parameters of the task."""

    valve: str = option('valve_joint', 'Name of the valve joint.')
    source: str = option('joint_states.position', 'Where its angle is.')
    velocity_source: str = option('joint_states.velocity', 'Where its velocity is.')
    target: float = option(pi, 'Angle to reach [rad].', range=(-10.0, 10.0))
    start_low: float = option(-pi, 'Smallest angle after a reset [rad].', range=(-10.0, 10.0))
    start_high: float = option(pi, 'Largest angle after a reset [rad].', range=(-10.0, 10.0))
    tolerance: float = option(0.1, 'Distance that counts as solved [rad].', range=(0.001, 3.2))
    distance_cost: float = option(2.0, 'Reward per rad of distance.', range=(0.0, 100.0))
    bonus: float = option(10.0, 'Reward at the target.', range=(0.0, 100.0))
    bonus_width: float = option(0.15, 'Distance of 37 % of the bonus [rad].', range=(0.001, 3.2))
    progress: float = option(
        0.0, 'Reward per rad that the distance shrinks, a potential.', range=(0.0, 1000.0)
    )
    velocity_cost: float = option(
        0.5, 'Cost per rad/s of the valve at the target.', range=(0.0, 100.0)
    )
    still_width: float = option(
        0.08, 'Distance at which that cost is down to 60 % [rad].', range=(0.001, 3.2)
    )
    finger_cost: float = option(
        1.0, 'Cost per rad/s of the mean finger joint, anywhere.', range=(0.0, 100.0)
    )


class DclawValve(Task):
    """Reward terms: distance, bonus, progress, velocity, motion; d is the wrapped distance."""

    config_type = DclawValveConfig
    reward_names = ('distance', 'bonus', 'progress', 'velocity', 'motion')
    feature_names = (
        'target_error',
        'target_near',
        'target_bonus',
        *(f'tip_{i}_{what}' for what in ('cos', 'sin', 'radius', 'depth') for i in range(3)),
    )
    distance = 'median_distance'
    paper: ClassVar[Mapping[str, float]] = {'steps_image': 300_000, 'hours_state': 3.0}

    def __init__(self, layout: SensorLayout, config: Any, period: float) -> None:
        """Find the valve among the sensor values."""
        super().__init__(layout, config, period)
        self._angle = layout.index(config.source, config.valve)
        self._velocity = layout.index(config.velocity_source, config.valve)
        self._joints = [layout.index(config.source, name) for name in JOINTS]
        prefix = f'{config.velocity_source}['
        self._fingers = [
            i
            for i, name in enumerate(layout.names)
            if name.startswith(prefix) and i != self._velocity
        ]

    def error(self, raw: Array) -> Array:
        """Return the wrapped angle from the target [rad], for raw values (..., S)."""
        return np.asarray(wrap(raw[..., self._angle] - self.config.target))

    def reset_goal(
        self, rng: np.random.Generator, *, evaluation: bool = False
    ) -> dict[str, float]:
        """Return a uniformly random valve angle."""
        return {self.config.valve: rng.uniform(self.config.start_low, self.config.start_high)}

    def reward(
        self, before: Array, action: Array, after: Array, history: Sequence[Array]
    ) -> Array:
        """Return ``-c |d|``, ``b exp(-|d| / w)``, progress, costs of valve and finger speed.

        Progress is the difference of a potential (Ng et al. 1999): it changes no optimal policy,
        but tells at once which push was good.
        """
        config = self.config
        distance = abs(self.error(after))
        solved = np.exp(-0.5 * (distance / config.still_width) ** 2)
        return np.array(
            [
                -config.distance_cost * distance,
                config.bonus * np.exp(-distance / config.bonus_width),
                config.progress * (abs(self.error(before)) - distance),
                -config.velocity_cost * solved * abs(after[self._velocity]),
                -config.finger_cost * np.abs(after[self._fingers]).mean(),
            ]
        )

    def success(self, trajectory: Trajectory) -> bool:
        """Return whether the valve ends within the tolerance."""
        return bool(abs(self.error(trajectory.sensors[-1])) < self.config.tolerance)

    def metrics(self, trajectory: Trajectory) -> dict[str, float]:
        """Return distances to the target [rad]; `median_distance` is the paper's measure."""
        distances = np.abs(self.error(trajectory.sensors[1:]))
        last_second = max(1, round(1.0 / trajectory.period))
        return {
            'median_distance': float(np.median(distances)),
            'final_distance': float(distances[-1]),
            'last_second_distance': float(np.median(distances[-last_second:])),
        }

    def features(self, raw: Array) -> Array:
        """Return distance from the target, whole and close up, and the fingertips, (15,).

        Success is decided within 0.1 rad, which is 0.03 of the distance over pi and nearly nothing
        to a network: hence its tanh and the bonus itself, on the scale of `bonus_width`. A tip's
        angle is given from the nearest prong: the valve has three equal ones, so what a finger
        meets repeats every 120 degrees. Radius and depth are from the prongs' middle.
        """
        angles, radii, depths = fingertips(raw[self._joints])
        phase = 3.0 * (angles - raw[self._angle])
        error = self.error(raw)
        near = error / self.config.bonus_width
        return np.concatenate(
            [
                [error / pi, np.tanh(near), np.exp(-abs(near))],
                np.cos(phase),
                np.sin(phase),
                (radii - 0.07) / 0.05,
                (depths - 0.2) / 0.05,
            ]
        )
