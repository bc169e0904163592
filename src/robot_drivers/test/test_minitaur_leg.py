"""Leg space, linkage and wiring of Minitaur."""

import numpy as np
import pytest

from robot_drivers.minitaur import leg
from robot_drivers.minitaur.config import MinitaurConfig, Wiring


def poses(count=200):
    return leg.NEUTRAL + np.random.default_rng(0).uniform(-0.6, 0.6, (count, 8))


def test_leg_angles_and_motor_angles_are_inverse():
    for pose in poses():
        np.testing.assert_allclose(leg.leg_angles(leg.motor_angles(pose)), pose, atol=1e-12)


def test_mapping_is_the_published_one():
    swing, extension = np.array([0.1, 0.2, 0.3, 0.4]), np.array([1.9, 2.0, 2.1, 2.2])
    theta = leg.motor_angles(np.concatenate([swing, extension]))
    np.testing.assert_allclose(theta, [1.8, 2.0, 1.8, 2.2, 2.4, 1.8, 2.6, 1.8])


def test_order_of_motors_is_legs_first_then_left_before_right():
    assert leg.MOTOR_JOINTS[:3] == (
        'motor_front_leftL_joint',
        'motor_front_leftR_joint',
        'motor_back_leftL_joint',
    )
    assert leg.LEG_CHANNELS[3:5] == ('swing_3', 'extension_0')


def test_positive_swing_moves_every_foot_backward():
    pose = leg.NEUTRAL.copy()
    rest = leg.feet(leg.motor_angles(pose))
    pose[:4] = 0.3
    assert (leg.feet(leg.motor_angles(pose))[:, 0] < rest[:, 0] - 0.05).all()


def test_more_extension_lengthens_every_leg():
    pose = leg.NEUTRAL.copy()
    rest = leg.feet(leg.motor_angles(pose))
    pose[4:] += 0.3
    assert (leg.feet(leg.motor_angles(pose))[:, 2] < rest[:, 2] - 0.02).all()


@pytest.mark.parametrize(
    ('extension', 'radius'), [(0.5, 0.106), (1.0, 0.127), (np.pi / 2, 0.173), (2.0, 0.220)]
)
def test_pin_radius_has_the_published_values(extension, radius):
    assert leg.pin_radius(extension) == pytest.approx(radius, abs=1.5e-3)


def test_measured_linkage_stays_close_to_the_symmetric_formula():
    pins = leg.pins(leg.motor_angles(leg.NEUTRAL))
    np.testing.assert_allclose(
        np.linalg.norm(pins, axis=1), leg.pin_radius(leg.NEUTRAL_EXTENSION), atol=5e-3
    )


def test_knees_close_the_linkage():
    for pose in poses(50):
        theta = leg.motor_angles(pose)
        absolute = theta + leg.knee_angles(theta)
        knee, pins = leg.UPPER_LENGTH, leg.pins(theta)
        for i in range(4):
            for motor, way, length in (
                (leg.OUTER[i], -1, leg.LONG_LENGTH),
                (leg.INNER[i], 1, leg.SHORT_LENGTH),
            ):
                x = way * (knee * np.sin(theta[motor]) + length * np.sin(absolute[motor]))
                z = knee * np.cos(theta[motor]) + length * np.cos(absolute[motor])
                np.testing.assert_allclose([x, z], pins[i], atol=1e-9)


def test_impossible_pose_is_refused():
    with pytest.raises(ValueError, match='keep the extension between'):
        leg.pins(leg.motor_angles([1.5, 0, 0, 0, 1.57, 2, 2, 2]) * np.array([-40, 1] * 4) / 10)


def test_wrong_number_of_angles_is_refused():
    with pytest.raises(ValueError, match='8 numbers, got shape'):
        leg.motor_angles(np.zeros(7))


def test_power_is_the_same_in_leg_space():
    random = np.random.default_rng(1)
    torque, rate = random.normal(size=8), random.normal(size=8)
    assert leg.leg_efforts(torque) @ leg.leg_angles(rate) == pytest.approx(torque @ rate)


def test_wiring_round_trip():
    wiring = Wiring(
        (6, 7, 5, 4, 1, 0, 2, 3), (1.0, 1, 1, 1, -1, -1, -1, -1), (0.0, 3, 3, 0, 0, 3, 3, 0)
    )
    theta = np.arange(8.0)
    np.testing.assert_allclose(wiring.positions(wiring.to_wire(theta)), theta)
    assert wiring.to_wire(theta)[6] == theta[0]
    np.testing.assert_allclose(
        wiring.rates(wiring.to_wire(theta) - wiring.to_wire(0 * theta)), theta
    )


@pytest.mark.parametrize(
    ('field', 'value', 'text'),
    [
        ('motor_order', (0, 0, 1, 2, 3, 4, 5, 6), '0 to 7 once each'),
        ('motor_direction', (0.5,) * 8, '8 times 1 or -1'),
        ('motor_zero', (0.0,) * 7, '8 angles'),
        ('supply_lower', 20.0, 'must be below'),
    ],
)
def test_contradictory_parameters_are_refused(field, value, text):
    with pytest.raises(ValueError, match=text):
        MinitaurConfig(**{field: value})


def test_every_parameter_has_a_text_and_default_in_range():
    for item in MinitaurConfig.__dataclass_fields__.values():
        assert item.metadata['doc']
        low, high = item.metadata['range']
        values = item.default if isinstance(item.default, tuple) else (item.default,)
        assert all(low <= value <= high for value in values)
