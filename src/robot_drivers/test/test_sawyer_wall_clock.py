"""The arm's driver on the wall clock: every fault with the state it leads to."""

from collections.abc import Iterator
import time

import numpy as np
import pytest

from robot_drivers.faults.rigs import ArmRig
from robot_drivers.robot import Connection
from robot_drivers.sawyer import create
from robot_drivers.sawyer.config import SawyerConfig
from robot_drivers.sawyer.description import (
    JOINT_NAMES,
    LEARNING_EFFORT,
    START,
)
from robot_drivers.sawyer.link import SawyerLink
from robot_drivers.sawyer.robot import SawyerRobot

SMALL = 0.2 * LEARNING_EFFORT


@pytest.fixture
def wall_arm() -> Iterator[ArmRig]:
    arm = ArmRig('wall')
    yield arm
    arm.close()


@pytest.fixture
def wall_robot(wall_arm) -> Iterator[SawyerRobot]:
    """Return a driver on the wall clock, connected."""
    with create(SawyerConfig(), Connection(wall_arm.uri, 'sim', 'wall')) as robot:
        yield robot


def spin(robot: SawyerRobot, seconds: float, torque: np.ndarray | None = None) -> None:
    """Do what the node does: update and read at the publish rate, commands at the policy's."""
    begin, count = time.monotonic(), 0
    while time.monotonic() - begin < seconds:
        if torque is not None and count % 5 == 0:
            robot.command(torque)
        robot.update()
        robot.read()
        count += 1
        time.sleep(0.01)


def test_torque_is_repeated_between_policy_steps(wall_robot, wall_arm):
    wall_robot.enable()
    before = wall_arm.do('query')
    spin(wall_robot, 1.0, SMALL)
    after = wall_arm.do('query')
    sent = (after['commands'] - before['commands']) / (after['time'] - before['time'])
    assert after['mode'] == 'torque'
    assert after['reverts'] == 0
    assert 60.0 < sent < 140.0


def test_silent_policy_ends_in_damping_then_hold(wall_robot, wall_arm, report_fault):
    wall_robot.enable()
    spin(wall_robot, 0.3, SMALL)
    wall_robot.command(SMALL)
    silent = time.monotonic()
    while wall_robot.health()['activity'] == 'torque':
        spin(wall_robot, 0.01)
    taken = time.monotonic() - silent
    assert not np.allclose(wall_arm.do('query')['torque'], SMALL)
    report_fault('sawyer: policy silent', 'damping, later holds position', taken)
    assert taken < 0.2
    spin(wall_robot, 0.4)
    assert wall_arm.do('query')['mode'] == 'position'
    assert wall_robot.health()['policy time-outs'] == 1
    spin(wall_robot, 0.2, SMALL)  # it goes on with the next command
    assert wall_arm.do('query')['mode'] == 'torque'


def test_states_that_came_while_the_process_was_halted_are_not_stale(wall_arm):
    link = SawyerLink.open(wall_arm.uri, '', 5.0)
    try:
        with link._fresh:  # no state can be stored meanwhile
            time.sleep(0.2)
        assert not link.is_stale('joints', 0.08)
        wall_arm.do('freeze')
        wait = time.monotonic() + 5.0
        while not link.is_stale('joints', 0.08):
            assert time.monotonic() < wait
    finally:
        link.close()


def test_dropped_commands_revert_to_position_then_recover(wall_robot, wall_arm, report_fault):
    wall_robot.enable()
    spin(wall_robot, 0.3, SMALL)
    begin = time.monotonic()
    wall_arm.do('drop_commands', count=15)
    while not wall_arm.do('query')['reverts']:
        spin(wall_robot, 0.005, SMALL)
    taken = time.monotonic() - begin
    report_fault('sawyer: 15 commands lost', 'robot holds position', taken)
    assert taken < 0.15
    spin(wall_robot, 0.3, SMALL)
    assert wall_arm.do('query')['mode'] == 'torque'


def test_reset_works_on_the_wall_clock(wall_robot):
    wall_robot.enable()
    wanted = START + 0.05
    due = time.monotonic()
    for _ in wall_robot.reset(dict(zip(JOINT_NAMES, wanted.tolist(), strict=True)), 10.0):
        due += 0.05
        while time.monotonic() < due:
            wall_robot.update()
            time.sleep(0.01)
    assert np.abs(wall_robot.read().position - wanted).max() < 0.03
