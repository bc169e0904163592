"""The agent without ROS: steps, episodes, adoption of weights."""

import itertools

import numpy as np
import pytest

from sac_agent.config import from_mapping
from sac_agent.episode.machine import Event
from sac_agent.records import Progress, Source, Truncation

from .pilot_run import configured, Run


def test_records_continue_each_other():
    run = Run()
    run.policy()
    records = [outcome.record for outcome in run.episode()]
    assert [r.step for r in records] == [0, 1, 2, 3, 4]
    assert [r.segment_start for r in records] == [True, False, False, False, False]
    for before, after in itertools.pairwise(records):
        assert before.next_observation is after.observation
    assert records[0].reward == pytest.approx(records[0].reward_terms.sum())


def test_a_time_limit_truncates_and_never_terminates():
    run = Run()
    run.policy()
    *_, last = run.episode()
    assert last.record.truncated
    assert not last.record.terminated
    assert last.record.truncation_reason is Truncation.TIME_LIMIT
    assert last.episode.length == 5
    assert last.episode.duration == pytest.approx(0.5)
    assert 'median_distance' in last.episode.metrics


def test_the_applied_action_is_the_sampled_one_within_limits():
    run = Run()
    run.policy()
    record = run.episode()[0].record
    np.testing.assert_array_equal(record.action, record.sampled_action)
    np.testing.assert_allclose(record.sampled_action, np.tanh(record.latent), atol=1e-6)
    assert record.source is Source.POLICY
    assert record.policy_version == 1


def test_with_stored_action_applied_the_record_holds_what_the_limits_left():
    run = Run(limits__stored_action='applied')
    run.policy(bias=5.0)
    record = run.episode()[0].record
    assert record.clipped.all()
    reach = 2.0943951 * 0.1
    high = np.array([0.48, 1.0471975, 1.5707963] * 3)
    np.testing.assert_allclose(record.action, reach / high, rtol=1e-5)


def test_action_limits_hold_and_are_flagged():
    run = Run(limits__action=0.5, limits__action_rate=0.2)
    run.policy(bias=5.0)
    records = [outcome.record for outcome in run.episode()]
    for record, expected in zip(records, (0.2, 0.4, 0.5, 0.5, 0.5), strict=True):
        np.testing.assert_allclose(record.action, expected, rtol=1e-6)
        assert record.clipped.all()


def test_the_first_actions_are_uniform_and_smooth():
    run = Run(warmup__steps=400, episode__time_limit=400, smoothing__correlation=0.8)
    run.policy()
    records = [outcome.record for outcome in run.episode()]
    actions = np.array([r.sampled_action for r in records])
    assert {r.source for r in records} == {Source.UNIFORM}
    assert records[0].policy_version == 0
    assert np.abs(np.quantile(actions, [0.25, 0.5, 0.75]) - [-0.5, 0.0, 0.5]).max() < 0.1
    assert np.corrcoef(actions[:-1].ravel(), actions[1:].ravel())[0, 1] > 0.6
    assert run.episode()[0].record.source is Source.POLICY


def test_without_a_policy_it_goes_on_exploring():
    run = Run()
    assert run.episode()[0].record.source is Source.UNIFORM


def test_new_weights_act_from_the_next_step_on():
    run = Run()
    run.policy(version=1)
    run.begin()
    assert run.step().record.policy_version == 1
    run.policy(version=2)
    assert run.step().record.policy_version == 2


def test_an_interruption_ends_the_episode_without_a_record():
    run = Run()
    run.begin()
    run.step()
    run.pilot.act()
    outcome = run.pilot.interrupt(Truncation.FAULT)
    assert outcome.record is None
    assert outcome.episode.length == 1
    assert outcome.episode.truncation_reason is Truncation.FAULT
    assert run.episode()[0].record.segment_start


def test_a_stop_after_the_step_truncates_it():
    run = Run()
    run.begin()
    run.pilot.act()
    assert run.pilot.stop_after_step(Truncation.SHUTDOWN)
    record = run.pilot.observe(run.sample()).record
    assert record.truncated
    assert record.truncation_reason is Truncation.SHUTDOWN
    assert not run.pilot.in_episode
    assert not run.pilot.stop_after_step(Truncation.SHUTDOWN)


def test_late_steps_are_kept_out_of_the_data_on_request():
    run = Run(timing__drop_late=True)
    run.begin()
    run.pilot.act()
    run.pilot.sent(0.1, 0.2, missed=True)
    assert run.pilot.observe(run.sample()).record is None
    run.pilot.act()
    run.pilot.sent(0.01, 0.02)
    record = run.pilot.observe(run.sample()).record
    assert record.segment_start
    assert (record.observation_age, record.command_latency) == (0.01, 0.02)
    assert run.pilot.deadline_misses == 1


def test_a_person_in_command_is_recorded_as_such():
    run = Run()
    run.policy()
    run.begin()
    run.step()
    run.pilot.machine.on(Event.HUMAN_ON, 1.0)
    run.pilot.human({'joints': np.array([0.1] * 9)})
    for _ in range(2):  # as fast as the limits allow
        record = run.step().record
    assert record.source is Source.HUMAN
    np.testing.assert_allclose(record.command, 0.1, atol=1e-6)
    run.pilot.human(None)
    run.pilot.machine.on(Event.HUMAN_OFF, 2.0)
    assert run.step().record.source is Source.POLICY


def test_live_values_act_at_the_next_step():
    run = Run()
    run.policy(bias=5.0)
    run.begin()
    run.step()
    run.pilot.tune(configured(limits__action=0.1, reward_weights={'distance': 3.0}))
    record = run.step().record
    np.testing.assert_allclose(record.action, 0.1, rtol=1e-6)
    assert record.reward_terms[0] == pytest.approx(-3.0 * 2.0 * np.pi, rel=1e-6)


def test_the_same_goal_is_asked_for_until_the_episode_begins():
    run = Run()
    assert run.pilot.next_goal() == run.pilot.next_goal()


def test_a_later_session_goes_on_counting_with_other_random_numbers():
    first, second = Run(), Run(Progress(7, 35, {'acting': 3.5}))
    assert second.pilot.episode == 7
    assert second.pilot.steps == 35
    assert second.pilot.machine.account['acting'] == 3.5
    assert first.pilot.next_goal() != second.pilot.next_goal()


def test_the_same_seed_gives_the_same_run():
    runs = [Run(), Run()]
    one, two = ([o.record.action for o in run.episode()] for run in runs)
    np.testing.assert_array_equal(one, two)
    assert runs[0].pilot.next_goal() == runs[1].pilot.next_goal()


def test_the_configuration_is_part_of_the_spec():
    import yaml

    run = Run()
    assert from_mapping(yaml.safe_load(run.pilot.spec.config)) == run.pilot.config
