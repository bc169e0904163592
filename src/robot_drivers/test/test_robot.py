"""What every robot has in common: its spec, its refusals, how it is found and left."""

from __future__ import annotations

import numpy as np
import pytest

from robot_drivers.registry import BUILT_IN, find_robot
from robot_drivers.robot import Connection, RobotSpec

from .fake_robot import FakeRobot, JOINTS


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


@pytest.mark.parametrize('name', BUILT_IN)
def test_robot_is_found_by_name_and_makes_no_contact_when_created(name):
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
