"""What the node does, without ROS: life, commands through the safety layer, resets, faults.

Every error of the robot ends here: the motors go limp, the reason is kept, and nothing moves again
before somebody calls ``enable``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
import time

import numpy as np

from robot_drivers.errors import (
    EstopError,
    NeedsHelpError,
    NotConnectedError,
    NotEnabledError,
    RobotError,
)
from robot_drivers.robot import Array, Clock, Robot, RobotState
from robot_drivers.safety import Level, SafetyConfig, SafetyLayer, Verdict

RETRY_PERIOD = 0.5  # [s] how often a robot with a fault is looked at
RESETTING = 'resetting'  # as Driver.activity says it
REFUSED_IN_RESET = 'a reset is running'


@dataclass(frozen=True)
class Applied:
    """What became of one command."""

    verdict: Verdict
    sent: Array | None  # (J,) what really went out, unit by mode
    state: RobotState | None  # in lockstep, after the control period


@dataclass(frozen=True)
class ResetResult:
    """How a reset ended."""

    success: bool
    message: str
    needs_help: bool = False


class Driver:
    """One robot with its safety layer. Single-threaded; no method waits longer than the robot."""

    def __init__(
        self,
        robot: Robot,
        safety: SafetyConfig,
        clock: Clock,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Touch nothing yet."""
        self.robot = robot
        self.safety = SafetyLayer(robot.spec, safety, robot.guard)
        self.clock = clock
        self.state: RobotState | None = None  # newest good measurement
        self.activated = False  # by a person or in simulation; commands count only then
        self.fault = ''  # why the motors went limp by themselves
        self.counts: Counter[str] = Counter()
        self._monotonic = monotonic
        self._script: Iterator[RobotState] | None = None
        self._next_try = 0.0
        self._lost = False  # the link is gone

    # Life

    def connect(self) -> None:
        """Open the robot, limp.

        Raises:
            RobotError: Not possible.
        """
        self.robot.connect()
        self.state = self.robot.read()
        self.safety.disable('not enabled yet')
        self.fault, self._lost = '', False

    def enable(self) -> None:
        """Switch the motors on, holding still; also the way back from a fault.

        Raises:
            EstopError: The e-stop is latched.
            RobotError: The robot cannot.
        """
        if self.safety.level is Level.ESTOP:
            raise EstopError(f'e-stop is latched ({self.safety.reason}); call ~/clear_estop first')
        self._end_script()
        try:
            self.robot.enable()
            self.state = self.robot.read()
            self.safety.enable(self.state, self.now())
        except RobotError as error:
            self._fail(error)
            raise
        self.fault, self._lost = '', False

    def disable(self, reason: str) -> None:
        """Let the motors go limp."""
        self._end_script()
        self.robot.limp()
        self.safety.disable(reason)

    def estop(self, reason: str) -> None:
        """Let the motors go limp and latch it."""
        self._end_script()
        self.safety.estop(reason)
        self.robot.limp()

    def close(self) -> None:
        """Go limp and close; at any time, also twice."""
        self._end_script()
        self.safety.disable('closed')
        self.robot.close()

    def now(self) -> float:
        """Return the robot's time [s]: counted periods in lockstep, else a monotonic clock."""
        if self.clock == 'lockstep':
            return self.state.stamp if self.state is not None else 0.0
        return self._monotonic()

    @property
    def resetting(self) -> bool:
        """Whether a scripted reset is running."""
        return self._script is not None

    @property
    def activity(self) -> str:
        """Level and reason in one line, for people and the agent."""
        if self.resetting:
            return RESETTING
        reason = self.safety.reason
        return f'{self.safety.level}: {reason}' if reason else str(self.safety.level)

    # Commands

    def command(
        self, names: Sequence[str], values: Sequence[float] | Array, mode: str, age: float
    ) -> Applied:
        """Pass a command through the safety layer to the robot.

        In lockstep a refused command still lets one period pass, holding the last target, as time
        would on a real robot; a robot that is limp or resetting stays where it is.
        """
        nothing = np.zeros(len(self.robot.spec.joints), dtype=bool)
        if self._script is not None:
            self.counts['commands during reset'] += 1
            return Applied(Verdict(None, nothing, (REFUSED_IN_RESET,)), None, None)
        if self.state is None:
            return Applied(Verdict(None, nothing, ('not connected',)), None, None)
        verdict = self.safety.check(
            names, values, state=self.state, now=self.now(), age=age, mode=mode
        )
        if verdict.stop:
            self.robot.limp()
            return Applied(verdict, None, None)
        target = verdict.target
        if target is None:
            self.counts['refused commands'] += 1
            if self.clock == 'wall' or self.safety.level in (Level.LIMP, Level.ESTOP):
                return Applied(verdict, None, None)
            target = self.safety.last_sent
        try:
            sent = self.robot.command(target)
            state = self.read() if self.clock == 'lockstep' else None
        except RobotError as error:
            self._fail(error)
            return Applied(verdict, None, None)
        return Applied(verdict, sent, state)

    def commander_lost(self) -> None:
        """Hold at once: who sent commands died or is out of reach; the next command goes on."""
        if self._script is None and self.state is not None and self.safety.commander_lost():
            try:
                self._hold(self.state)
            except RobotError as error:
                self._fail(error)

    def read(self) -> RobotState:
        """Return a new measurement.

        Raises:
            RobotError: There is none; see ``cycle`` for what to do then.
        """
        state = self.robot.read()
        self.state = state
        if state.interrupted:
            self.counts['interruptions'] += 1
            self.safety.held(state, self.now())
        return state

    def cycle(self) -> RobotState | None:
        """Do the periodic work of wall clock mode; return a new state, if there is one.

        In lockstep, only look at the robot, so that late joiners see it: no time passes.
        """
        if self.fault and self._monotonic() < self._next_try:
            return None
        try:
            if self._lost:
                self.robot.connect()
                self._lost = False
            if self.clock == 'wall':
                self.robot.update()
            state = self.read()
            if self.clock == 'wall' and self._script is None:
                self._watch(state)
        except RobotError as error:
            self._fail(error)
            return None
        return state

    # Reset

    def start_reset(self, goal: Mapping[str, float], timeout: float) -> None:
        """Begin the scripted reset; ``step_reset`` goes on with it.

        Raises:
            ValueError: The goal is impossible.
            NotEnabledError: The robot is limp.
        """
        if self._script is not None:
            raise NotEnabledError('a reset is running already; wait for its end')
        if self.safety.level in (Level.LIMP, Level.ESTOP):
            raise NotEnabledError(
                f'the robot is {self.safety.level} ({self.fault or self.safety.reason}); '
                'clear that and call ~/enable first'
            )
        if not 0.0 < timeout < float('inf'):
            raise ValueError(f'timeout must be positive, got {timeout} s')
        for name, value in goal.items():
            if not np.isfinite(value):
                raise ValueError(f'{name} must be finite, got {value}')
        self._script = self.robot.reset(goal, timeout)

    def step_reset(self) -> tuple[RobotState | None, ResetResult | None]:
        """Do one piece of the reset; return the state after it, and the result at its end."""
        script = self._script
        if script is None:
            return None, ResetResult(False, f'interrupted: {self.activity}')
        try:
            self.state = next(script)
        except StopIteration:
            self._script = None
            if self.state is not None:
                self.safety.seed(self.state, self.now())
            return None, ResetResult(True, 'start pose reached')
        except NeedsHelpError as error:
            self._fail(error)
            return None, ResetResult(False, str(error), needs_help=True)
        except RobotError as error:
            self._fail(error)
            return None, ResetResult(False, str(error))
        return self.state, None

    # Inside

    def _watch(self, state: RobotState) -> None:
        """Act when commands stop coming."""
        before = self.safety.level
        level = self.safety.watch(self.now())
        if level is before:
            return
        if level is Level.HOLD:
            self._hold(state)
        elif level is Level.LIMP:
            self.robot.limp()

    def _hold(self, state: RobotState) -> None:
        self.robot.hold(state)
        self.safety.held(state, self.now())

    def _fail(self, error: RobotError) -> None:
        """Go limp, remember why."""
        self._end_script()
        if str(error) != self.fault:
            self.counts['faults'] += 1
        self.fault = str(error)
        self._lost = self._lost or isinstance(error, NotConnectedError)
        self.safety.disable(self.fault)
        if not self._lost:
            self.robot.limp()
        self._next_try = self._monotonic() + RETRY_PERIOD

    def _end_script(self) -> None:
        if self._script is not None:
            close = getattr(self._script, 'close', None)
            self._script = None
            if close is not None:
                close()
