"""The twin without a wire and the driver on the emulated bus are the same robot."""

import numpy as np
import pytest

from robot_drivers.dclaw import ROBOT
from robot_drivers.dclaw.config import DclawConfig, LIMIT, NAMES, REACHED, REST_POSE
from robot_drivers.errors import NeedsHelpError, ResetFailedError
from robot_drivers.robot import Connection
from robot_drivers.sim.dclaw import DclawTwin
from robot_drivers.sim.dclaw_physics import ASPECTS


def targets(rng, position):
    return np.clip(position[:9] + rng.uniform(-0.2, 0.2, 9), -LIMIT, LIMIT)


def test_twin_and_emulator_measure_the_same(lockstep_hand):
    twin, rng = DclawTwin(image_shape=(32, 32)), np.random.default_rng(0)
    connection = Connection(lockstep_hand.port, 'sim', 'lockstep', camera='emulated')
    config = DclawConfig(image_height=32, image_width=32)
    with ROBOT.create(config, connection) as robot:
        robot.enable()
        robot.read()
        for _ in range(2):
            goal = {'valve_joint': rng.uniform(-3, 3)}
            twin.reset(goal)
            assert list(robot.reset(goal, 30.0))
            for _ in range(100):
                command = targets(rng, twin.state.position)
                np.testing.assert_array_equal(robot.command(command), twin.step(command))
                state, sensors = robot.read(), twin.sensors()
                np.testing.assert_array_equal(state.position, sensors['joint_states.position'])
                np.testing.assert_array_equal(state.velocity, sensors['joint_states.velocity'])
                np.testing.assert_array_equal(state.effort, sensors['joint_states.effort'])
                assert state.stamp == pytest.approx(twin.stamp)
            difference = state.image.astype(int) - sensors['image_raw']
            assert np.abs(difference).max() <= 1
    twin.close()


def test_command_lets_exactly_one_period_pass():
    twin = DclawTwin()
    before = twin.stamp
    for _ in range(5):
        twin.step(REST_POSE)
    assert twin.stamp - before == pytest.approx(0.5)


def test_command_beyond_the_limits_is_clipped_and_reported():
    assert (DclawTwin().step(np.full(9, 9.0)) == LIMIT).all()


@pytest.mark.parametrize('bad', [np.nan, np.inf])
def test_malformed_command_never_reaches_the_motors(bad):
    twin = DclawTwin()
    with pytest.raises(ValueError, match='finite'):
        twin.step(np.full(9, bad))
    with pytest.raises(ValueError, match='9 finite numbers'):
        twin.step(np.zeros(3))
    assert twin.stamp == 0.0


@pytest.mark.parametrize('angle', [-3.0, 0.0, 0.5, 3.1])
def test_reset_turns_the_valve_and_frees_it(angle):
    twin, rng = DclawTwin(seed=3), np.random.default_rng(0)
    for _ in range(20):
        twin.step(targets(rng, twin.state.position))
    twin.reset({'valve_joint': angle})
    names = list(twin.joint_names)
    position = twin.sensors()['joint_states.position']
    assert position[names.index('valve_joint')] == pytest.approx(angle, abs=0.03)
    assert np.abs(position[:9] - REST_POSE).max() < REACHED
    assert not twin.physics.torque[9]
    assert twin.physics.torque[:9].all()


def test_reset_goal_is_wrapped_to_one_turn():
    twin = DclawTwin()
    twin.reset({'valve_joint': 2 * np.pi + 1.0})
    assert twin.state.position[9] == pytest.approx(1.0, abs=0.03)


def test_valve_angle_is_wrapped_when_it_turned_further():
    twin = DclawTwin()
    twin.physics.push('valve_joint', 7.0)
    twin.step(REST_POSE)
    assert twin.state.position[9] == pytest.approx(7.0 - 2 * np.pi, abs=0.01)


def test_blocked_finger_asks_for_help_and_leaves_the_hand_limp():
    twin = DclawTwin()
    twin.physics.model.joint('FFJ11').range[:] = (0.5, 2.0)
    with pytest.raises(NeedsHelpError, match='4 attempts'):
        twin.reset({'valve_joint': 1.0}, timeout=300.0)
    assert not twin.physics.torque.any()


def test_reset_ends_at_its_timeout():
    twin = DclawTwin()
    with pytest.raises(ResetFailedError, match='timeout'):
        twin.reset({'valve_joint': 3.0}, timeout=0.3)


@pytest.mark.parametrize('goal', [{'nonsense': 0.0}, {'FFJ10': 3.0}, {'valve_joint': np.nan}])
def test_impossible_reset_goal_is_refused(goal):
    with pytest.raises(ValueError):  # noqa: PT011
        DclawTwin().reset(goal)


def test_limp_hand_takes_no_command():
    twin = DclawTwin()
    twin.robot.limp()
    with pytest.raises(Exception, match='limp'):
        twin.step(REST_POSE)


def test_same_seed_gives_the_same_first_angle():
    first, second, other = (DclawTwin(seed=seed).state.position[9] for seed in (1, 1, 2))
    assert first == second != other


def test_image_shows_the_valve_turn():
    twin = DclawTwin(image_shape=(32, 32))
    before = twin.sensors()['image_raw'].copy()
    assert before.shape == (32, 32, 3)
    assert before.dtype == np.uint8
    twin.physics.push('valve_joint', 1.0)
    assert (twin.sensors()['image_raw'] != before).mean() > 0.05
    twin.physics.push('valve_joint', 0.0)
    twin.physics.vary_appearance(3)
    assert (twin.sensors()['image_raw'] != before).mean() > 0.5
    twin.physics.vary_appearance(None)
    assert (twin.sensors()['image_raw'] == before).all()
    twin.close()


def test_each_aspect_changes_the_picture_alone_and_repeatably():
    def picture(**options):
        twin = DclawTwin(image_shape=(32, 32), **options)
        image = twin.sensors()['image_raw'].astype(int)
        twin.close()
        return image

    plain = picture()
    varied = {aspect: picture(appearance=1, varied=aspect) for aspect in ASPECTS}
    for aspect, image in varied.items():
        assert (image != plain).mean() > 0.3, aspect
        assert (image == picture(appearance=1, varied=aspect)).all(), aspect
        assert (image != picture(appearance=2, varied=aspect)).mean() > 0.3, aspect
        assert (picture(appearance=1, varied=aspect, strength=0.0) == plain).all(), aspect
    everything = picture(appearance=1)
    assert (everything == picture(appearance=1, varied='+'.join(ASPECTS))).all()
    assert all((image != everything).any() for image in varied.values())


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'varied': 'smell'}, "no aspect 'smell' of the scene; there are"),
        ({'strength': -1.0}, 'strength must be at least 0, got -1.0'),
    ],
)
def test_impossible_appearance_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        DclawTwin(appearance=1, **options)


def test_names_are_those_of_the_topics():
    twin = DclawTwin()
    assert twin.joint_names == NAMES
    assert {len(value) for value in twin.sensors().values()} == {10}
