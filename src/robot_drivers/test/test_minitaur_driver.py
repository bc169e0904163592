"""The driver of Minitaur against its emulator in lock-step, on good and bad links."""

import numpy as np
import pytest

pytest.importorskip('mujoco')

from robot_drivers.errors import (
    ConnectionFailedError,
    NotConnectedError,
    NotEnabledError,
    StaleStateError,
)
from robot_drivers.minitaur import leg, ROBOT
from robot_drivers.minitaur.config import MinitaurConfig
from robot_drivers.minitaur.link import MODE_OFF, MODE_POSITION
from robot_drivers.minitaur.robot import MinitaurRobot
from robot_drivers.minitaur.twin import MinitaurTwin
from robot_drivers.robot import Connection
from robot_drivers.safety import SafetyConfig, SafetyLayer

from .minitaur_rig import Rig, run


@pytest.fixture
def lockstep():
    rig = Rig()
    yield rig
    rig.close()


def test_registry_makes_the_robot():
    robot = ROBOT.create(ROBOT.config(), Connection(ROBOT.default_port['sim']))
    assert robot.spec.joints == leg.LEG_CHANNELS
    assert robot.spec.extra_joints == leg.MOTOR_JOINTS


def test_port_must_be_host_and_port():
    with pytest.raises(ValueError, match="port must be host:port, got '/dev/ttyUSB0'"):
        MinitaurRobot(MinitaurConfig(), Connection('/dev/ttyUSB0'))


def test_driver_and_twin_agree_bit_for_bit(lockstep):
    robot, twin = lockstep.standing(), MinitaurTwin()
    sensors = twin.reset()
    goal = {'base_yaw': 0.2, 'swing_1': -0.1}
    for episode in ({}, goal, {'perturb': 1.0}):
        state = run(robot, robot.reset(episode, 10.0))
        sensors = twin.reset(episode)
        for i, action in enumerate(
            leg.NEUTRAL + np.random.default_rng(5).uniform(-0.4, 0.4, (100, 8))
        ):
            if i == 80:  # both go on without the motor
                lockstep.emulator.robot.plant.controller.shut_down([3])
                twin.plant.controller.shut_down([3])
            robot.command(action)
            state, sensors = robot.read(), twin.step(action)
            if state.interrupted:
                break
            np.testing.assert_array_equal(state.position[8:], sensors['joint_states.position'])
            np.testing.assert_array_equal(state.velocity[8:], sensors['joint_states.velocity'])
            np.testing.assert_array_equal(state.imu.orientation, sensors['imu.orientation'])
            np.testing.assert_array_equal(
                state.imu.linear_acceleration, sensors['imu.linear_acceleration']
            )
            np.testing.assert_array_equal(state.base.position, sensors['pose.position'])
            np.testing.assert_array_equal(state.base.linear_velocity, sensors['twist.linear'])


def test_each_command_advances_one_period_and_nothing_else_does(lockstep):
    robot = lockstep.standing()
    before = robot.read().stamp
    for i in range(1, 4):
        robot.read()
        robot.update()
        robot.command(leg.NEUTRAL)
        assert robot.read().stamp - before == pytest.approx(0.02 * i)


def test_nothing_moves_before_enable(lockstep):
    robot = lockstep.robot()
    robot.connect()
    assert lockstep.status()['mode'] == MODE_OFF
    with pytest.raises(NotEnabledError, match='enable it before commanding'):
        robot.command(leg.NEUTRAL)
    assert lockstep.status()['mode'] == MODE_OFF


def test_enable_holds_the_measured_pose(lockstep):
    robot = lockstep.robot()
    robot.connect()
    before = robot.read().position[8:]
    robot.enable()
    np.testing.assert_allclose(robot._actuator.target, before, atol=1e-6)
    assert lockstep.status()['mode'] == MODE_POSITION


def test_state_carries_leg_angles_and_motor_angles(lockstep):
    state = lockstep.standing().read()
    np.testing.assert_allclose(state.position[:8], leg.leg_angles(state.position[8:]), atol=1e-12)
    assert len(state.position) == len(state.velocity) == len(state.effort) == 16
    assert state.effort[4:8] == pytest.approx([1.9] * 4, abs=0.3)  # a quarter of the weight each


def test_command_beyond_the_limits_is_clipped_and_reported(lockstep):
    robot = lockstep.standing()
    sent = robot.command(leg.NEUTRAL + np.array([9.0] + [0.0] * 6 + [-9.0]))
    assert sent[0] == 0.6
    assert sent[7] == 1.3


@pytest.mark.parametrize('bad', [np.full(8, np.nan), np.zeros(7)])
def test_malformed_command_never_reaches_the_motors(lockstep, bad):
    robot = lockstep.standing()
    before = lockstep.status()['received']
    with pytest.raises(ValueError, match='8 finite numbers'):
        robot.command(bad)
    assert lockstep.status()['received'] == before


@pytest.mark.parametrize('disturbance', [{'lose': 0.2}, {'corrupt': 0.2}, {'jitter': 0.01}])
def test_bad_network_costs_time_but_no_step(lockstep, disturbance):
    robot, twin = lockstep.standing(reply_timeout=0.02, retries=50), MinitaurTwin()
    twin.reset()
    lockstep.stage.request('disturb', **disturbance)
    for action in leg.NEUTRAL + np.random.default_rng(5).uniform(-0.3, 0.3, (40, 8)):
        robot.command(action)
        sensors = twin.step(action)
        np.testing.assert_array_equal(robot.read().position[8:], sensors['joint_states.position'])
    lockstep.stage.request('disturb')
    counts = robot._link.counts
    assert counts['resent'] + counts['refused datagrams'] + counts['late'] > 0 or (
        'jitter' in disturbance
    )


def test_lost_robot_is_named_after_the_counted_attempts(lockstep):
    robot = lockstep.standing(reply_timeout=0.01, retries=3)
    lockstep.stage.request('silence', seconds=0.5)
    with pytest.raises(StaleStateError, match='did not answer 4 commands'):
        robot.command(leg.NEUTRAL)
    assert robot._link.counts['resent'] >= 3
    lockstep.wait_for(MODE_OFF)


def test_time_goes_on_when_the_emulator_starts_anew(lockstep):
    robot = lockstep.standing(reply_timeout=0.01, retries=1)
    before = robot.read().stamp
    lockstep.stage.request('restart')
    with pytest.raises(StaleStateError):
        robot.command(leg.NEUTRAL)
    robot.enable()
    robot.command(leg.NEUTRAL)
    assert robot.read().stamp == pytest.approx(before + 0.02)


def test_absent_robot_is_refused_at_connect():
    robot = MinitaurRobot(
        MinitaurConfig(reply_timeout=0.005), Connection('127.0.0.1:9', 'sim', 'lockstep')
    )
    with pytest.raises(ConnectionFailedError, match=r'Minitaur not found.*check power, cable'):
        robot.connect()


def test_low_battery_is_refused_at_connect(lockstep):
    lockstep.stage.request('supply', volts=11.0)
    with pytest.raises(ConnectionFailedError, match=r'supply is 11.0 V.*battery'):
        lockstep.robot().connect()


def test_wiring_parameters_are_undone_by_the_driver(lockstep):
    straight = lockstep.standing().read()
    robot = lockstep.robot(
        motor_order=(1, 0, 2, 3, 4, 5, 6, 7), motor_zero=(0.5, 0, 0, 0, 0, 0, 0, 0)
    )
    robot.connect()
    state = robot.read()
    assert state.position[8] == pytest.approx(straight.position[9] - 0.5, abs=1e-6)
    assert state.position[9] == pytest.approx(straight.position[8], abs=1e-6)


def test_health_reads_like_a_manual(lockstep):
    health = lockstep.standing().health()
    assert health['controller mode'] == 'position'
    assert health['controller faults'] == 'none'
    assert health['winding temperature, hottest [Celsius]'] < 30
    assert health['datagrams received'] > 10


def test_close_is_allowed_at_any_time_and_twice(lockstep):
    robot = lockstep.robot()
    robot.close()
    robot.connect()
    robot.close()
    robot.close()
    with pytest.raises(NotConnectedError):
        robot.enable()


def test_safety_layer_accepts_a_full_swing_of_the_policy(lockstep):
    robot = lockstep.standing()
    layer = SafetyLayer(robot.spec, SafetyConfig(), robot.guard)
    state = robot.read()
    layer.enable(state, state.stamp)
    robot.command(leg.NEUTRAL)
    for sign in (1, -1, 1):
        wanted = leg.NEUTRAL + 0.5 * sign
        state = robot.read()
        verdict = layer.check(leg.LEG_CHANNELS, wanted, state=state, now=state.stamp)
        assert verdict.reasons == ()
        robot.command(verdict.target)
