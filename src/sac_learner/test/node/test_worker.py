"""The thread that learns, between the node's callbacks and the end of the run."""

from dataclasses import replace
import time

import pytest
from sac_msgs.msg import EpisodeSummary, EvaluationSummary

from sac_core.convert import spec_to_msg
from sac_core.policy_format import load_policy
from sac_learner.node.session import Session
from sac_learner.node.worker import Worker
from sac_learner.run import metrics
from sac_learner.run.directory import RunDirectory
from sac_learner.settings import LearnerSettings


@pytest.fixture
def make_worker(tmp_path, small):
    workers = []

    def make(**settings):
        run = RunDirectory(tmp_path / 'run')
        settings = LearnerSettings(
            run_dir=str(run.path), tensorboard=False, policy_period=0.0, **settings
        )
        published = []
        session = Session(
            small.config, settings, run, publish=published.append, log=lambda text: None
        )
        worker = Worker(session, settings.nice)
        worker.start()
        worker.call(session.on_spec, spec_to_msg(small.spec))
        workers.append(worker)
        return worker, session, published

    yield make
    for worker in workers:
        worker.stop()


def wait_for(condition, timeout=30.0):
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, 'timeout'
        time.sleep(0.01)


def test_solved_run_ends_by_itself_and_keeps_its_best_policy(make_worker, small, tmp_path):
    worker, session, published = make_worker()
    for message in small.transitions(120):
        worker.call(session.on_transition, message)
    wait_for(lambda: session.status().get('updates', 0) == 70)
    wait_for(lambda: published[-1].updates == 70)
    version = published[-1].version
    worker.call(
        session.on_evaluation,
        EvaluationSummary(
            agent_id='claw',
            steps=120,
            policy_version=version,
            episodes=20,
            success_rate=0.95,
            solved=True,
        ),
    )
    wait_for(lambda: not worker.running)
    assert (session.failure, session.exit_code) == ('', 0)
    _, _, metadata = load_policy(tmp_path / 'run/checkpoints/best/policy.safetensors')
    assert metadata['version'] == str(version)
    assert 'solved after 120 steps' in (tmp_path / 'run/summary.txt').read_text()


def test_run_goes_on_until_it_is_solved_often_enough(make_worker, small, tmp_path):
    worker, session, _ = make_worker(solved_in_a_row=2)
    for message in small.transitions(60):
        worker.call(session.on_transition, message)
    wait_for(lambda: session.status().get('updates', 0) == 10)
    for solved in (True, False, True, True):
        assert worker.running
        worker.call(
            session.on_evaluation,
            EvaluationSummary(
                agent_id='claw', steps=60, success_rate=float(solved), solved=solved
            ),
        )
    wait_for(lambda: not worker.running)
    assert len(metrics.read(tmp_path / 'run/metrics.jsonl', 'evaluation')) == 4


def test_status_of_an_ended_run_can_still_be_read(make_worker, small):
    worker, session, _ = make_worker()
    for message in small.transitions(60):
        worker.call(session.on_transition, message)
    wait_for(lambda: session.status().get('transitions') == 60)
    worker.stop()
    assert session.status()['acks'] == [('claw', 's1', 60, 60)]
    assert session.diagnostics()['transitions'] == 60


def test_paused_learner_takes_data_and_learns_later(make_worker, small):
    worker, session, _ = make_worker()
    session.paused = True
    for message in small.transitions(100):
        worker.call(session.on_transition, message)
    wait_for(lambda: session.status().get('transitions') == 100)
    assert session.status()['updates'] == 0
    session.paused = False
    wait_for(lambda: session.status()['updates'] == 50)


def test_changed_parameter_acts_and_is_recorded(make_worker, small, tmp_path):
    worker, session, _ = make_worker()
    wait_for(lambda: session.spec_hash)
    worker.call(session.on_parameter, 'target_entropy', '-3.0')
    worker.call(session.on_save)
    wait_for(lambda: list((tmp_path / 'run/checkpoints').glob('checkpoint_*')))
    events = metrics.read(tmp_path / 'run/metrics.jsonl', 'event')
    assert {'name': 'target_entropy', 'value': '-3.0'}.items() <= events[-1].items()
    with pytest.raises(ValueError, match='target_entropy'):
        session.check('target_entropy', 'much')


def test_agent_of_another_kind_is_refused_with_the_reason(make_worker, small):
    worker, session, _ = make_worker()
    wait_for(lambda: session.spec_hash)
    worker.call(
        session.on_spec,
        spec_to_msg(replace(small.spec, agent_id='other', action_names=('x', 'y'))),
    )
    wait_for(lambda: 'refused agent other' in session.diagnostics())
    assert 'start another learner' in session.diagnostics()['refused agent other']


def test_nothing_of_a_refused_agent_is_learned_or_recorded(make_worker, small, tmp_path):
    worker, session, _ = make_worker()
    for message in small.transitions(20):
        worker.call(session.on_transition, message)
    worker.call(
        session.on_spec, spec_to_msg(replace(small.spec, agent_id='other', control_period=0.2))
    )
    for message in small.transitions(30):
        message.agent_id = 'other'
        worker.call(session.on_transition, message)
    for agent in ('other', 'claw'):
        worker.call(
            session.on_episode,
            EpisodeSummary(agent_id=agent, metric_names=['error'], metric_values=[0.1]),
        )
        worker.call(
            session.on_evaluation,
            EvaluationSummary(agent_id=agent, steps=60, solved=agent == 'other'),
        )
    for message in small.transitions(40):
        worker.call(session.on_transition, message)
    wait_for(lambda: session.status().get('transitions') == 40)
    assert [agent for agent, *_ in session.status()['acks']] == ['claw']
    assert worker.running
    path = tmp_path / 'run/metrics.jsonl'
    recorded = [metrics.read(path, kind) for kind in ('episode', 'evaluation')]
    assert [[record['agent'] for record in records] for records in recorded] == [['claw']] * 2


def test_transition_that_overtook_the_spec_of_its_agent_is_learned_from(make_worker, small):
    worker, session, _ = make_worker()
    for message in small.transitions(30):
        message.agent_id = 'late'
        worker.call(session.on_transition, message)
    worker.call(session.on_spec, spec_to_msg(replace(small.spec, agent_id='late')))
    wait_for(lambda: session.status().get('transitions') == 30)
