"""When to evaluate, and what comes of it."""

import pytest

from sac_agent.config import EvaluationConfig
from sac_agent.episode.evaluation import BestPolicy, EvaluationSchedule
from sac_agent.records import EpisodeRecord, EvaluationRecord, Truncation


def episode(success=True, episode_return=1.0, distance=0.1):
    return EpisodeRecord(
        episode=0, evaluation=True, steps=0, length=10, duration=1.0,
        episode_return=episode_return, success=success, terminated=False,
        truncation_reason=Truncation.TIME_LIMIT, policy_version=3,
        metrics={'distance': distance}, reward_sums={},
    )  # fmt: skip


def evaluation(success_rate, mean_return):
    return EvaluationRecord(0, 1, 10, success_rate, mean_return, {}, False, 0.0)


def test_a_batch_comes_whenever_enough_steps_are_done():
    schedule = EvaluationSchedule(EvaluationConfig(every=100, episodes=2))
    assert not schedule.begin_episode(99, 0.0)
    assert schedule.begin_episode(105, 7.0)
    assert schedule.end_episode(episode()) is None
    assert schedule.begin_episode(105, 8.0)
    record = schedule.end_episode(episode(success=False, episode_return=3.0, distance=0.3))
    assert (record.steps, record.robot_time, record.episodes) == (105, 7.0, 2)
    assert (record.success_rate, record.mean_return) == (0.5, 2.0)
    assert record.metrics == {'distance': pytest.approx(0.2)}
    assert not schedule.begin_episode(199, 9.0)
    assert schedule.begin_episode(200, 9.0)


def test_a_restarted_stream_does_not_repeat_an_evaluation():
    schedule = EvaluationSchedule(EvaluationConfig(every=100), steps=250)
    assert not schedule.begin_episode(299, 0.0)
    assert schedule.begin_episode(300, 0.0)


def test_it_never_evaluates_unasked_when_switched_off():
    schedule = EvaluationSchedule(EvaluationConfig(every=0))
    assert not schedule.begin_episode(10**9, 0.0)
    schedule.request(1)
    assert schedule.begin_episode(10**9, 0.0)
    with pytest.raises(ValueError, match='1 episodes are left'):
        schedule.request(1)


@pytest.mark.parametrize(('successes', 'solved'), [(9, True), (8, False)])
def test_solved_is_a_matter_of_the_success_rate(successes, solved):
    schedule = EvaluationSchedule(EvaluationConfig(solved_success_rate=0.9))
    schedule.request(10)
    schedule.begin_episode(0, 0.0)
    for i in range(10):
        record = schedule.end_episode(episode(success=i < successes))
    assert record.solved is solved


def test_the_best_evaluation_has_the_highest_success_then_return():
    best = BestPolicy()
    assert best.judge(evaluation(0.5, 1.0), 0.0) == (True, False)
    assert best.judge(evaluation(0.5, 2.0), 0.0) == (True, False)
    assert best.judge(evaluation(0.4, 9.0), 0.0) == (False, False)


def test_a_collapse_is_a_fall_by_a_share_of_the_range():
    best = BestPolicy()
    best.judge(evaluation(0.0, -100.0), 0.5)
    best.judge(evaluation(1.0, 0.0), 0.5)
    assert best.judge(evaluation(0.9, -40.0), 0.5) == (False, False)
    assert best.judge(evaluation(0.0, -60.0), 0.5) == (False, True)
    assert best.judge(evaluation(0.0, -60.0), 0.0) == (False, False)
