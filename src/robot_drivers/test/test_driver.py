"""The driver's core on a robot that exists only in this file: faults, resets, time-outs."""

from __future__ import annotations

import numpy as np
import pytest

from robot_drivers.driver import Driver
from robot_drivers.errors import (
    EstopError,
    MotorFaultError,
    NeedsHelpError,
    NotConnectedError,
    NotEnabledError,
    ResetFailedError,
)
from robot_drivers.node.pacing import Pacer
from robot_drivers.registry import BUILT_IN, find_robot
from robot_drivers.robot import Robot, RobotSpec, RobotState
from robot_drivers.safety import Level, SafetyConfig

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


@pytest.fixture
def clock() -> Time:
    return Time()


def start(clock: Time, kind: str = 'lockstep', mode: str = 'position', **safety) -> Driver:
    driver = Driver(FakeRobot(mode), SafetyConfig(**safety), kind, monotonic=clock)
    driver.connect()
    driver.enable()
    return driver


def command(driver: Driver, values=(0.1, 0.2), mode='position'):
    return driver.command(JOINTS, values, mode, 0.0)


def test_connecting_switches_nothing_on(clock):
    driver = Driver(FakeRobot(), SafetyConfig(), 'lockstep', monotonic=clock)
    driver.connect()
    assert not driver.robot.on
    assert command(driver).sent is None
    assert driver.robot.sent == []


def test_command_in_lockstep_is_answered_with_the_state_after_it(clock):
    applied = command(start(clock))
    np.testing.assert_allclose(applied.sent, [0.1, 0.2])
    np.testing.assert_allclose(applied.state.position, [0.1, 0.2])
    assert applied.state.stamp == pytest.approx(0.1)


def test_refused_command_in_lockstep_holds_the_last_target_for_a_period(clock):
    driver = start(clock)
    command(driver)
    applied = command(driver, (np.nan, 0.0))
    np.testing.assert_allclose(applied.sent, [0.1, 0.2])
    assert applied.state.stamp == pytest.approx(0.2)
    assert 'finite' in applied.verdict.reasons[0]


def test_refused_command_in_wall_clock_sends_nothing(clock):
    driver = start(clock, 'wall')
    assert command(driver, (np.nan, 0.0)).sent is None
    assert driver.robot.sent == []


@pytest.mark.parametrize('where', ['read', 'write'])
def test_fault_leaves_the_robot_limp_until_enabled(clock, where):
    driver = start(clock)
    driver.robot.errors[where] = MotorFaultError('motor 7 is hot; let it cool')
    assert command(driver).sent is None
    assert not driver.robot.on
    assert driver.safety.level is Level.LIMP
    assert driver.fault == 'motor 7 is hot; let it cool'
    driver.robot.errors.clear()
    assert command(driver).sent is None
    clock.now += 1.0
    assert driver.cycle() is not None  # visible again, but limp
    assert not driver.robot.on
    assert 'hot' in driver.activity
    driver.enable()
    assert driver.fault == ''
    assert command(driver).sent is not None


def test_lost_robot_is_looked_for_and_not_enabled(clock):
    driver = start(clock, 'wall')
    driver.robot.errors['read'] = NotConnectedError('bus went away')
    assert driver.cycle() is None
    driver.robot.calls.clear()
    assert driver.cycle() is None
    assert driver.robot.calls == []  # not every cycle
    driver.robot.errors.clear()
    clock.now += 1.0
    assert driver.cycle() is not None
    assert driver.robot.calls[0] == 'connect'
    assert driver.safety.level is Level.LIMP


def test_failed_enable_leaves_the_robot_limp(clock):
    driver = start(clock)
    driver.disable('maintenance')
    driver.robot.errors['enable'] = MotorFaultError('no')
    with pytest.raises(MotorFaultError):
        driver.enable()
    assert driver.safety.level is Level.LIMP


def test_silence_holds_the_measured_position_then_goes_limp(clock):
    driver = start(clock, 'wall', limp_timeout=1.0)
    command(driver)
    clock.now += 0.2
    driver.cycle()
    assert driver.safety.level is Level.HOLD
    np.testing.assert_allclose(driver.robot.sent[-1], [0.1, 0.2])
    clock.now += 1.0
    driver.cycle()
    assert driver.safety.level is Level.LIMP
    assert not driver.robot.on


def test_silence_in_effort_mode_sends_zero(clock):
    driver = start(clock, 'wall', mode='effort')
    command(driver, mode='effort')
    clock.now += 0.2
    driver.cycle()
    np.testing.assert_allclose(driver.robot.sent[-1], [0.0, 0.0])


def test_time_stands_still_in_lockstep(clock):
    driver = start(clock)
    command(driver)
    clock.now += 1000.0
    driver.cycle()
    assert driver.safety.level is Level.ACTIVE
    assert len(driver.robot.sent) == 1


def test_interrupted_motion_goes_on_from_where_the_robot_is(clock):
    driver = start(clock)
    command(driver, (0.4, 0.4))
    driver.robot.interrupted = 'watchdog'
    driver.robot._position = np.array([-0.9, -0.9])
    driver.cycle()
    np.testing.assert_allclose(driver.safety.last_sent, [-0.9, -0.9])
    np.testing.assert_allclose(command(driver, (0.9, 0.9)).sent, [-0.4, -0.4])


def finish(driver: Driver):
    result = None
    while result is None:
        _, result = driver.step_reset()
    return result


def test_reset_runs_in_steps_and_refuses_commands_meanwhile(clock):
    driver = start(clock)
    driver.start_reset({'a': 0.5}, 10.0)
    state, result = driver.step_reset()
    assert result is None
    assert state.position[0] == 0.5
    assert driver.activity == 'resetting'
    assert command(driver).sent is None
    with pytest.raises(NotEnabledError, match='running'):
        driver.start_reset({}, 1.0)
    assert finish(driver).success
    np.testing.assert_allclose(driver.safety.last_sent, [0.5, 0.0])
    assert command(driver, (0.6, 0.0)).sent[0] == pytest.approx(0.6)


@pytest.mark.parametrize(
    ('error', 'needs_help'), [(ResetFailedError('slow'), False), (NeedsHelpError('stuck'), True)]
)
def test_failed_reset_says_whether_a_person_is_needed(clock, error, needs_help):
    driver = start(clock)
    driver.robot.errors['reset'] = error
    driver.start_reset({}, 10.0)
    result = finish(driver)
    assert (result.success, result.needs_help) == (False, needs_help)
    assert driver.safety.level is Level.LIMP


@pytest.mark.parametrize('timeout', [0.0, -1.0, np.nan, np.inf])
def test_reset_needs_a_time_out(clock, timeout):
    with pytest.raises(ValueError, match='timeout'):
        start(clock).start_reset({}, timeout)


def test_reset_goal_must_be_finite(clock):
    with pytest.raises(ValueError, match='finite'):
        start(clock).start_reset({'a': np.nan}, 1.0)


def test_limp_robot_is_not_reset(clock):
    driver = start(clock)
    driver.disable('maintenance')
    with pytest.raises(NotEnabledError, match='enable'):
        driver.start_reset({}, 1.0)


def test_estop_ends_a_reset_and_stays(clock):
    driver = start(clock)
    driver.start_reset({}, 10.0)
    driver.step_reset()
    driver.estop('button')
    assert not driver.robot.on
    _, result = driver.step_reset()
    assert not result.success
    assert 'button' in result.message
    with pytest.raises(EstopError):
        driver.enable()
    driver.safety.clear_estop()
    assert not driver.robot.on
    driver.enable()
    assert driver.robot.on


def test_stopping_check_makes_the_robot_limp(clock):
    driver = start(clock, check_position='stop')
    assert command(driver, (9.0, 0.0)).verdict.stop
    assert not driver.robot.on
    assert driver.safety.level is Level.ESTOP


def test_leaving_the_context_makes_the_robot_limp():
    robot = FakeRobot()
    robot.enable()
    robot.errors['write'] = RuntimeError('mistake')
    with pytest.raises(RuntimeError, match='mistake'), robot:
        robot.command(np.zeros(2))
    assert not robot.on
    assert robot.calls[-1] == 'close'


@pytest.mark.parametrize('bad', [[np.nan, 0.0], [np.inf, 0.0], [0.0], [[0.0, 0.0]]])
def test_robot_itself_refuses_what_is_malformed(bad):
    robot = FakeRobot()
    robot.enable()
    with pytest.raises(ValueError, match='2 finite numbers'):
        robot.command(np.array(bad))
    assert robot.sent == []


@pytest.mark.parametrize('delay', [0.0, 0.01, 0.04])
def test_pace_does_not_drift(delay):
    pacer, now, begins = Pacer(0.1), 0.0, []
    for _ in range(100):
        now += pacer.wait(now, 2.0)
        pacer.begin(now, 2.0)
        begins.append(now)
        now += delay
    assert (begins[-1] - begins[0]) / 99 == pytest.approx(0.05)


def test_pace_does_not_catch_up_after_a_pause():
    pacer = Pacer(0.1)
    pacer.begin(0.0, 1.0)
    pacer.begin(10.0, 1.0)
    assert pacer.wait(10.0, 1.0) == pytest.approx(0.1)
    assert pacer.wait(10.0, 0.0) == 0.0


@pytest.mark.parametrize('name', BUILT_IN)
def test_robot_is_found_by_name_and_makes_no_contact_when_created(name):
    from robot_drivers.robot import Connection

    robot = find_robot(name)
    created = robot.create(robot.config(), Connection(robot.default_port['sim']))
    assert created.spec.joints
    created.close()


def test_unknown_robot_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="no robot 'robby'; known are"):
        find_robot('robby')


@pytest.mark.parametrize(
    'change',
    [{'lower': 2.0}, {'control_period': 0.0}, {'extra_joints': ('a',)}, {'upper': np.nan}],
)
def test_contradicting_spec_is_refused(change):
    values = {'lower': -1.0, 'upper': 1.0, 'control_period': 0.1} | change
    with pytest.raises(ValueError):  # noqa: PT011
        RobotSpec('x', JOINTS, 'position', velocity_limit=1.0, effort_limit=1.0, **values)


def test_lost_commander_holds_where_the_robot_is_until_the_next_command(clock):
    driver = start(clock, 'wall')
    command(driver)
    driver.cycle()
    driver.commander_lost()
    assert driver.safety.level is Level.HOLD
    np.testing.assert_allclose(driver.robot.sent[-1], driver.state.position)
    driver.commander_lost()
    assert driver.safety.counts['commander_lost'] == 1
    command(driver)
    assert driver.safety.level is Level.ACTIVE


def test_loss_of_a_commander_that_never_commanded_moves_nothing(clock):
    driver = start(clock, 'wall')
    driver.commander_lost()
    assert driver.safety.level is Level.ACTIVE
    assert driver.robot.sent == []
    driver.disable('test')
    driver.commander_lost()
    assert driver.safety.level is Level.LIMP


def test_lost_commander_does_not_disturb_a_reset(clock):
    driver = start(clock, 'wall')
    command(driver)
    driver.start_reset({}, 1.0)
    driver.commander_lost()
    assert driver.resetting


def test_robot_that_cannot_hold_when_its_commander_is_lost_goes_limp(clock):
    driver = start(clock, 'wall')
    command(driver)
    driver.robot.errors['write'] = MotorFaultError('overload')
    driver.commander_lost()
    assert driver.safety.level is Level.LIMP
    assert driver.fault == 'overload'
