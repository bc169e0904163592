"""The joint controller: a PD law on the PWM duty, the same on every host of the loop.

It runs at 500 to 1000 Hz inside the (emulated) motor controller and at up to 250 Hz in the ROS
node for robots that take torques. Law and gains: bulletphysics/bullet3, minitaur/envs/motor.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Gains:
    """Gains on the duty, not on the torque.

    With 16 V, kp 1.0 is 8.2 Nm/rad around zero; the loop tolerates about 3 ms of delay at these
    values.
    """

    kp: float = 1.0  # [1/rad]
    kd: float = 0.015  # [s/rad]

    def __post_init__(self) -> None:
        """Refuse gains that no such loop survives; NaN included."""
        for name, limit in (('kp', 10.0), ('kd', 1.0)):
            if not 0.0 <= getattr(self, name) <= limit:
                raise ValueError(f'{name} must be in [0, {limit}], got {getattr(self, name)}')


def duty(position: Array, velocity: Array, target: Array, gains: Gains) -> Array:
    """Return ``clip(-kp (q - q*) - kd qd, -1, 1)`` for arrays of any one shape [rad], [rad/s]."""
    result = gains.kp * (target - position)
    result -= gains.kd * velocity
    np.minimum(result, 1.0, out=result)
    np.maximum(result, -1.0, out=result)
    return np.asarray(result)
