"""A robot that exists only here, and a driver on it with a clock that stands still."""

from __future__ import annotations

import numpy as np

from robot_drivers.driver import Driver
from robot_drivers.robot import Robot, RobotSpec, RobotState
from robot_drivers.safety import SafetyConfig

JOINTS = ('a', 'b')


class FakeRobot(Robot):
    """Goes where it is told at once; `errors` are raised by the calls they are put under."""

    def __init__(self, mode: str = 'position') -> None:
        self.spec = RobotSpec('fake', JOINTS, mode, -1.0, 1.0, 5.0, 2.0, control_period=0.1)
        self.errors: dict[str, Exception] = {}
        self.calls: list[str] = []
        self.sent: list[np.ndarray] = []
        self.on = False
        self.interrupted = ''
        self._position = np.zeros(2)
        self._stamp = 0.0

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name in self.errors:
            raise self.errors[name]

    def connect(self) -> None:
        self._call('connect')

    def enable(self) -> None:
        self._call('enable')
        self.on = True

    def read(self) -> RobotState:
        self._call('read')
        zero = np.zeros(2)
        reason, self.interrupted = self.interrupted, ''
        return RobotState(self._stamp, self._position.copy(), zero, zero, interrupted=reason)

    def _write(self, target) -> None:
        self._call('write')
        assert self.on
        self._position = target
        self._stamp += 0.1
        self.sent.append(target)

    def reset(self, goal, timeout):
        for _ in range(3):
            self._call('reset')
            self._write(np.array([goal.get(name, 0.0) for name in JOINTS]))
            yield self.read()

    def limp(self) -> None:
        self.on = False

    def close(self) -> None:
        self.calls.append('close')
        self.limp()


class Time:
    """A clock that stands still unless told otherwise."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def start(clock: Time, kind: str = 'lockstep', mode: str = 'position', **safety) -> Driver:
    driver = Driver(FakeRobot(mode), SafetyConfig(**safety), kind, monotonic=clock)
    driver.connect()
    driver.enable()
    return driver


def command(driver: Driver, values=(0.1, 0.2), mode='position'):
    return driver.command(JOINTS, values, mode, 0.0)
