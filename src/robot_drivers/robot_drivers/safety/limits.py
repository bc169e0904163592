"""What a robot's limits leave of a target."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from robot_drivers.robot import Array, RobotSpec, RobotState

Workspace = Callable[[Array, RobotState], tuple[Array, str]]


class Limits:
    """One method per limit: the target within it, and why it differs, '' if it does not.

    Attributes:
        last_sent: The last target that went out, shape (J,), unit by mode.
    """

    def __init__(self, spec: RobotSpec, workspace: Workspace | None = None) -> None:
        """Begin with nothing sent; ``workspace`` is usually ``Robot.guard``."""
        self._spec = spec
        self._guard = workspace
        self._last_time = 0.0
        self.last_sent = np.zeros(len(spec.joints))

    def seed(self, state: RobotState, now: float) -> None:
        """Take the measured state as what was sent last."""
        if self._spec.mode == 'position':
            measured = state.position[: len(self._spec.joints)]
            self.last_sent = np.clip(measured, self._spec.lower, self._spec.upper)
        else:
            self.last_sent = np.zeros(len(self._spec.joints))
        self._last_time = now - self._spec.control_period  # the first command has its full period

    def send(self, target: Array, now: float) -> Array:
        """Remember what goes out, which is never beyond the robot's own range; return it."""
        sent = np.clip(target, self._spec.command_lower, self._spec.command_upper)
        self.last_sent, self._last_time = sent.copy(), now
        return sent

    def effort(self, target: Array, state: RobotState, now: float) -> tuple[Array, str]:
        """Clip efforts and their rate; in other modes, unload joints that measure too much."""
        limit = self._spec.effort_limit
        if self._spec.mode == 'effort':
            limited = np.clip(target, -limit, limit)
            rate = self._spec.effort_rate_limit
            step = np.full(rate.shape, np.inf)  # infinity times no time is not a number
            np.multiply(rate, self._elapsed(now), out=step, where=np.isfinite(rate))
            limited = np.clip(limited, self.last_sent - step, self.last_sent + step)
            bad = limited != target
        else:
            count = len(self._spec.joints)
            measured = state.effort[:count]
            bad = np.abs(measured) > limit
            rest = state.position[:count] if self._spec.mode == 'position' else np.zeros(count)
            limited = np.where(bad, rest, target)
        return limited, f'{self._joints(bad)} beyond {limit[bad]} Nm' if bad.any() else ''

    def position(self, target: Array, state: RobotState, now: float) -> tuple[Array, str]:
        """Clip positions; in other modes, let nothing push a joint further out."""
        del now
        lower, upper = self._spec.lower, self._spec.upper
        if self._spec.mode == 'position':
            limited = np.clip(target, lower, upper)
        else:
            measured = state.position[: len(self._spec.joints)]
            outward = ((measured > upper) & (target > 0)) | ((measured < lower) & (target < 0))
            limited = np.where(outward, 0.0, target)
        bad = limited != target
        return limited, f'{self._joints(bad)} beyond the joint limits' if bad.any() else ''

    def velocity(self, target: Array, state: RobotState, now: float) -> tuple[Array, str]:
        """Limit the rate of position targets; in effort mode, never accelerate a fast joint."""
        limit = self._spec.velocity_limit
        if self._spec.mode == 'position':
            step = limit * self._elapsed(now)
            limited = np.clip(target, self.last_sent - step, self.last_sent + step)
        elif self._spec.mode == 'velocity':
            limited = np.clip(target, -limit, limit)
        else:
            measured = state.velocity[: len(self._spec.joints)]
            faster = (np.abs(measured) > limit) & (measured * target > 0)
            limited = np.where(faster, 0.0, target)
        bad = np.abs(limited - target) > 1e-9
        return limited, f'{self._joints(bad)} faster than {limit[bad]} rad/s' if bad.any() else ''

    def workspace(self, target: Array, state: RobotState, now: float) -> tuple[Array, str]:
        """Ask the robot's own guard."""
        del now
        return (target, '') if self._guard is None else self._guard(target, state)

    def _elapsed(self, now: float) -> float:
        """Time since the last sent target, so that neither bursts nor pauses gain anything."""
        return float(np.clip(now - self._last_time, 0.0, self._spec.control_period))

    def _joints(self, bad: NDArray[np.bool_]) -> list[str]:
        return [name for name, flag in zip(self._spec.joints, bad, strict=True) if flag]
