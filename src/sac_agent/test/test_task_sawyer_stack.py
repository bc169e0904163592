"""Rewards, features and ends of the stacking Sawyer."""

import numpy as np
import pytest

from sac_agent.errors import ConfigError
from sac_agent.layout import SensorLayout
from sac_agent.tasks.task import make_task

from .task_samples import NOTHING, trajectory

SAWYER = SensorLayout(
    (
        *(f'joint_states.velocity[right_j{i}]' for i in range(7)),
        *(f'endpoint.position[{c}]' for c in 'xyz'),
        *(f'endpoint.orientation[{c}]' for c in 'xyzw'),
    )
)


def sawyer(**parameters):
    return make_task('sawyer_stack', parameters, SAWYER, 0.05)


TARGET = {'target_position': [0.5, 0.0, 0.2], 'target_orientation': [0.0, 1.0, 0.0, 0.0]}


def gripper(position, orientation=(0.0, 1.0, 0.0, 0.0), velocity=0.0):
    return np.array([*[velocity] * 7, *position, *orientation])


def test_sawyer_measures_corners_so_that_turning_counts():
    task = sawyer(**TARGET)
    assert task.corner_distance(gripper((0.5, 0.0, 0.2))) == pytest.approx(0.0, abs=1e-12)
    assert task.corner_distance(gripper((0.5, 0.0, 0.203))) == pytest.approx(0.003)
    turned = gripper((0.5, 0.0, 0.2), (np.sin(0.1), np.cos(0.1), 0.0, 0.0))
    assert task.corner_distance(turned) > 0.002


def test_sawyer_reward_is_steep_near_the_goal_and_bounded():
    task = sawyer(**TARGET)

    def reward(height):
        after = gripper((0.5, 0.0, 0.2 + height))
        return task.reward(after, NOTHING, after, []).sum()

    assert reward(0.03) == pytest.approx(0.0)
    assert reward(0.0) == pytest.approx(0.5 * np.log((0.03**2 + 2e-6) / 2e-6))
    assert reward(0.001) - reward(0.004) > reward(0.101) - reward(0.104)
    fast = gripper((0.5, 0.0, 0.2), velocity=1e6)
    assert task.reward(fast, NOTHING, fast, [])[1] == pytest.approx(-2.0)


def test_sawyer_ends_outside_its_workspace():
    task = sawyer(**TARGET)
    assert not task.terminated(gripper((0.5, 0.0, 0.2)))
    outside = gripper((0.9, 0.0, 0.2))
    assert task.terminated(outside)
    assert task.reward(outside, NOTHING, outside, [])[2] == pytest.approx(-20.0)


def test_sawyer_reward_can_look_at_points_that_make_tilt_costly():
    tilted = gripper((0.5, 0.0, 0.2), (np.sin(0.05), np.cos(0.05), 0.0, 0.0))
    near = sawyer(**TARGET)
    far = sawyer(**TARGET, reward_points=[0.0, 0.0, 0.0, 0.3, 0.0, 0.1, 0.0, 0.3, 0.1])
    assert far.corner_distance(tilted) == near.corner_distance(tilted)
    rewards = [task.reward(tilted, NOTHING, tilted, [])[0] for task in (near, far)]
    assert rewards[1] < rewards[0]
    with pytest.raises(ConfigError, match=r'reward_points: must hold 9 numbers, got 3'):
        sawyer(**TARGET, reward_points=[0.0] * 3)


def test_sawyer_shows_where_its_points_are_whole_and_close_up():
    task = sawyer(**TARGET)
    assert not task.features(gripper((0.5, 0.0, 0.2))).any()
    features = task.features(gripper((0.5, 0.0, 0.203)))
    assert len(features) == len(task.feature_names) == 18
    np.testing.assert_allclose(features[2:9:3], 0.003 / 0.05)
    np.testing.assert_allclose(features[11::3], np.tanh(1.0))


def test_sawyer_succeeds_when_seated_at_the_end():
    task = sawyer(**TARGET)
    assert task.success(trajectory([gripper((0.5, 0.0, z)) for z in (0.3, 0.2, 0.2015)]))
    assert not task.success(trajectory([gripper((0.5, 0.0, z)) for z in (0.2, 0.2, 0.203)]))


def test_sawyer_starts_around_a_given_pose_only():
    rng = np.random.default_rng(0)
    assert sawyer(**TARGET).reset_goal(rng) == {}
    goal = sawyer(**TARGET, start_pose=[0.5] * 7).reset_goal(rng)
    assert list(goal) == [f'right_j{i}' for i in range(7)]
    assert all(abs(value - 0.5) <= 0.03 for value in goal.values())
    with pytest.raises(ConfigError, match=r'start_pose: must hold 7 numbers, got 2'):
        sawyer(**TARGET, start_pose=[0.5, 0.5])
