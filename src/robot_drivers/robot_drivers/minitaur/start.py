"""How Minitaur gets onto its feet: the same commands on the robot, the emulator and the twin.

Hold pi/2 for 0.2 s, ramp to the start pose in 0.5 s, stand for 0.3 s. A robot that lies somewhere
else first gets to pi/2 in 0.5 s. Source: the hold of 100 simulation steps and the half-second ramp
are from bulletphysics/bullet3, minitaur.py; the rest is ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from robot_drivers.minitaur import leg

Array = NDArray[np.float64]

HOLD, RAMP, STAND = 0.2, 0.5, 0.3  # [s]
LYING = np.array([0.0] * 4 + [np.pi / 2] * 4)  # leg space [rad]
PLACES = ('base_x', 'base_y', 'base_yaw')  # only a simulated robot can be put somewhere
PERTURB = 'perturb'  # scale of perturbation.py; what is not simulated ignores it


def start_pose(goal: Mapping[str, float]) -> Array:
    """Return the leg angles (8,) [rad] a goal asks for: neutral, where it does not say otherwise.

    Raises:
        ValueError: A name is no leg channel, place or `PERTURB`, a value not finite or too far.
    """
    pose = leg.NEUTRAL.copy()
    for name, value in goal.items():
        if not np.isfinite(value):
            raise ValueError(f'{name} must be finite, got {value}')
        if name in leg.LEG_CHANNELS:
            pose[leg.LEG_CHANNELS.index(name)] = value
        elif name not in (*PLACES, PERTURB):
            known = (*leg.LEG_CHANNELS, *PLACES, PERTURB)
            raise ValueError(f'cannot reset {name!r}; known are {known}')
    if (abs(pose[:4]) > 0.5).any() or (abs(pose[4:] - leg.NEUTRAL_EXTENSION) > 0.5).any():
        raise ValueError(
            f'start pose {pose} must be within 0.5 rad of swing 0, '
            f'extension {leg.NEUTRAL_EXTENSION}'
        )
    return pose


def start_motion(pose: Array, period: float, origin: Array | None = None) -> Iterator[Array]:
    """Yield the leg-space target (8,) [rad] of each control period [s] on the way to ``pose``.

    ``origin`` is where the legs are now, None if they are at pi/2 already.
    """
    if origin is not None:
        yield from _ramp(origin, LYING, period)
    for _ in range(round(HOLD / period)):
        yield LYING.copy()
    yield from _ramp(LYING, pose, period)
    for _ in range(round(STAND / period)):
        yield pose.copy()


def _ramp(start: Array, end: Array, period: float) -> Iterator[Array]:
    count = round(RAMP / period)
    for i in range(1, count + 1):
        yield start + (end - start) * (i / count)
