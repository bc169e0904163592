"""Goals, rewards and ends of the three tasks."""

from itertools import pairwise

import numpy as np
import pytest

from sac_agent.errors import ConfigError
from sac_agent.layout import SensorLayout
from sac_agent.tasks.dclaw_geometry import JOINTS
from sac_agent.tasks.dclaw_valve import DclawValve
from sac_agent.tasks.minitaur_walk import MinitaurWalk, MinitaurWalkConfig
from sac_agent.tasks.sawyer_stack import SawyerStack
from sac_agent.tasks.task import (
    find_task,
    make_task,
    NoParameters,
    Task,
    Trajectory,
    try_task,
)

VALVE = SensorLayout(
    (
        'joint_states.position[valve_joint]',
        'joint_states.velocity[valve_joint]',
        *(f'joint_states.position[{j}]' for j in JOINTS),
        *(f'joint_states.velocity[{j}]' for j in JOINTS),
    )
)
MOTORS = MinitaurWalkConfig().motors
MINITAUR = SensorLayout(
    (
        *(f'joint_states.position[{m}]' for m in MOTORS),
        *(f'imu.orientation[{c}]' for c in 'xyzw'),
        *(f'pose.position[{c}]' for c in 'xyz'),
    )
)
SAWYER = SensorLayout(
    (
        *(f'joint_states.velocity[right_j{i}]' for i in range(7)),
        *(f'endpoint.position[{c}]' for c in 'xyz'),
        *(f'endpoint.orientation[{c}]' for c in 'xyzw'),
    )
)
NOTHING = np.zeros(8)


def valve(**parameters):
    return make_task('dclaw_valve', parameters, VALVE, 0.1)


def minitaur(**parameters):
    return make_task('minitaur_walk', parameters, MINITAUR, 0.02)


def sawyer(**parameters):
    return make_task('sawyer_stack', parameters, SAWYER, 0.05)


def trajectory(rows, terminated=False, period=0.1):
    sensors = np.array(rows)
    return Trajectory(sensors, np.zeros((len(rows) - 1, 9)), terminated, period)


def test_tasks_are_found_by_name_and_by_module():
    assert find_task('dclaw_valve') is DclawValve
    assert find_task('sac_agent.tasks.minitaur_walk:MinitaurWalk') is MinitaurWalk
    assert find_task('sawyer_stack') is SawyerStack
    with pytest.raises(ConfigError, match="or module:Class, got 'juggle'"):
        find_task('juggle')


def test_a_sensor_value_that_a_task_needs_must_be_there():
    with pytest.raises(ConfigError, match=r"'joint_states\.position' is unknown"):
        make_task('dclaw_valve', {}, MINITAUR.__class__(('a.b[c]',)), 0.1)


@pytest.mark.parametrize('turns', [-2, 0, 3])
def test_the_valve_counts_the_shortest_way_to_its_target(turns):
    angle = np.pi - 0.3 + 2 * np.pi * turns
    assert valve().error(np.array([angle, 0.0])) == pytest.approx(-0.3)
    beyond = np.array([-np.pi + 0.2, 0.0])
    assert valve().error(beyond) == pytest.approx(0.2)


def test_the_valve_reward_falls_with_distance_and_with_motion_at_the_target():
    def reward(error, velocity=0.0, fingers=0.0):
        after = np.array([np.pi + error, velocity, *np.zeros(9), *np.full(9, fingers)])
        return valve().reward(after, NOTHING, after, []).sum()

    rewards = [reward(e) for e in (0.0, 0.05, 0.1, 0.3, 1.0, 3.0)]
    assert rewards == sorted(rewards, reverse=True)
    assert reward(0.0, 1.0) < reward(0.0)
    assert reward(0.0, fingers=1.0) < reward(0.0)
    assert reward(2.0, 1.0) == pytest.approx(reward(2.0), abs=0.01)
    assert reward(0.5) == pytest.approx(reward(-0.5))


def test_progress_adds_up_to_the_way_that_was_made():
    angles = np.pi + np.array([2.0, 1.2, 1.5, -0.1])
    rows = [np.array([angle, *np.zeros(19)]) for angle in angles]
    task = valve(progress=5.0)
    index = DclawValve.reward_names.index('progress')
    steps = pairwise(rows)
    terms = [task.reward(before, NOTHING, after, [])[index] for before, after in steps]
    assert terms[0] > 0 > terms[1]
    assert sum(terms) == pytest.approx(5.0 * (2.0 - 0.1))


def test_the_valve_shows_where_the_fingertips_are_from_the_nearest_prong():
    raw = np.zeros(20)
    raw[0] = 0.2
    one = valve().features(raw)
    raw[0] += 2 * np.pi / 3  # the next prong is now where this one was
    other = valve().features(raw)
    assert one.shape == (len(DclawValve.feature_names),)
    assert one[3:] == pytest.approx(other[3:])
    assert one[0] != pytest.approx(other[0])


def test_the_valve_shows_small_errors_large():
    def shown(error):
        raw = np.zeros(20)
        raw[0] = np.pi + error
        return dict(zip(DclawValve.feature_names, valve().features(raw), strict=True))

    assert shown(0.1)['target_error'] == pytest.approx(0.1 / np.pi)
    assert shown(0.1)['target_near'] == -shown(-0.1)['target_near'] > 0.5
    assert (
        shown(0.1)['target_bonus'] == shown(-0.1)['target_bonus'] == pytest.approx(0.513, abs=1e-3)
    )
    assert shown(3.0)['target_near'] == pytest.approx(1.0)
    assert shown(3.0)['target_bonus'] == pytest.approx(0.0, abs=1e-6)


def test_the_valve_starts_anywhere():
    rng = np.random.default_rng(0)
    task = valve()
    goals = np.array([task.reset_goal(rng)['valve_joint'] for _ in range(2000)])
    assert goals.min() < -3.1
    assert goals.max() > 3.1
    assert abs(goals.mean()) < 0.15


@pytest.mark.parametrize(('error', 'solved'), [(0.09, True), (-0.09, True), (0.11, False)])
def test_the_valve_is_solved_by_its_last_angle(error, solved):
    run = trajectory([[0.0, 0.0], [1.0, 0.0], [np.pi + error, 0.0]])
    assert valve().success(run) is solved
    assert valve().metrics(run)['final_distance'] == pytest.approx(abs(error))


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


class Broken(Task):
    """Whatever a subclass does wrong, it says in which line."""

    reward_names = ('one', 'two')

    def reward(self, before, action, after, history):
        return np.zeros(2)


class WrongSize(Broken):
    def reward(self, before, action, after, history):
        return np.zeros(3)


class Crashing(Broken):
    def metrics(self, trajectory):
        return {'best': trajectory.nothing}


class FeaturesForgotten(Broken):
    feature_names = ('way',)

    def features(self, raw):
        return raw


class NoSuchMetric(Broken):
    distance = 'distance'

    def metrics(self, trajectory):
        return {'height': 1.0}


@pytest.mark.parametrize(
    ('kind', 'text'),
    [
        (
            WrongSize,
            r'reward failed: ValueError: must return 2 numbers, one, two; .*\(3,\)',
        ),
        (Crashing, r"metrics failed: AttributeError: .*'nothing' \(.*test_tasks\.py, line \d+\)"),
        (FeaturesForgotten, r'features failed: .* must return 1 numbers, way; got shape \(2,\)'),
        (NoSuchMetric, r"distance is 'distance', metrics returns only height"),
    ],
)
def test_what_a_task_does_wrong_is_named_before_it_runs(kind, text):
    layout = SensorLayout(('s.position[a]', 's.position[b]'))
    with pytest.raises(ConfigError, match=text):
        try_task(kind(layout, NoParameters(), 0.1), 2)


def test_a_good_task_is_tried_without_complaint():
    layout = SensorLayout(('s.position[a]', 's.position[b]'))
    try_task(Broken(layout, NoParameters(), 0.1), 2)
