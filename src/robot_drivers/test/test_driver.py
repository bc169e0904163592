"""The driver's core on a robot that does not exist: commands, faults, silence."""

from __future__ import annotations

import numpy as np
import pytest

from robot_drivers.driver import Driver
from robot_drivers.errors import MotorFaultError, NotConnectedError
from robot_drivers.safety import Level, SafetyConfig

from .fake_robot import command, FakeRobot, start, Time


@pytest.fixture
def clock() -> Time:
    return Time()


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


def test_stopping_check_makes_the_robot_limp(clock):
    driver = start(clock, check_position='stop')
    assert command(driver, (9.0, 0.0)).verdict.stop
    assert not driver.robot.on
    assert driver.safety.level is Level.ESTOP


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


def test_robot_that_cannot_hold_when_its_commander_is_lost_goes_limp(clock):
    driver = start(clock, 'wall')
    command(driver)
    driver.robot.errors['write'] = MotorFaultError('overload')
    driver.commander_lost()
    assert driver.safety.level is Level.LIMP
    assert driver.fault == 'overload'
