"""A robot in motion on the wall clock: emulator, real driver, and a policy that commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
import time
from types import TracebackType
from typing import Any, Self

import numpy as np

from robot_drivers.dclaw.config import REST_POSE
from robot_drivers.driver import Driver, ResetResult
from robot_drivers.errors import RobotError
from robot_drivers.faults.rigs import Rig, RIGS
from robot_drivers.minitaur import leg
from robot_drivers.registry import find_robot
from robot_drivers.robot import Array, Connection
from robot_drivers.safety import Level, SafetyConfig
from robot_drivers.sawyer.description import LEARNING_EFFORT
from sac_core.realtime import prefer

PRIORITY = 10  # so that the driver is measured, not the load of the machine
PATIENCE = 3.0  # after which a state counts as not reached [s]
MOTION: Mapping[str, Callable[[float], Array]] = {
    'dclaw': lambda t: np.asarray(REST_POSE + 0.2 * np.sin(2.0 * t)),
    'minitaur': lambda t: np.asarray(leg.NEUTRAL + 0.1 * np.sin(6.0 * t)),
    'sawyer': lambda t: 0.2 * LEARNING_EFFORT * np.cos(3.0 * t),
}


class NotReachedError(Exception):
    """The robot did not get into the state that was to follow."""


def make_driver(robot: str, port: str, **options: Any) -> Driver:
    """Return the real driver of an emulated robot on the wall clock, not connected."""
    kind = find_robot(robot)
    made = kind.create(kind.config(**options), Connection(port, 'sim', 'wall'))
    return Driver(made, SafetyConfig(), 'wall')


class NotMovingError(Exception):
    """The robot did not even begin to move, so no fault was injected."""


def switch_on(driver: Driver) -> None:
    """Connect and enable; an emulator that has just been started may need a moment.

    Raises:
        NotMovingError: It needed too long.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            driver.connect()
            driver.enable()
            return
        except RobotError as error:
            if time.monotonic() > deadline:
                raise NotMovingError(str(error)) from error


class Policy:
    """Lives as node and agent do: cycles at the update rate, commands at the control rate."""

    def __init__(self, robot: str, driver: Driver) -> None:
        """Begin with a command at once."""
        self.commanding = True
        self.driver = driver
        self._motion = MOTION[robot]
        self._begin = time.monotonic()
        self._due = self._next = self._begin

    def turn(self) -> None:
        """Do what is due, after waiting for it."""
        spec, now = self.driver.robot.spec, time.monotonic()
        if now < self._due:
            time.sleep(self._due - now)
        self._due = max(self._due + 1.0 / spec.update_rate, now)
        self.driver.cycle()
        if self.commanding and time.monotonic() >= self._next:
            self._next = max(self._next + spec.control_period, now)
            target = self._motion(now - self._begin)
            self.driver.command(spec.joints, target, spec.mode, 0.0)


class Scene:
    """One emulated robot, moving; as a context manager it starts in motion and cleans up."""

    def __init__(self, robot: str) -> None:
        """Start the emulator and the driver."""
        self.robot = robot
        self.rig: Rig = RIGS[robot]('wall')
        self.driver = make_driver(robot, self.rig.port, **self.rig.driver_options())
        self.policy = Policy(robot, self.driver)
        self.marks: dict[str, Any] = {}  # what a fault remembers between its steps

    def __enter__(self) -> Self:
        prefer(PRIORITY)
        try:
            self._begin()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End everything."""
        if (victim := self.marks.get('victim')) is not None:
            victim.kill()
            victim.communicate()
        self.driver.close()
        self.rig.close()
        prefer(0)

    def _begin(self) -> None:
        """Get the robot moving."""
        switch_on(self.driver)
        if self.robot == 'minitaur':
            self.reset()
        self.policy = Policy(self.robot, self.driver)
        self.live(0.5)
        if self.level is not Level.ACTIVE:
            raise NotMovingError(self.driver.activity)

    @property
    def level(self) -> Level:
        """What the robot may do now."""
        return self.driver.safety.level

    @property
    def limp(self) -> bool:
        """Whether the driver let it go limp by itself."""
        return self.level is Level.LIMP and bool(self.driver.fault)

    def do(self, name: str, *values: object, **arguments: object) -> Any:
        """Inject a fault into the emulator, or look at it."""
        return self.rig.do(name, *values, **arguments)

    def live(self, seconds: float) -> None:
        """Let time pass with the driver at work."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.policy.turn()

    def until(self, condition: Callable[[], object], *, driving: bool = True) -> float:
        """Return the seconds until a condition holds, seen by an onlooker in another thread.

        Args:
            condition: May look at the driver and at the emulator.
            driving: Whether the driver goes on working meanwhile.

        Raises:
            NotReachedError: It did not hold in time.
        """
        begin = time.monotonic()
        with ThreadPoolExecutor(1) as onlooker:
            seen = onlooker.submit(_watch, condition, begin + PATIENCE)
            while not seen.done():
                if driving:
                    self.policy.turn()
                else:
                    time.sleep(0.001)
        if (when := seen.result()) is None:
            raise NotReachedError(f'{self.driver.activity}; {self.driver.robot.health()}')
        return when - begin

    def reset(self) -> ResetResult:
        """Carry out a reset, as the node does."""
        self.driver.start_reset({}, 20.0)
        while True:
            _, result = self.driver.step_reset()
            if result is not None:
                return result
            end = time.monotonic() + self.driver.robot.spec.control_period
            while time.monotonic() < end:
                self.driver.cycle()
                time.sleep(0.004)


def _watch(condition: Callable[[], object], deadline: float) -> float | None:
    """Return when a condition began to hold [s], None if it did not until the deadline."""
    prefer(PRIORITY + 1)
    while not condition():
        if time.monotonic() > deadline:
            return None
        time.sleep(0.001)
    return time.monotonic()
