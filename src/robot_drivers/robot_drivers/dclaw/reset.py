"""The scripted reset: fingers out of the way, valve to its start, fingers to theirs.

Source: ROBEL, dclaw/scripted_reset.py (order of the joints, tolerances, what to do when stuck).
Ours: time is counted in the robot's own clock, and waiting ends as soon as the goal is reached.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import Protocol

import numpy as np

from robot_drivers.dclaw.config import BOTTOM, DclawConfig, JOINTS, MIDDLE, REACHED, TOP
from robot_drivers.errors import NeedsHelpError, ResetFailedError
from robot_drivers.robot import Array, RobotState

VALVE_INDEX = len(JOINTS)
VALVE_REACHED = np.deg2rad(1.0)  # [rad]
AT_REST = 0.1  # [rad/s]
VALVE_TIME = 10.0  # [s] longest turn of the valve
POSE_TIME = 3.0  # [s] longest motion of the fingers
FREE_TIME = 0.75  # [s] of each step out of a tangle
ATTEMPTS = 4  # then a person has to look
FINGERS = range(len(JOINTS))


class Hand(Protocol):
    """What the script needs of the hand."""

    config: DclawConfig

    def read(self) -> RobotState:
        """Return the newest measurement."""

    def move(self, goals: Array) -> None:
        """Send goals, shape (10,), NaN: none."""

    def set_torque(self, indices: Iterable[int], *, on: bool) -> None:
        """Switch servos."""

    def limp(self) -> None:
        """Switch all off."""


def scripted_reset(
    hand: Hand, pose: Array, valve: float | None, timeout: float
) -> Iterator[RobotState]:
    """Yield a state per control period until the hand holds ``pose`` with the valve free.

    Args:
        hand: Any backend.
        pose: Finger angles, shape (9,), rad.
        valve: Angle of the valve [rad], wrapped to one turn; None: leave it.
        timeout: [s] of the robot's clock.
    """
    start = hand.read().stamp
    goal = np.append(pose, np.nan if valve is None else (valve + np.pi) % (2 * np.pi) - np.pi)
    script = _Script(hand, start + timeout, timeout)
    for attempt in range(ATTEMPTS):
        if attempt:
            yield from _disentangle(script, goal)
        hand.set_torque([*TOP, *BOTTOM], on=False)
        hand.set_torque(MIDDLE, on=True)
        chosen = list(MIDDLE)
        if valve is not None:
            hand.set_torque([VALVE_INDEX], on=True)
            chosen.append(VALVE_INDEX)
        turned = yield from script.ramp(chosen, goal, VALVE_TIME)
        hand.set_torque(FINGERS, on=True)
        reached = yield from script.ramp([*FINGERS, *chosen[3:]], goal, POSE_TIME)
        if turned and reached:
            hand.set_torque([VALVE_INDEX], on=False)
            yield hand.read()
            return
    hand.limp()
    raise NeedsHelpError(
        f'the fingers did not reach their start pose in {ATTEMPTS} attempts; free them by hand, '
        'then call ~/enable and reset again'
    )


def _disentangle(script: _Script, goal: Array) -> Iterator[RobotState]:
    """Let go, then bring the joints in one row after the other, from the palm out."""
    hand = script.hand
    hand.set_torque(range(VALVE_INDEX + 1), on=False)
    yield from script.wait(FREE_TIME)
    aside = goal.copy()
    aside[list(TOP)] = np.pi / 4
    for row in (TOP, MIDDLE, BOTTOM):
        hand.set_torque(row, on=True)
        yield from script.ramp(list(row), aside, FREE_TIME)


class _Script:
    """Bounded motions of some of the servos."""

    def __init__(self, hand: Hand, deadline: float, timeout: float) -> None:
        self.hand = hand
        self._deadline = deadline
        self._timeout = timeout
        self._step = hand.config.reset_speed * hand.config.control_period  # [rad] per period

    def ramp(
        self, indices: list[int], goal: Array, longest: float
    ) -> Generator[RobotState, None, bool]:
        """Move servos at a bounded speed; return whether they arrived and rest."""
        state = self.hand.read()
        end = state.stamp + longest
        sent = np.full(VALVE_INDEX + 1, np.nan)
        sent[indices] = state.position[indices]
        tolerance = np.array([REACHED] * VALVE_INDEX + [VALVE_REACHED])
        while state.stamp < end:
            sent[indices] += np.clip(goal[indices] - sent[indices], -self._step, self._step)
            self.hand.move(sent)
            state = yield from self._observe()
            error: Array = np.abs(state.position[indices] - goal[indices])
            at_rest = np.abs(state.velocity[indices]) < AT_REST
            if (error < tolerance[indices]).all() and at_rest.all():
                return True
        return False

    def wait(self, duration: float) -> Iterator[RobotState]:
        """Let time pass, without any torque."""
        end = self.hand.read().stamp + duration
        while self.hand.read().stamp < end:
            self.hand.move(self.hand.read().position)  # limp: only lets lockstep time pass
            yield from self._observe()

    def _observe(self) -> Generator[RobotState, None, RobotState]:
        state = self.hand.read()
        if state.stamp > self._deadline:
            self.hand.limp()
            raise ResetFailedError(
                f'reset took longer than its timeout of {self._timeout} s; the hand is limp'
            )
        yield state
        return state
