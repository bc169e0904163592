"""Rewards and ends of the walking Minitaur."""

import numpy as np
import pytest

from sac_agent.layout import SensorLayout
from sac_agent.tasks.minitaur_walk import MinitaurWalkConfig
from sac_agent.tasks.task import make_task

from .task_samples import NOTHING, trajectory

MOTORS = MinitaurWalkConfig().motors
MINITAUR = SensorLayout(
    (
        *(f'joint_states.position[{m}]' for m in MOTORS),
        *(f'imu.orientation[{c}]' for c in 'xyzw'),
        *(f'pose.position[{c}]' for c in 'xyz'),
    )
)


def minitaur(**parameters):
    return make_task('minitaur_walk', parameters, MINITAUR, 0.02)


def standing(x=0.0, pitch=0.0, front_swing=0.0, roll=0.0):
    theta = np.full(8, 2.0)
    theta[0], theta[1] = 2.0 - front_swing, 2.0 + front_swing  # front left: sigma is 1
    theta[4], theta[5] = 2.0 + front_swing, 2.0 - front_swing  # front right: sigma is -1
    turn = np.array([np.sin(roll / 2), np.sin(pitch / 2), 0.0, np.cos((roll + pitch) / 2)])
    return np.array([*theta, *turn, x, 0.0, 0.2])  # roll or pitch, not both


def test_minitaur_is_rewarded_most_for_walking_at_a_speed():
    task = minitaur()
    for velocity, expected in ((0.3, 0.3), (0.5, 0.5), (0.8, 0.2), (3.0, -0.5), (-2.0, -0.5)):
        terms = task.reward(standing(), NOTHING, standing(velocity * 0.02), [])
        np.testing.assert_allclose(terms, [expected, 0, 0, 0], atol=1e-9)


def test_minitaur_pays_for_jerk_tilt_and_folded_front_legs():
    task = minitaur()
    jerk = task.reward(standing(), np.ones(8), standing(), [np.ones(8), np.zeros(8)])
    assert jerk[1] == pytest.approx(-0.5 * 0.3 * abs(1 - 0 + 1))
    for tilt in ({'pitch': 0.35}, {'pitch': -0.35}, {'roll': 0.35}):
        tilted = task.reward(standing(), NOTHING, standing(**tilt), [])
        assert tilted[2] == pytest.approx(-0.5 * 0.2)
    folded = task.reward(standing(), NOTHING, standing(front_swing=0.6), [])
    assert folded[3] == pytest.approx(-2.0 * 2 * 0.4)
    broken = task.reward(standing(), NOTHING, standing(front_swing=100.0), [])
    assert broken[3] == pytest.approx(-2.0 * 2 * 0.6)


def test_minitaur_ends_when_it_falls_or_folds_a_front_leg():
    task = minitaur()
    assert not task.terminated(standing(pitch=0.6, front_swing=0.7))
    assert task.terminated(standing(pitch=-0.8))
    assert task.terminated(standing(front_swing=0.9))


def test_minitaur_succeeds_at_full_length_only():
    task = minitaur(full_length=100)
    fast = [standing(0.01 * i) for i in range(101)]
    assert task.success(trajectory(fast, period=0.02))
    assert not task.success(trajectory(fast, terminated=True, period=0.02))
    assert not task.success(trajectory(fast[:50], period=0.02))
    assert task.metrics(trajectory(fast, period=0.02))['velocity'] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ('velocity', 'steps', 'fell', 'traversed'),
    [(0.3, 100, False, 1.0), (0.1, 100, False, 0.0), (0.3, 50, False, 0.0), (0.3, 100, True, 0.0)],
)
def test_minitaur_traverses_at_half_the_velocity_of_success(velocity, steps, fell, traversed):
    task = minitaur(full_length=100)
    walk = [standing(velocity * 0.02 * i) for i in range(steps + 1)]
    walked = trajectory(walk, terminated=fell, period=0.02)
    assert not task.success(walked)
    assert task.metrics(walked)['traversed'] == traversed


def test_minitaur_is_perturbed_in_training_only():
    rng = np.random.default_rng(0)
    assert minitaur(perturb=0.5).reset_goal(rng)['perturb'] == 0.5
    assert 'perturb' not in minitaur(perturb=0.5).reset_goal(rng, evaluation=True)
    assert 'perturb' not in minitaur().reset_goal(rng)
