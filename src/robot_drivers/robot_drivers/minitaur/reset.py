"""The reset of Minitaur: where it begins, the motion onto the feet, and whether it got there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import numpy as np

from robot_drivers.errors import NeedsHelpError, NotEnabledError, ResetFailedError
from robot_drivers.minitaur.measurement import tilt
from robot_drivers.minitaur.start import start_motion
from robot_drivers.robot import Array, RobotSpec, RobotState

UPRIGHT = 0.35  # tilt below which a start counts as good [rad]
REACHED = 0.35  # distance to the start pose: the legs give way by 0.12 rad under the body [rad]


class Walker(Protocol):
    """What a reset needs of the robot."""

    spec: RobotSpec
    fallen: str

    @property
    def enabled(self) -> bool:
        """Whether the motors follow commands."""

    def command(self, target: Array) -> Array:
        """Send leg angles, shape (8,), rad."""

    def read(self) -> RobotState:
        """Return the newest measurement."""

    def limp(self) -> None:
        """Switch the motors off."""

    def switch_on(self) -> None:
        """Switch on what the controller has switched off."""

    def put_down(self, place: Mapping[str, float]) -> None:
        """Simulation: pick the robot up and set it down, legs at pi/2."""


def rise(
    robot: Walker, pose: Array, place: Mapping[str, float] | None, timeout: float
) -> Iterator[RobotState]:
    """Yield a state per control period until the robot stands in ``pose``.

    Args:
        robot: Enabled.
        pose: Leg angles to stand in, shape (8,), rad.
        place: Where the simulated robot is put first; None: it rises from where it is.
        timeout: [s] of the robot's clock.

    Raises:
        NotEnabledError: The motors are limp.
        NeedsHelpError: It lies, and nobody can put it on its feet.
        ResetFailedError: It took too long, or does not stand at the end.
    """
    if not robot.enabled:
        raise NotEnabledError('Minitaur is limp; enable it before a reset')
    begin: float | None = None
    state: RobotState | None = None
    for target in start_motion(pose, robot.spec.control_period, _origin(robot, place)):
        robot.command(target)
        state = robot.read()
        yield state
        begin = state.stamp if begin is None else begin
        if state.stamp - begin > timeout:
            raise ResetFailedError(f'reset took longer than {timeout} s; allow about 2 s')
    assert state is not None
    error = float(np.abs(state.position[:8] - pose).max())
    if tilt(state) > UPRIGHT or error > REACHED:
        raise ResetFailedError(
            f'after the reset the tilt is {tilt(state):.2f} rad (at most {UPRIGHT}) and the '
            f'legs are {error:.2f} rad off (at most {REACHED}); check legs and ground'
        )


def _origin(robot: Walker, place: Mapping[str, float] | None) -> Array | None:
    """Return the legs (8,) [rad] a reset starts from; None where it was put in place."""
    if place is not None:
        robot.put_down(place)
        return None
    state = robot.read()
    if robot.fallen or tilt(state) > UPRIGHT:
        robot.limp()
        raise NeedsHelpError(
            f'Minitaur lies at a tilt of {tilt(state):.2f} rad; put it on its feet, '
            'legs under the body, enable it and reset again'
        )
    robot.switch_on()
    return state.position[:8]
