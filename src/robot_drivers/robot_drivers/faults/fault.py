"""One fault, how it is injected, and what became of the robot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
import time

from robot_drivers.errors import RobotError
from robot_drivers.faults.scene import NotMovingError, NotReachedError, Scene
from robot_drivers.safety import Level

ATTEMPTS = 5  # to get a robot moving
LIMIT = 0.1  # [s] for all, but for what a robot or its control rate is slower at by design


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong."""

    robot: str
    name: str
    state: str  # that must be reached, in words
    inject: Callable[[Scene], object]
    reached: Callable[[Scene], object]
    limit: float = LIMIT  # [s]
    why: str = ''  # the limit is longer than LIMIT
    driving: bool = True  # whether the driver works on
    says: str = ''  # part of the reason that the driver gives
    recovers: Callable[[Scene], object] | None = None  # mends it; then `enable` must bring it back

    @property
    def id(self) -> str:
        """Robot and name as one word."""
        return f'{self.robot}-{self.name}'.replace(' ', '-')


@dataclass(frozen=True)
class Outcome:
    """What became of a robot after a fault."""

    fault: Fault
    seconds: float | None  # until the state was reached; None: it was not
    wrong: str = ''  # promise that was not kept

    @property
    def passed(self) -> bool:
        """Whether everything was as it must be."""
        return self.seconds is not None and self.seconds <= self.fault.limit and not self.wrong


def run(fault: Fault) -> Outcome:
    """Inject one fault into a moving robot and see what follows.

    A robot that does not begin to move is tried again: a loaded machine may be too slow for it.
    """
    reason = ''
    for _ in range(ATTEMPTS):
        try:
            return _run(fault)
        except NotMovingError as error:
            reason = str(error)
    return Outcome(fault, None, f'the robot never began to move: {reason}')


def _run(fault: Fault) -> Outcome:
    with Scene(fault.robot) as scene:
        scene.marks['state'] = scene.driver.state
        if fault.robot == 'dclaw':
            scene.do('status')  # forgets watchdogs that tripped before
        begin = time.monotonic()
        fault.inject(scene)
        injected = time.monotonic()
        try:
            seconds = scene.until(lambda: fault.reached(scene), driving=fault.driving)
        except NotReachedError as error:
            return Outcome(fault, None, str(error))
        seconds += injected - scene.marks.get('sent', begin)
        if fault.says not in scene.driver.fault:
            return Outcome(fault, seconds, f'the driver says {scene.driver.fault!r}')
        return Outcome(fault, seconds, _recovery(fault, scene))


def _recovery(fault: Fault, scene: Scene) -> str:
    """Return what is wrong with the way back: only a person's `enable` may lead there."""
    if fault.recovers is None:
        return ''
    scene.live(0.2)
    if scene.level is not Level.LIMP:
        return f'the robot left the fault by itself: {scene.driver.activity}'
    fault.recovers(scene)
    scene.live(0.6)  # a lost link is looked for every half second
    if scene.level is not Level.LIMP:
        return f'the robot was enabled by nobody: {scene.driver.activity}'
    try:
        scene.driver.enable()
        scene.until(lambda: scene.level is Level.ACTIVE and not scene.driver.fault)
    except (NotReachedError, RobotError) as error:
        return f'enable did not bring it back: {error}'
    return ''
