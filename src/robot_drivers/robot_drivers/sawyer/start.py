"""Where a reset ends."""

from collections.abc import Mapping

import numpy as np

from robot_drivers.sawyer.description import (
    Array,
    JOINT_NAMES,
    POSITION_LOWER,
    POSITION_UPPER,
    START,
)


def start_positions(goal: Mapping[str, float]) -> Array:
    """Return joint positions of a reset goal, the start pose where it names no joint.

    Raises:
        ValueError: The goal names an unknown joint or a position outside its range.
    """
    unknown = sorted(set(goal) - set(JOINT_NAMES))
    if unknown:
        raise ValueError(f'goal names unknown joints {unknown}; the arm has {list(JOINT_NAMES)}')
    wanted = np.array([goal.get(name, START[i]) for i, name in enumerate(JOINT_NAMES)])
    if not ((wanted >= POSITION_LOWER) & (wanted <= POSITION_UPPER)).all():
        raise ValueError(
            f'goal {wanted} rad is outside the joint ranges {POSITION_LOWER}..{POSITION_UPPER}'
        )
    return wanted
