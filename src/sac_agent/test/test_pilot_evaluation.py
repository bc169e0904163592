"""Evaluations between episodes, after a collapse, and at the end of a run."""

import numpy as np
import pytest

from sac_agent.records import Source, Truncation
from sac_core.policy_format import Architecture, layout

from .pilot_run import configured, Run


def test_evaluation_is_deterministic_marked_and_not_counted():
    run = Run(evaluation__every=10, evaluation__episodes=2, evaluation__solved_success_rate=0.0)
    run.policy(bias=0.3)
    run.episode()
    run.episode()
    assert run.pilot.steps == 10
    first = run.episode()
    assert {o.record.source for o in first} == {Source.MEAN}
    assert all(o.record.evaluation for o in first)
    np.testing.assert_allclose(first[0].record.action, np.tanh(0.3), rtol=1e-6)
    assert first[-1].evaluation is None
    evaluation = run.episode()[-1].evaluation
    assert (evaluation.steps, evaluation.episodes, evaluation.policy_version) == (10, 2, 1)
    assert evaluation.solved
    assert run.pilot.steps == 10
    assert run.episode()[0].record.source is Source.POLICY


def test_an_evaluation_episode_that_was_cut_short_is_repeated():
    run = Run(evaluation__episodes=1)
    run.policy()
    run.pilot.evaluate(1)
    run.begin()
    run.step()
    assert run.pilot.interrupt(Truncation.STALE_SENSOR).evaluation is None
    assert run.episode()[-1].evaluation is not None


def test_a_policy_that_always_causes_a_fault_is_not_evaluated_for_ever():
    run = Run(evaluation__episodes=2)
    run.policy()
    run.pilot.evaluate(2)
    outcomes = []
    while run.pilot.evaluating:
        run.begin()
        run.step()
        outcomes.append(run.pilot.interrupt(Truncation.FAULT))
        assert len(outcomes) < 10
    assert len(outcomes) == 4  # two are repeated, then they count
    assert outcomes[-1].evaluation.episodes == 2


def test_after_a_collapse_the_best_policy_acts_until_the_next_evaluation():
    run = Run(evaluation__every=10, evaluation__episodes=1, reward_weights={'distance': 1.0})
    spec = run.pilot.spec
    architecture = Architecture(spec.observation.vector_size, spec.action_size, hidden=(8,))

    def evaluate(version, weight):
        from sac_agent.policy.store import PolicyOffer
        from sac_core.policy_format import checksum, pack

        arrays = {n: np.zeros(s, 'f4') for n, s in layout(architecture)}
        arrays['observation.std'] += 1.0
        data = pack(arrays, architecture)
        offer = PolicyOffer('l', version, version, spec.spec_hash(), architecture.to_json(),
                            checksum(data), data)  # fmt: skip
        assert run.pilot.policies.offer(offer) == ''
        run.pilot.tune(  # both are live
            configured(evaluation__rollback_drop=0.5, reward_weights={'distance': weight})
        )
        for _ in range(2):
            run.episode()
        return run.episode()[-1].evaluation

    assert evaluate(1, 5.0).policy_version == 1
    assert evaluate(2, 1.0).policy_version == 2
    assert evaluate(3, 4.0).policy_version == 3
    assert run.pilot.policies.version == 2
    assert run.episode()[0].record.policy_version == 2
    run.episode()
    assert run.episode()[0].record.policy_version == 3


def test_the_last_training_step_ends_its_episode_and_is_evaluated():
    run = Run(evaluation__final=7, evaluation__episodes=1)
    run.policy()
    run.episode()
    *_, last = run.episode()
    assert run.pilot.steps == 7
    assert last.record.truncation_reason is Truncation.SHUTDOWN
    assert run.episode()[-1].evaluation.steps == 7
    assert len(run.episode()) == 5


def test_the_last_step_of_all_robots_together_ends_the_episode_and_is_evaluated():
    run = Run(evaluation__final=100, evaluation__episodes=1)
    run.policy()
    run.begin()
    run.step()
    assert not run.pilot.conclude(99)
    assert run.pilot.conclude(100)
    assert not run.pilot.conclude(101)
    run.pilot.interrupt(Truncation.SHUTDOWN)
    evaluation = run.episode()[-1].evaluation
    assert (evaluation.steps, evaluation.episodes) == (1, 1)
    assert run.pilot.is_last(evaluation)


def test_a_robot_that_makes_all_steps_by_itself_is_not_evaluated_twice():
    run = Run(evaluation__final=5, evaluation__episodes=1)
    run.policy()
    run.episode()
    assert not run.pilot.conclude(5)
    assert run.pilot.is_last(run.episode()[-1].evaluation)
    assert not run.pilot.conclude(6)
    run.begin()
    assert not run.pilot.evaluating


def test_without_a_policy_nothing_is_evaluated_at_the_end():
    run = Run(evaluation__final=100)
    run.begin()
    assert not run.pilot.conclude(100)


def test_evaluation_needs_a_policy():
    with pytest.raises(ValueError, match='no policy to evaluate yet'):
        Run().pilot.evaluate(1)
