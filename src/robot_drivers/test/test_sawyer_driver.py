"""The driver against the emulated robot in lockstep: life, stops, resets, equal to the twin."""

from collections.abc import Callable, Iterator
import time

import numpy as np
import pytest

from robot_drivers.driver import Driver
from robot_drivers.errors import (
    ConnectionFailedError,
    EstopError,
    NotConnectedError,
    NotEnabledError,
    ResetFailedError,
    StaleStateError,
)
from robot_drivers.faults.rigs import ArmRig
from robot_drivers.robot import Connection
from robot_drivers.safety import SafetyConfig
from robot_drivers.sawyer import create, topics
from robot_drivers.sawyer.config import SawyerConfig
from robot_drivers.sawyer.description import (
    JOINT_NAMES,
    LEARNING_EFFORT,
    SEATED,
    START,
)
from robot_drivers.sawyer.emulated_robot import EmulatedSawyer
from robot_drivers.sawyer.emulator import SawyerEmulator
from robot_drivers.sawyer.kinematics import forward
from robot_drivers.sawyer.messages import RobotAssemblyState
from robot_drivers.sawyer.robot import SawyerRobot
from robot_drivers.sawyer.twin import SawyerTwin

SMALL = 0.2 * LEARNING_EFFORT


@pytest.fixture
def lockstep() -> Iterator[SawyerEmulator]:
    emulator = SawyerEmulator(EmulatedSawyer(), lockstep=True)
    emulator.start()
    yield emulator
    emulator.close()


@pytest.fixture
def robot(lockstep) -> Iterator[SawyerRobot]:
    """Return a driver in lockstep, enabled."""
    robot = create(SawyerConfig(), Connection(lockstep.master.uri, 'sim', 'lockstep'))
    with robot:
        robot.enable()
        yield robot


def goal(positions: np.ndarray) -> dict[str, float]:
    return dict(zip(JOINT_NAMES, positions.tolist(), strict=True))


# Life


def test_connecting_enables_nothing(lockstep):
    with create(SawyerConfig(), Connection(lockstep.master.uri, 'sim', 'lockstep')) as robot:
        assert robot.read().position == pytest.approx(START)
        assert not lockstep.robot.assembly.enabled
        with pytest.raises(NotEnabledError):
            robot.command(np.zeros(7))


def test_enabling_sets_the_robots_own_timeout_and_holds(robot, lockstep):
    assert lockstep.robot.assembly.enabled
    assert lockstep.robot.mode == 'position'
    wait_for(lambda: lockstep.robot.command_timeout == pytest.approx(0.06))


def wait_for(condition: Callable[[], object], timeout: float = 2.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_closing_disables_the_robot_and_unregisters(lockstep):
    robot = create(SawyerConfig(), Connection(lockstep.master.uri, 'sim', 'lockstep'))
    robot.connect()
    robot.enable()
    robot.close()
    robot.close()
    assert not lockstep.robot.assembly.enabled
    with pytest.raises(NotConnectedError):
        robot.read()


def test_missing_robot_is_named():
    robot = create(SawyerConfig(), Connection('http://127.0.0.1:9', 'sim', 'lockstep'))
    with pytest.raises(ConnectionFailedError, match='did not answer'):
        robot.connect()
    robot = create(SawyerConfig(), Connection('', 'hardware', 'wall'))
    with pytest.raises(ConnectionFailedError, match=r'http://<serial>\.local:11311'):
        robot.connect()


def test_robot_with_other_messages_is_refused(lockstep, monkeypatch):
    monkeypatch.setattr(RobotAssemblyState, 'MD5', '0' * 32)
    lockstep._assembly.kind = type('Other', (RobotAssemblyState,), {'MD5': '1' * 32})
    config = SawyerConfig(connect_timeout=0.5)
    robot = create(config, Connection(lockstep.master.uri, 'sim', 'lockstep'))
    with pytest.raises(ConnectionFailedError, match='1' * 32):
        robot.connect()


def test_stopped_robot_is_reset_and_enabled_on_request_only(lockstep, robot):
    lockstep.control({'do': 'fail_joint'})
    wait_for(lambda: robot._link.assembly.stopped)
    with pytest.raises(EstopError, match='joint fault'):
        robot.read()
    for _ in range(3):
        with pytest.raises(NotEnabledError):
            robot.command(np.zeros(7))
    assert not lockstep.robot.assembly.enabled
    robot.limp()
    robot.enable()
    assert lockstep.robot.assembly.enabled
    robot.command(np.zeros(7))


def test_pressed_button_refuses_enabling_until_it_is_released(lockstep, robot):
    lockstep.control({'do': 'press_estop'})
    wait_for(lambda: robot._link.assembly.stopped)
    with pytest.raises(EstopError, match='twist it free'):
        robot.enable()
    lockstep.control({'do': 'release_estop'})
    wait_for(lambda: robot._link.assembly.estop_button == RobotAssemblyState.BUTTON_RELEASED)
    robot.enable()
    assert lockstep.robot.assembly.enabled


def test_robot_that_does_not_follow_enable_is_reported(lockstep, monkeypatch):
    monkeypatch.setattr(lockstep.robot, 'enable', lambda on: None)
    config = SawyerConfig(enable_timeout=0.2)
    with create(config, Connection(lockstep.master.uri, 'sim', 'lockstep')) as robot:
        robot._link.enable = lambda on: None
        with pytest.raises(NotEnabledError, match='disabled'):
            robot.enable()


# Lockstep


def test_one_command_lets_exactly_one_control_period_pass(robot):
    before = robot.read()
    for count in range(1, 6):
        robot.command(SMALL)
        assert robot.read().stamp - before.stamp == pytest.approx(0.05 * count, abs=1e-6)
    assert robot.read().stamp == robot.read().stamp


def test_driver_and_twin_give_the_same_trajectory(robot):
    twin = SawyerTwin()
    rng = np.random.default_rng(5)
    robot_start = robot.read().position
    twin.reset(goal(robot_start))
    for torque in rng.uniform(-0.5, 0.5, (40, 7)) * LEARNING_EFFORT:
        robot.command(torque)
        state = robot.read()
        sensors = twin.step(torque)
        np.testing.assert_allclose(state.position, sensors['joint_states.position'], atol=1e-9)
        np.testing.assert_allclose(state.velocity, sensors['joint_states.velocity'], atol=1e-7)
        np.testing.assert_allclose(state.wrench[:3], sensors['wrench.force'], atol=1e-6)
        position, turn = state.endpoint.position, state.endpoint.orientation
        np.testing.assert_allclose(position, sensors['endpoint.position'], atol=1e-9)
        np.testing.assert_allclose(turn, sensors['endpoint.orientation'], atol=1e-9)


@pytest.mark.parametrize('seed', range(3))
def test_reset_ends_at_the_noisy_start_pose_from_anywhere(robot, seed):
    rng = np.random.default_rng(seed)
    for _ in range(30):
        robot.command(rng.uniform(-1, 1, 7) * LEARNING_EFFORT)
    wanted = START + rng.uniform(-0.03, 0.03, 7)
    states = list(robot.reset(goal(wanted), 20.0))
    assert np.abs(robot.read().position - wanted).max() < 0.02
    assert np.abs(np.diff([state.stamp for state in states])).max() < 0.051
    robot.command(np.zeros(7))


def test_reset_pulls_a_seated_brick_off(robot, lockstep):
    lockstep.control({'do': 'place', 'positions': SEATED.tolist()})
    wait_for(lambda: np.abs(robot.read().position - SEATED).max() < 1e-9)
    for _ in range(20):
        robot.command(forward(SEATED).jacobian()[:3].T @ np.array([0.0, 0.0, -8.0]))
    list(robot.reset({}, 20.0))
    assert np.abs(robot.read().position - START).max() < 0.02


def test_reset_that_cannot_arrive_says_so_and_holds(robot, lockstep):
    lockstep.control({'do': 'push', 'force': [0.0, 20.0, 0.0], 'seconds': 60.0})
    with pytest.raises(ResetFailedError, match=r'not reached in 2\.0 s: right_j'):
        list(robot.reset(goal(START - 0.1), 2.0))
    robot.command(np.zeros(7))


def test_reset_refuses_an_impossible_goal(robot):
    with pytest.raises(ValueError, match='unknown joints'):
        robot.reset({'valve': 0.0}, 5.0)


def test_hard_contact_interrupts_the_motion(lockstep):
    config = SawyerConfig(wrench_limit=2.0)
    with create(config, Connection(lockstep.master.uri, 'sim', 'lockstep')) as robot:
        robot.enable()
        push = forward(SEATED).jacobian()[:3].T @ np.array([0.0, 0.0, -8.0])
        reasons = []
        for _ in range(60):
            robot.command(push)
            reasons.append(robot.read().interrupted)
    assert any('wrench_limit' in reason for reason in reasons)


def test_workspace_guard_reports_its_push_back(robot, lockstep):
    state = robot.read()
    target, reason = robot.guard(SMALL, state)
    np.testing.assert_array_equal(target, SMALL)
    assert reason == ''
    aside = state.position + np.array([0.9, 0, 0, 0, 0, 0, 0])
    lockstep.control({'do': 'place', 'positions': aside.tolist()})
    wait_for(lambda: np.abs(robot.read().position - aside).max() < 1e-9)
    target, reason = robot.guard(SMALL, robot.read())
    assert 'workspace' in reason
    assert target[0] < 0.0


def test_arm_that_leaves_the_box_is_pushed_back_between_commands(robot):
    sideways = np.zeros(7)
    sideways[0] = LEARNING_EFFORT[0]
    furthest = 0.0
    for _ in range(80):
        robot.command(sideways)
        furthest = max(furthest, float(robot.read().endpoint.position[1]))
    assert robot.health()['push-backs'] > 0
    assert 0.4 < furthest < 0.55


def test_safety_layer_and_driver_carry_the_arm_through_an_episode(lockstep):
    connection = Connection(lockstep.master.uri, 'sim', 'lockstep')
    driver = Driver(create(SawyerConfig(), connection), SafetyConfig(), 'lockstep')
    driver.connect()
    driver.enable()
    driver.start_reset(goal(START + 0.02), 10.0)
    result = None
    while result is None:
        _, result = driver.step_reset()
    assert result.success, result.message
    before = driver.state.stamp
    applied = driver.command(JOINT_NAMES, SMALL, 'effort', 0.0)
    np.testing.assert_array_equal(applied.sent, SMALL)
    assert applied.state.stamp - before == pytest.approx(0.05, abs=1e-6)
    too_much = driver.command(JOINT_NAMES, 10 * LEARNING_EFFORT, 'effort', 0.0)
    assert too_much.verdict.clipped.any()
    assert (np.abs(too_much.sent) <= LEARNING_EFFORT).all()
    driver.estop('test')
    assert not lockstep.robot.assembly.enabled
    with pytest.raises(EstopError):
        driver.enable()
    driver.close()


def test_foreign_joint_states_are_ignored(robot):
    from robot_drivers.sawyer.ros1.messages import Header, JointState

    before = robot.read().position
    robot._link._on_joints(JointState(Header(), ('gripper',), *[np.ones(1)] * 3))
    np.testing.assert_array_equal(robot.read().position, before)


def test_lost_states_end_the_wait(lockstep):
    config = SawyerConfig(answer_timeout=0.3)
    with create(config, Connection(lockstep.master.uri, 'sim', 'lockstep')) as robot:
        robot.enable()
        lockstep.muted.add(topics.JOINT_STATES)
        with pytest.raises(StaleStateError, match='no answer'):
            robot.command(SMALL)


@pytest.mark.slow
def test_driver_is_fast_enough_to_learn_through():
    arm = ArmRig('lockstep')
    try:
        with create(SawyerConfig(), Connection(arm.uri, 'sim', 'lockstep')) as robot:
            robot.enable()
            list(robot.reset({}, 10.0))
            rng = np.random.default_rng(0)
            begin = time.monotonic()
            for torque in rng.uniform(-1, 1, (400, 7)) * LEARNING_EFFORT:
                robot.command(torque)
                robot.read()
            rate = 400 / (time.monotonic() - begin)
    finally:
        arm.close()
    assert rate > 60.0, f'{rate:.0f} steps/s'  # 300 and more; margin for busy machines


def test_configuration_refuses_contradictions():
    with pytest.raises(ValueError, match='must span two torques'):
        SawyerConfig(robot_timeout=0.01)
    with pytest.raises(ValueError, match='longer than control_period'):
        SawyerConfig(policy_timeout=0.05)
    with pytest.raises(ValueError, match='effort_limit'):
        SawyerConfig(effort_limit=(8.0,) * 6)
    with pytest.raises(ValueError, match='lower < upper'):
        SawyerConfig(hand_lower=(0.8, 0.0, 0.0))
    with pytest.raises(ValueError, match='multiple'):
        create(SawyerConfig(publish_rate=70.0), Connection('', 'sim', 'lockstep'))
