"""The last hop before the motors: what every command of every robot must pass.

Pure and clock-free: time comes in as an argument, in robot time [s] (counted periods in lockstep,
a monotonic clock otherwise). The layer decides; the node carries the decision out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from robot_drivers.errors import EstopError, NotEnabledError
from robot_drivers.robot import Array, RobotSpec, RobotState
from robot_drivers.safety.config import Response, SafetyConfig
from robot_drivers.safety.limits import Limits, Workspace


class Level(StrEnum):
    """What the robot may do now."""

    LIMP = 'limp'  # nobody has enabled it
    ACTIVE = 'active'
    HOLD = 'hold'  # commands stopped coming; the next good one goes on
    ESTOP = 'estop'  # latched until a person clears it; limp


@dataclass(frozen=True)
class Verdict:
    """What became of one command."""

    target: Array | None  # (J,) to send, unit by mode, in RobotSpec.joints order; None: nothing
    clipped: NDArray[np.bool_]  # (J,)
    reasons: tuple[str, ...] = ()  # one text per failed check, worst last
    stop: bool = False  # the e-stop was latched by this command


class SafetyLayer:
    """Decides what of each command reaches the motors. Never enables anything by itself."""

    def __init__(
        self, spec: RobotSpec, config: SafetyConfig, workspace: Workspace | None = None
    ) -> None:
        """Start limp; ``workspace`` is usually ``Robot.guard``."""
        self.spec = spec
        self.config = config
        self.counts: Counter[str] = Counter()  # failed checks by name, for diagnostics
        self.reason = 'not enabled yet'  # why the level is what it is
        self._limits = Limits(spec, workspace)
        self._level = Level.LIMP
        self._index = {name: i for i, name in enumerate(spec.joints)}
        self._heard = float('nan')  # time of the last good command; NaN: none since enable

    def configure(self, config: SafetyConfig) -> None:
        """Take other responses and time-outs from the next command on; changes no level."""
        self.config = config

    @property
    def command_timeout(self) -> float:
        """Silence after which the robot holds still [s]."""
        return self.config.command_timeout or 1.5 * self.spec.control_period

    @property
    def level(self) -> Level:
        """What the robot may do now."""
        return self._level

    @property
    def last_sent(self) -> Array:
        """The last target that went out, shape (J,), unit by mode."""
        return self._limits.last_sent.copy()

    def enable(self, state: RobotState, now: float) -> None:
        """Accept commands from here on, with the measured state as the last sent target.

        Raises:
            EstopError: The e-stop is latched.
            NotEnabledError: The measured state is not finite.
        """
        if self._level is Level.ESTOP:
            raise EstopError(f'e-stop is latched ({self.reason}); clear it before enabling')
        if not np.isfinite(state.position).all():
            raise NotEnabledError(f'measured position {state.position} is not finite')
        self._level, self.reason = Level.ACTIVE, ''
        self.seed(state, now)

    def seed(self, state: RobotState, now: float) -> None:
        """Take the measured state as the last sent target, e.g. after a reset; rests the watchdog.

        The watchdog waits for the first command again: a robot that holds harms nobody.
        """
        self._limits.seed(state, now)
        self._heard = float('nan')

    def held(self, state: RobotState, now: float) -> None:
        """Take note that the robot holds where ``state`` was measured; the watchdog runs on."""
        heard = self._heard
        self.seed(state, now)
        self._heard = heard

    def disable(self, reason: str) -> None:
        """Accept nothing until ``enable``; keeps a latched e-stop."""
        if self._level is not Level.ESTOP:
            self._level, self.reason = Level.LIMP, reason

    def estop(self, reason: str) -> None:
        """Latch the e-stop. The caller makes the motors limp."""
        self._level, self.reason = Level.ESTOP, reason
        self.counts['estop'] += 1

    def clear_estop(self) -> None:
        """Release the latch; the robot stays limp until ``enable``."""
        if self._level is Level.ESTOP:
            self._level, self.reason = Level.LIMP, 'e-stop cleared, not enabled yet'

    def watch(self, now: float) -> Level:
        """Apply the command time-outs and return the level; the caller acts on a change.

        ACTIVE becomes HOLD after ``command_timeout`` and LIMP after ``limp_timeout`` of silence.
        """
        silence = now - self._heard  # NaN before the first command: no comparison holds
        if self._level in (Level.ACTIVE, Level.HOLD):
            if 0.0 < self.config.limp_timeout < silence:
                self._level = Level.LIMP
                self.reason = f'no command for {silence:.2f} s; enable again'
                self.counts['limp_timeout'] += 1
            elif silence > self.command_timeout and self._level is Level.ACTIVE:
                self._level = Level.HOLD
                self.reason = f'no command for {silence:.2f} s'
                self.counts['command_timeout'] += 1
        return self._level

    def commander_lost(self) -> bool:
        """Turn ACTIVE into HOLD if a command was carried out; return whether that is so.

        For a commander that is known to be gone; `watch` waits for its silence.
        """
        if self._level is not Level.ACTIVE or np.isnan(self._heard):
            return False
        self._level, self.reason = Level.HOLD, 'whoever commands died or is out of reach'
        self.counts['commander_lost'] += 1
        return True

    def check(
        self,
        names: Sequence[str],
        values: Sequence[float] | Array,
        *,
        state: RobotState,
        now: float,
        age: float = 0.0,
        mode: str | None = None,
    ) -> Verdict:
        """Decide about one command; counts failed checks and remembers what will be sent.

        Args:
            names: Joint names in any order.
            values: One value per name, unit by mode.
            state: Newest measurement.
            now: Robot time [s], not decreasing.
            age: Now minus the command's own stamp [s].
            mode: The command's mode; None: the robot's own.
        """
        reasons: list[str] = []
        nothing = np.zeros(len(self.spec.joints), dtype=bool)
        if self._level in (Level.LIMP, Level.ESTOP):
            self.counts['not_enabled'] += 1
            return Verdict(None, nothing, (f'robot is {self._level}: {self.reason}',))
        target = np.zeros(len(self.spec.joints))
        malformed, reason = self._malformed(names, values, mode, target)
        if not malformed and not abs(age) <= self.config.max_command_age:  # also NaN
            malformed = 'age'
            reason = f'command is {age:.3f} s old, at most {self.config.max_command_age} s allowed'
        if malformed:
            response = self.config.response(malformed)
            if malformed == 'age' and response == Response.OFF:
                malformed = ''
            elif malformed == 'age' and response == Response.WARN:
                self._count(malformed, reason, reasons)
            else:
                if response != Response.OFF:
                    self._count(malformed, reason, reasons)
                return self._refuse(nothing, reasons, response)
        wanted = target
        for check, limit in (
            ('effort', self._limits.effort),
            ('position', self._limits.position),
            ('velocity', self._limits.velocity),
            ('workspace', self._limits.workspace),
        ):
            response = self.config.response(check)
            if response == Response.OFF:
                continue
            limited, reason = limit(target, state, now)
            if reason:
                self._count(check, reason, reasons)
                if response == Response.STOP:
                    return self._refuse(nothing, reasons, response)
                if response == Response.CLIP:
                    target = limited
        if not np.isfinite(target).all():  # a workspace hook gone wrong
            self._count('finite', f'target became {target}', reasons)
            return self._refuse(nothing, reasons, Response.STOP)
        # Whatever the responses, nothing beyond the robot's own range leaves this layer.
        target = self._limits.send(target, now)
        self._heard = now
        self._level, self.reason = Level.ACTIVE, ''
        return Verdict(target, target != wanted, tuple(reasons))

    def _count(self, check: str, reason: str, reasons: list[str]) -> None:
        self.counts[check] += 1
        reasons.append(f'{check}: {reason}')

    def _refuse(self, clipped: NDArray[np.bool_], reasons: list[str], response: str) -> Verdict:
        stop = response == Response.STOP
        if stop:
            self.estop('; '.join(reasons))
        return Verdict(None, clipped, tuple(reasons), stop)

    def _malformed(
        self, names: Sequence[str], values: Sequence[float] | Array, mode: str | None, out: Array
    ) -> tuple[str, str]:
        """Fill ``out`` in spec order, or return the failed check and its reason."""
        if mode is not None and mode != self.spec.mode:
            return 'mode', f'command is in mode {mode}, the robot takes {self.spec.mode}'
        if len(names) != len(values):
            return 'shape', f'{len(values)} values for {len(names)} names'
        if len(names) != len(self._index) or set(names) != self._index.keys():
            return 'names', f'got joints {list(names)}, need each of {list(self._index)} once'
        for name, value in zip(names, values, strict=True):
            out[self._index[name]] = value
        if not np.isfinite(out).all():
            return 'finite', f'values {list(values)} are not all finite'
        return '', ''
