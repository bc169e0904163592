"""Goals, rewards and features of the D'Claw with its valve."""

from itertools import pairwise

import numpy as np
import pytest

from sac_agent.layout import SensorLayout
from sac_agent.tasks.dclaw_geometry import JOINTS
from sac_agent.tasks.dclaw_valve import DclawValve
from sac_agent.tasks.task import make_task

from .task_samples import NOTHING, trajectory

VALVE = SensorLayout(
    (
        'joint_states.position[valve_joint]',
        'joint_states.velocity[valve_joint]',
        *(f'joint_states.position[{j}]' for j in JOINTS),
        *(f'joint_states.velocity[{j}]' for j in JOINTS),
    )
)


def valve(**parameters):
    return make_task('dclaw_valve', parameters, VALVE, 0.1)


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
