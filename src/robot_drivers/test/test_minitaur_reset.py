"""Falls, hot motors, and how Minitaur gets onto its feet again, in lock-step."""

import pytest

pytest.importorskip('mujoco')

from robot_drivers.errors import MotorFaultError, NeedsHelpError, ResetFailedError
from robot_drivers.minitaur import leg
from robot_drivers.minitaur.link import MODE_DAMP, MODE_OFF, MODE_POSITION
from robot_drivers.minitaur.stage import StageError

from .minitaur_rig import Rig, run


@pytest.fixture
def lockstep():
    rig = Rig()
    yield rig
    rig.close()


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


def test_simulated_robot_is_cool_when_enabled_or_reset_again(lockstep):
    robot = lockstep.standing(temperature_limit=30.0)
    for again in (robot.enable, lambda: run(robot, robot.reset({}, 10.0))):
        lockstep.emulator.robot.plant.controller._thermal.winding[3] = 75.0
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
    controller = lockstep.emulator.robot.plant.controller
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
