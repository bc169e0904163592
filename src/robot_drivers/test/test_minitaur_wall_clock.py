"""Minitaur on the wall clock: fault injected, state reached within a tenth of a second."""

from itertools import pairwise
import socket
import time

import numpy as np
import pytest

pytest.importorskip('mujoco')

from robot_drivers.errors import StaleStateError
from robot_drivers.minitaur.link import MODE_DAMP, MODE_OFF, MODE_POSITION

from .minitaur_rig import keep, run, WallRig

WITHIN = 0.1  # [s] every fault must have led to its state by then


@pytest.fixture
def wall():
    rig = WallRig()
    yield rig
    rig.close()


def until(error, robot, seconds=1.0):
    """Return the seconds until reading raises an error."""
    begin = time.monotonic()
    with pytest.raises(error) as caught:
        keep(robot, seconds)
    return time.monotonic() - begin, str(caught.value)


def test_robot_stands_in_real_time(wall):
    robot = wall.standing()
    states = keep(robot, 0.5)
    assert states[-1].base.position[2] == pytest.approx(0.257, abs=0.02)
    assert states[-1].stamp - states[0].stamp == pytest.approx(0.5, abs=0.1)
    assert abs(states[-1].stamp - time.time()) < 0.1
    assert all(b.stamp >= a.stamp for a, b in pairwise(states))


def test_dead_host_leaves_damped_legs(wall):
    robot = wall.standing()
    keep(robot, 0.05)
    assert wall.wait_for(MODE_DAMP) < WITHIN + 0.03  # the last command was up to 5 ms ago
    time.sleep(0.02)
    assert 'got no command for 0.1 s' in robot.read().interrupted
    assert robot.health()['controller faults'] == 'command timeout'


def test_overheated_motor_is_named_and_the_others_go_on(wall):
    robot = wall.standing()
    wall.stage.request('overheat', motors=[2])
    begin = time.monotonic()
    while robot.health()['motors switched off'] == 'none':
        assert time.monotonic() - begin < WITHIN
        keep(robot, 0.005)
    assert robot.health()['motors switched off'] == 'motor_back_leftL_joint'
    assert wall.status()['mode'] == MODE_POSITION
    run(robot, robot.reset({}, 10.0))
    assert robot.health()['motors switched off'] == 'none'


def test_rebooted_controller_stays_limp(wall):
    robot = wall.standing()
    wall.stage.request('restart')
    seconds, _ = until(StaleStateError, robot)
    assert seconds < WITHIN
    assert wall.status()['mode'] == MODE_OFF
    robot.limp()
    with pytest.raises(StaleStateError):
        robot.read()  # asks for states under a new session
    time.sleep(0.02)
    robot.read()  # visible again, still limp
    assert wall.status()['mode'] == MODE_OFF
    robot.enable()
    assert keep(robot, 0.05)


def test_late_and_lost_datagrams_are_counted_and_survived(wall):
    robot = wall.standing()
    wall.stage.request('disturb', lose=0.2, corrupt=0.1, delay=0.005, jitter=0.02)
    keep(robot, 0.5)
    counts = robot._link.counts
    wall.stage.request('disturb')
    assert counts['lost'] > 0
    assert counts['late'] > 0
    assert counts['refused datagrams'] > 0
    assert wall.status()['rejected'] > 0
    assert wall.status()['mode'] == MODE_POSITION


def test_random_datagrams_do_not_disturb_the_controller(wall):
    robot = wall.standing()
    random = np.random.default_rng(0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        for _ in range(100):
            data = random.bytes(int(random.integers(0, 300)))
            channel.sendto(data, ('127.0.0.1', wall.robot_port))
            channel.sendto(data, ('127.0.0.1', wall.stage_port))
    keep(robot, 0.2)
    assert wall.status()['mode'] == MODE_POSITION
    assert wall.status()['rejected'] >= 100
