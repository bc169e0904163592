"""What can be wrong with where joints stand and how they answer, free of ROS."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sac_agent.tools.checks import Array, Problem


def check_position(
    names: Sequence[str], position: Array, low: Array, high: Array, slack: float = 0.05
) -> list[Problem]:
    """Return the joints that stand outside their limits by more than `slack` of the range."""
    problems = []
    margin = slack * (high - low)
    for i, name in enumerate(names):
        if not low[i] - margin[i] <= position[i] <= high[i] + margin[i]:
            problems.append(
                Problem(
                    'limit',
                    f'{name} stands at {position[i]:.3f}, outside its limits [{low[i]:.3f}, '
                    f'{high[i]:.3f}]; check zero, unit and sign, or move it by hand',
                )
            )
    return problems


@dataclass(frozen=True)
class Nudge:
    """What one joint did when it was asked to move a little.

    Attributes:
        joint: Index of the joint.
        asked: Motion it was asked for; only its sign where the size cannot be known.
        moved: Change of every joint's position, (J,).
        delay: Command to first visible motion [s], NaN if none was seen.
        sized: Whether the size of the motion is known, as it is not for efforts.
    """

    joint: int
    asked: float
    moved: Array
    delay: float
    sized: bool = True


def check_nudge(names: Sequence[str], nudge: Nudge, period: float) -> list[Problem]:
    """Return what was wrong with the answer of a joint."""
    if not nudge.sized:
        return _check_push(names, nudge)
    name, asked = names[nudge.joint], nudge.asked
    moved = nudge.moved[nudge.joint]
    others = np.abs(np.delete(nudge.moved, nudge.joint))
    if abs(moved) < 0.2 * abs(asked):
        if others.size and others.max() > 0.5 * abs(asked):
            index = int(np.argmax(np.where(np.arange(len(names)) == nudge.joint, 0.0,
                                           np.abs(nudge.moved))))  # fmt: skip
            return [
                Problem(
                    'joint-swapped', f'{name} was commanded, {names[index]} moved; check the order'
                )
            ]
        return [
            Problem(
                'no-motion',
                f'{name} was asked to move by {asked:.4f} and moved by {moved:.4f}; is the driver '
                'active, are the motors on, is it blocked?',
            )
        ]
    if moved * asked < 0:
        return [
            Problem(
                'sign',
                f'{name} was asked to move by {asked:.4f} and moved by {moved:.4f}: the wrong way',
            )
        ]
    if abs(moved) > 2.5 * abs(asked):
        return [
            Problem(
                'gain',
                f'{name} was asked to move by {asked:.4f} and moved by {moved:.4f}; check '
                'the unit',
            )
        ]
    if nudge.delay > 3 * period:
        return [
            Problem(
                'latency',
                f'{name} began to move {1e3 * nudge.delay:.0f} ms after the command, more than '
                f'three control periods ({1e3 * period:.0f} ms)',
            )
        ]
    return []


def _check_push(names: Sequence[str], nudge: Nudge) -> list[Problem]:
    """Return what was wrong with the answer to an effort, which friction may swallow."""
    most = int(np.argmax(np.abs(nudge.moved)))
    moved = nudge.moved[nudge.joint]
    if np.isnan(nudge.delay):
        return []
    if most != nudge.joint and abs(nudge.moved[most]) > 5 * abs(moved):
        return [
            Problem(
                'joint-swapped',
                f'{names[nudge.joint]} was pushed, {names[most]} moved; check the order',
            )
        ]
    if moved * nudge.asked < 0:
        return [
            Problem(
                'sign',
                f'{names[nudge.joint]} was pushed {"up" if nudge.asked > 0 else "down"} and moved '
                f'by {moved:.4f}: the wrong way',
            )
        ]
    return []
