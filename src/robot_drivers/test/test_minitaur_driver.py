"""The driver of Minitaur against its emulator, with every fault the link can have."""

from itertools import pairwise
import threading
import time

import numpy as np
import pytest

pytest.importorskip('mujoco')

from robot_drivers.errors import (
    ConnectionFailedError,
    MotorFaultError,
    NeedsHelpError,
    NotConnectedError,
    NotEnabledError,
    ResetFailedError,
    StaleStateError,
)
from robot_drivers.faults.rigs import WalkerRig
from robot_drivers.minitaur import leg, ROBOT
from robot_drivers.minitaur.config import MinitaurConfig
from robot_drivers.minitaur.emulator import Emulator, parse
from robot_drivers.minitaur.link import MODE_DAMP, MODE_OFF, MODE_POSITION
from robot_drivers.minitaur.plant import plant_config
from robot_drivers.minitaur.robot import MinitaurRobot
from robot_drivers.minitaur.stage import Stage, StageError
from robot_drivers.minitaur.twin import MinitaurTwin
from robot_drivers.robot import Connection
from robot_drivers.safety import SafetyConfig, SafetyLayer

WITHIN = 0.1  # [s] every fault must have led to its state by then


class Rig:
    """An emulator with a clock, and drivers on it."""

    clock = 'lockstep'

    def __init__(self, **world):
        self.emulator = Emulator(plant_config(**world), clock='lockstep', robot_port=0)
        self._thread = threading.Thread(target=self.emulator.run)
        self._thread.start()
        self._meet(self.emulator.robot_port, self.emulator.stage_port)

    def _meet(self, robot_port, stage_port):
        self.robot_port, self.stage_port = robot_port, stage_port
        self.stage = Stage('127.0.0.1', stage_port)
        self.robots = []

    def robot(self, backend='sim', **config):
        config = {'stage_port': self.stage_port, 'reply_timeout': 0.1, **config}
        port = f'127.0.0.1:{self.robot_port}'
        robot = MinitaurRobot(MinitaurConfig(**config), Connection(port, backend, self.clock))
        self.robots.append(robot)
        return robot

    def standing(self, **config):
        robot = self.robot(**config)
        robot.connect()
        robot.enable()
        run(robot, robot.reset({}, 10.0))
        return robot

    def status(self):
        return self.stage.request('status')

    def wait_for(self, mode):
        begin = time.monotonic()
        while self.status()['mode'] != mode:
            assert time.monotonic() - begin < 2.0
            time.sleep(0.002)
        return time.monotonic() - begin

    def close(self):
        for robot in self.robots:
            robot.close()
        self._stop()

    def _stop(self):
        self.emulator.stop()
        self._thread.join()


class WallRig(Rig):
    """The emulator as a process, since time passes for it by itself."""

    clock = 'wall'

    def __init__(self):
        self._rig = WalkerRig('wall')
        self._meet(self._rig.robot_port, self._rig.stage_port)

    def _stop(self):
        self._rig.close()
        assert self._rig.process.returncode == 0


@pytest.fixture
def lockstep():
    rig = Rig()
    yield rig
    rig.close()


@pytest.fixture
def wall():
    rig = WallRig()
    yield rig
    rig.close()


def run(robot, motion):
    """Carry out a reset as the node does; on the wall clock, one step per control period."""
    state = None
    for latest in motion:
        state = latest
        if robot._connection.clock == 'wall':
            due = time.monotonic() + robot.spec.control_period
            while time.monotonic() < due:
                robot.update()
                time.sleep(0.004)
    return state


def keep(robot, seconds):
    """Live as the node does on the wall clock; return the states."""
    states = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        robot.update()
        states.append(robot.read())
        time.sleep(0.005)
    return states


def until(error, robot, seconds=1.0):
    """Return the seconds until reading raises an error."""
    begin = time.monotonic()
    with pytest.raises(error) as caught:
        keep(robot, seconds)
    return time.monotonic() - begin, str(caught.value)


# --- lock-step ---------------------------------------------------------------------------------


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
                lockstep.emulator.plant.controller.shut_down([3])
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
    np.testing.assert_allclose(robot._target, before, atol=1e-6)
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


def test_no_session_begins_in_motion(lockstep):
    robot = lockstep.standing(reply_timeout=0.01, retries=1)
    robot._link.renew()
    with pytest.raises(StaleStateError):
        robot.command(leg.NEUTRAL)
    assert lockstep.status()['rejected'] > 0


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


def test_fall_is_reported_once_and_damps_until_the_next_reset(lockstep):
    robot = lockstep.standing()
    lockstep.stage.request('tip', roll=1.4)
    robot.command(leg.NEUTRAL)
    assert 'fallen: tilt' in robot.read().interrupted
    robot.command(leg.NEUTRAL)
    state = robot.read()
    assert state.interrupted == ''
    assert lockstep.status()['mode'] == MODE_DAMP
    held, reason = robot.guard(leg.NEUTRAL, state)
    assert 'fallen' in reason
    assert (held >= robot.spec.lower).all()
    run(robot, robot.reset({}, 10.0))
    assert lockstep.status()['mode'] == MODE_POSITION
    assert robot.guard(leg.NEUTRAL, state)[1] == ''


def test_fallen_robot_without_a_stage_needs_help(lockstep):
    lockstep.standing().close()
    robot = lockstep.robot(backend='hardware')
    robot.connect()
    robot.enable()
    lockstep.stage.request('tip', roll=1.4)
    robot.command(leg.NEUTRAL)
    robot.read()
    with pytest.raises(NeedsHelpError, match='put it on its feet'):
        run(robot, robot.reset({}, 10.0))
    assert lockstep.status()['mode'] == MODE_OFF


def test_robot_on_hardware_rises_from_where_it_is(lockstep):
    robot = lockstep.robot(backend='hardware')
    robot.connect()
    robot.enable()
    with pytest.raises(ValueError, match='in simulation only'):
        robot.reset({'base_yaw': 0.1}, 10.0)
    states = list(robot.reset({}, 10.0))
    assert states[-1].stamp - states[0].stamp == pytest.approx(1.48, abs=0.03)
    assert states[-1].base.position[2] == pytest.approx(0.257, abs=0.02)


def test_reset_counts_robot_time(lockstep):
    robot = lockstep.standing()
    with pytest.raises(ResetFailedError, match=r'longer than 0\.1 s'):
        run(robot, robot.reset({}, 0.1))


def test_reset_without_an_emulator_says_so(lockstep):
    robot = lockstep.robot(stage_port=9)
    robot._stage._timeout = 0.05
    robot.connect()
    robot.enable()
    with pytest.raises(StageError, match='start minitaur_emulator'):
        run(robot, robot.reset({}, 10.0))


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


def test_simulated_robot_is_cool_when_enabled_or_reset_again(lockstep):
    robot = lockstep.standing(temperature_limit=30.0)
    for again in (robot.enable, lambda: run(robot, robot.reset({}, 10.0))):
        lockstep.emulator.plant.controller._thermal.winding[3] = 75.0
        robot.command(leg.NEUTRAL)
        assert robot.health()['winding temperature, hottest [Celsius]'] > 70
        again()
        robot.command(leg.NEUTRAL)
        assert robot.health()['winding temperature, hottest [Celsius]'] < 30


def test_robot_on_hardware_begins_no_motion_with_hot_motors(lockstep):
    lockstep.standing().close()
    robot = lockstep.robot(backend='hardware')
    robot.connect()
    robot.enable()
    controller = lockstep.emulator.plant.controller
    controller.shut_down([2])
    controller._thermal.winding[2] = 85.0
    robot.command(leg.NEUTRAL)
    with pytest.raises(NeedsHelpError, match='motor_back_leftL_joint has 85 Celsius, limit 70'):
        run(robot, robot.reset({}, 10.0))
    assert lockstep.status()['mode'] == MODE_OFF
    with pytest.raises(MotorFaultError, match='let it cool, then enable again'):
        robot.enable()


def test_cooled_motor_is_on_again_after_the_next_reset_on_hardware(lockstep):
    lockstep.standing().close()
    robot = lockstep.robot(backend='hardware')
    robot.connect()
    robot.enable()
    lockstep.stage.request('overheat', motors=[2])
    robot.command(leg.NEUTRAL)
    assert robot.health()['motors switched off'] == 'motor_back_leftL_joint'
    run(robot, robot.reset({}, 10.0))
    assert robot.health()['motors switched off'] == 'none'


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


# --- wall clock: fault injected, state reached within a tenth of a second ------------------------


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
    import socket

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


# --- command line --------------------------------------------------------------------------------


def test_command_line_describes_the_world():
    config, options = parse(
        [
            '--terrain',
            'stairs_down',
            '--gain',
            '0.5',
            '--clock',
            'wall',
            '--ros-args',
            '-r',
            'x:=y',
        ]
    )
    assert config.terrain.kind == 'stairs_down'
    assert config.controller.gain == 0.5
    assert options['clock'] == 'wall'


@pytest.mark.parametrize('wrong', [['--terrain', 'lava'], ['--friction', '-1'], ['--speed', '2']])
def test_wrong_argument_ends_with_code_2(wrong, capsys):
    with pytest.raises(SystemExit) as caught:
        parse(wrong)
    assert caught.value.code == 2
    assert capsys.readouterr().err


@pytest.mark.slow
def test_link_runs_300_cycles_per_second_in_lock_step(lockstep):
    robot = lockstep.standing()
    begin = time.perf_counter()
    for _ in range(150):
        robot.command(leg.NEUTRAL)
        robot.read()
    assert 150 / (time.perf_counter() - begin) > 300
