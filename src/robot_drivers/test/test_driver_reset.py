"""Resets in the driver's core: step by step, refused, failed, ended by an e-stop."""

from __future__ import annotations

import numpy as np
import pytest

from robot_drivers.driver import Driver
from robot_drivers.errors import (
    EstopError,
    NeedsHelpError,
    NotEnabledError,
    ResetFailedError,
)
from robot_drivers.safety import Level

from .fake_robot import command, start, Time


@pytest.fixture
def clock() -> Time:
    return Time()


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


def test_lost_commander_does_not_disturb_a_reset(clock):
    driver = start(clock, 'wall')
    command(driver)
    driver.start_reset({}, 1.0)
    driver.commander_lost()
    assert driver.resetting
