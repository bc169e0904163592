"""Motor model, PD law, motor controller and the torque loop of Minitaur."""

import numpy as np
import pytest

from robot_drivers.minitaur import leg
from robot_drivers.minitaur.controller import ControllerConfig, MotorController
from robot_drivers.minitaur.link import (
    Command,
    FAULT_COMMAND_TIMEOUT,
    FAULT_OVERHEAT,
    MODE_OFF,
    MODE_POSITION,
    MODE_RESET,
)
from robot_drivers.minitaur.motor import MotorModel, OverheatGuard, ThermalModel
from robot_drivers.minitaur.pd import duty, Gains
from robot_drivers.minitaur.torque_loop import TorqueLoop, TorqueLoopConfig

ZERO = np.zeros(8)


def test_duty_follows_the_law_and_saturates():
    q, qd, target = np.array([0.1, 0.0]), np.array([2.0, 0.0]), np.array([0.4, 9.0])
    np.testing.assert_allclose(duty(q, qd, target, Gains(1.0, 0.02)), [0.3 - 0.04, 1.0])


def test_small_duty_gives_the_linear_torque():
    motor = MotorModel()
    current = motor.current(np.array([0.05]), np.array([0.0]))
    assert current[0] == pytest.approx(0.05 * 16 / 0.186)
    assert motor.torque(current)[0] == pytest.approx(current[0] * 0.1, rel=1e-9)


def test_torque_saturates_at_the_end_of_the_table():
    motor = MotorModel()
    np.testing.assert_allclose(motor.torque(np.array([-86.0, 25.0, 60.0])), [-3.5, 2.175, 3.5])


def test_back_emf_stops_the_torque_at_the_no_load_speed():
    motor = MotorModel()
    speed = np.array([16.0 / 0.0954])
    assert motor.current(np.ones(1), speed)[0] == pytest.approx(0.0, abs=1e-9)


def test_impossible_motor_is_refused():
    with pytest.raises(ValueError, match='resistance must be positive, got 0'):
        MotorModel(resistance=0.0)


@pytest.mark.parametrize('kp', [-1.0, float('nan'), 99.0])
def test_impossible_gains_are_refused(kp):
    with pytest.raises(ValueError, match=r'kp must be in \[0, 10.0\]'):
        Gains(kp=kp)


def test_motor_is_shut_down_after_a_second_of_overload_not_before():
    guard, overload = OverheatGuard(), np.array([3.0] + [0.0] * 7)
    assert not any(guard.update(overload, 0.002) for _ in range(500))
    assert guard.update(overload, 0.002)
    assert guard.shut.tolist() == [True] + [False] * 7


def test_a_moment_of_rest_restarts_the_overload_count():
    guard, overload = OverheatGuard(), np.full(8, 3.0)
    for _ in range(3):
        for _ in range(450):
            guard.update(overload, 0.002)
        guard.update(ZERO, 0.002)
    assert not guard.shut.any()


def test_winding_warms_towards_its_equilibrium():
    thermal = ThermalModel(motors=1)
    for _ in range(200_000):
        thermal.update(np.array([100.0]), 0.05)
    assert thermal.winding[0] == pytest.approx(22.0 + 20.0 * (0.4907 + 1.4339), rel=1e-3)


@pytest.fixture
def controller():
    return MotorController(ControllerConfig())


def position(target=1.0):
    return Command(MODE_POSITION, np.full(8, target, np.float32))


def test_controller_starts_limp(controller):
    assert (controller.tick(ZERO, np.ones(8)) == 0).all()
    assert controller.mode == MODE_OFF


def test_controller_follows_the_pd_law(controller):
    controller.accept(position(0.1))
    motor = MotorModel()
    np.testing.assert_allclose(
        controller.tick(ZERO, ZERO),
        motor.torque(motor.current(np.full(8, np.float32(0.1), float), ZERO)),
    )


def test_silence_damps_within_100_ms(controller):
    controller.accept(position())
    ticks = 0
    while controller.mode == MODE_POSITION:
        controller.tick(ZERO, np.ones(8))
        ticks += 1
    assert ticks * 0.002 == pytest.approx(0.102)  # the first tick after 100 ms
    assert controller.faults & FAULT_COMMAND_TIMEOUT
    assert (controller.tick(ZERO, np.ones(8)) < 0).all()


def test_next_command_ends_the_damping(controller):
    controller.accept(position())
    for _ in range(60):
        controller.tick(ZERO, ZERO)
    controller.accept(position())
    assert controller.mode == MODE_POSITION
    assert controller.faults == 0


def test_overheated_motor_is_off_until_reset_and_the_others_go_on(controller):
    far = np.array([9.0] + [0.0] * 7)
    for _ in range(510):
        controller.accept(position(0.0))
        controller.tick(far, ZERO)
    torque = controller.tick(far + 0.1, ZERO)
    assert torque[0] == 0
    assert (torque[1:] != 0).all()
    assert controller.shut_motors == 1
    assert controller.faults == FAULT_OVERHEAT
    controller.accept(Command(MODE_RESET, np.zeros(8, np.float32)))
    assert controller.faults == 0
    assert controller.mode == MODE_OFF


def test_hot_winding_switches_the_motor_off():
    controller = MotorController(ControllerConfig(temperature_limit=22.5))
    for _ in range(400):
        controller.accept(position(0.2))
        controller.tick(ZERO, ZERO)
    assert controller.shut_motors == 255


def test_feedback_delay_uses_old_measurements():
    controller = MotorController(ControllerConfig(feedback_delay=0.004))
    controller.accept(position(0.0))
    first = controller.tick(np.full(8, 0.1), ZERO).copy()
    for _ in range(2):
        assert (controller.tick(ZERO, ZERO) == first).all()
    assert (controller.tick(ZERO, ZERO) == 0).all()


def test_gain_scales_the_commanded_gains():
    soft = MotorController(ControllerConfig(gain=0.5))
    soft.accept(position(0.1))
    full = MotorController(ControllerConfig())
    full.accept(Command(MODE_POSITION, np.full(8, 0.1, np.float32), kp=0.5, kd=0.0075))
    np.testing.assert_allclose(soft.tick(ZERO, ZERO), full.tick(ZERO, ZERO))


@pytest.fixture
def loop():
    loop = TorqueLoop(TorqueLoopConfig())
    loop.measure(leg.MOTOR_JOINTS, [2.0] * 8, [0.1] * 8, now=10.0)
    return loop


def test_torque_loop_accepts_leg_and_motor_names_in_any_order(loop):
    pose = leg.NEUTRAL + 0.05
    loop.command(leg.LEG_CHANNELS[::-1], pose[::-1], now=10.0)
    by_leg = loop.torque(10.0)
    loop.command(leg.MOTOR_JOINTS, leg.motor_angles(pose), now=10.0)
    np.testing.assert_allclose(loop.torque(10.0), by_leg)
    assert np.abs(by_leg).max() > 0.1


def test_torque_loop_damps_without_commands_and_rests_without_states(loop):
    loop.command(leg.LEG_CHANNELS, leg.NEUTRAL, now=9.89)
    damped = loop.torque(10.0)
    assert (damped < 0).all()
    assert (loop.torque(10.06) == 0).all()


@pytest.mark.parametrize(
    ('names', 'values', 'text'),
    [
        (leg.LEG_CHANNELS[:7], [0.0] * 7, '8 names'),
        (leg.LEG_CHANNELS, [0.0] * 7, '8 names'),
        (('a',) * 8, [0.0] * 8, '8 names'),
        ((*leg.LEG_CHANNELS[:7], 'tail'), [0.0] * 8, 'needed are'),
        (leg.LEG_CHANNELS, [float('nan')] * 8, 'not all finite'),
    ],
)
def test_torque_loop_refuses_malformed_commands(loop, names, values, text):
    with pytest.raises(ValueError, match=text):
        loop.command(names, values, now=10.0)


def test_torque_loop_refuses_a_state_without_a_motor(loop):
    with pytest.raises(ValueError, match=r"lacks \['motor_back_rightR_joint'\]"):
        loop.measure(leg.MOTOR_JOINTS[:7], [0.0] * 7, [0.0] * 7, now=10.0)
