"""Bags as data to learn from: the same replay as online, offline runs, demonstrations."""

from pathlib import Path

import numpy as np
import pytest
from rclpy.serialization import serialize_message
import yaml

from sac_core.bag import BagError, BagWriter
from sac_core.bag.transitions import AGENT_SPEC, TRANSITION
from sac_core.convert import spec_to_msg
from sac_learner.intake import bags, loading
from sac_learner.intake.given import Given
from sac_learner.intake.intake import Intake
from sac_learner.offline import command as offline
from sac_learner.offline import replay_hash, study
from sac_learner.replay import Replay
from sac_learner.run.directory import RunDirectory
from sac_learner.run.metrics import Metrics, read
from sac_learner.sac.config import SacConfig
from sac_learner.settings import LearnerSettings
from sac_learner.training.training import Training

SMALL = [
    'actor_hidden=8,8',
    'critic_hidden=8,8',
    'batch_size=16',
    'replay_capacity=2000',
    'learning_starts=50',
]


@pytest.fixture
def write(tmp_path, small):
    """Return a function that writes messages into a bag, the agent's spec first."""

    def make(messages, name='bag', spec=small.spec):
        with BagWriter(tmp_path / name) as writer:
            writer.add_topic('/agent_spec', AGENT_SPEC, latched=True)
            writer.add_topic('/transition', TRANSITION)
            items = [('/agent_spec', spec_to_msg(spec)), *(('/transition', m) for m in messages)]
            for stamp, (topic, message) in enumerate(items):
                kind = AGENT_SPEC if topic == '/agent_spec' else TRANSITION
                data = writer.definitions.canonical(serialize_message(message), kind)
                writer.write(topic, stamp, data)
        return tmp_path / name

    return make


def replay(directory) -> Replay:
    return Replay(directory, 2000, 2, None, 1)


def test_a_bag_gives_the_replay_that_learning_online_gave(tmp_path, write, small) -> None:
    messages = small.transitions(200)
    for message in messages[50:70]:
        message.evaluation = True
    online, poured = (replay(tmp_path / name) for name in ('online', 'poured'))
    training = Intake(online)
    for message in messages:
        transition = loading.bags.from_message(message, None)
        training.offer('claw/s1', transition, evaluation=message.evaluation)
    bags.pour([write(messages)], Intake(poured), None)
    assert poured.count == 180
    assert poured.transitions_hash() == online.transitions_hash()


def test_a_bag_is_poured_once_however_often_it_is_given(tmp_path, write, small) -> None:
    filled = replay(tmp_path / 'replay')
    bag = write(small.transitions(50))
    for _ in range(2):
        bags.pour([bag, bag], Intake(filled), None)
    assert filled.count == 50


def test_streams_with_deleted_files_begin_late_and_go_on_behind_gaps(
    tmp_path, write, small
) -> None:
    messages = small.transitions(100)
    filled = replay(tmp_path / 'replay')
    intake = Intake(filled)
    bags.pour([write(messages[20:40] + messages[60:])], intake, None)
    assert filled.count == 60
    assert intake.received('claw/s1') == 100


def test_a_malformed_transition_in_a_bag_is_left_out(tmp_path, write, small) -> None:
    messages = small.transitions(30)
    messages[9].reward = float('nan')
    filled = replay(tmp_path / 'replay')
    intake = Intake(filled)
    bags.pour([write(messages)], intake, None)
    assert (filled.count, intake.passed) == (29, 1)


def test_bags_of_different_robots_are_not_learned_together(write, small) -> None:
    from dataclasses import replace

    other = replace(small.spec, action_names=('x', 'y'))
    pair = [write([], 'one'), write([], 'two', other)]
    with pytest.raises(BagError, match='must be the same to be learned together'):
        bags.common_spec(pair)
    assert bags.common_spec(pair[:1]) == small.spec


def test_replays_interleaved_otherwise_have_the_same_hash(tmp_path, small) -> None:
    left, right = (replay(tmp_path / name) for name in ('left', 'right'))
    steps = [loading.bags.from_message(m, None) for m in small.transitions(40)]
    for target, order in ((left, ('a', 'b')), (right, ('b', 'a'))):
        intake = Intake(target)
        for start in range(0, 40, 10 if order[0] == 'a' else 5):
            for stream in order:
                for step in steps[start : start + (10 if order[0] == 'a' else 5)]:
                    intake.offer(stream, step)
    assert left.transitions_hash() == right.transitions_hash()
    left.relabel('a', 7, 100.0)
    assert left.transitions_hash() != right.transitions_hash()


def run_offline(*arguments: object) -> int:
    return offline.main([*map(str, arguments), '--environment', 'none'])


def test_offline_learning_goes_on_with_a_robot_and_counts_its_steps_only(
    tmp_path, write, small, capsys
) -> None:
    run_dir = tmp_path / 'run'
    bag = write(small.transitions(120))
    options = ('--run-dir', run_dir, '--steps', 60, '--set', *SMALL, 'tensorboard=false')
    assert run_offline('--bag', bag, *options) == 0
    assert '120 transitions of claw' in capsys.readouterr().out
    assert Given.read(run_dir).transitions == 120
    go_on = yaml.safe_load((run_dir / study.GO_ON).read_text())
    settings = go_on['/**/sac_learner']['ros__parameters']
    assert settings['updates_per_step'] == 4.0  # all of them, the robot's file may say otherwise
    sac = SacConfig(**settings)
    assert go_on['/**/sac_agent']['ros__parameters'] == {'warmup': {'steps': 0}}
    run = RunDirectory(run_dir)
    metrics = Metrics(run_dir, tensorboard=False)
    settings = LearnerSettings(run_dir=str(run_dir), steps=30)
    training = Training(small.spec, sac, settings, run, metrics)
    assert (training.updates, training.transitions, training.steps) == (60, 120, 0)
    assert not training.updates_are_due()
    assert training.budget == 150
    for message in small.transitions(30, start=120):
        training.receive(message)
        while training.learn(8):
            pass
    assert (training.updates, training.steps) == (180, 30)
    training.close()


def test_offline_run_is_continued_to_more_updates(tmp_path, write, small) -> None:
    run_dir = tmp_path / 'run'
    bag = write(small.transitions(60))
    options = ('--run-dir', run_dir, '--steps', 20, '--set', *SMALL, 'tensorboard=false')
    assert run_offline('--bag', bag, *options) == 0
    assert run_offline('--resume', run_dir, '--steps', 50) == 0
    assert read(run_dir / 'metrics.jsonl', 'training')[-1]['updates'] == 50
    assert Given.read(run_dir).transitions == 60


@pytest.mark.parametrize(
    ('arguments', 'text'),
    [
        ((), '--bag is needed'),
        (('--bag', '/nowhere'), '/nowhere does not exist'),
        (('--bag', 'x', '--set', 'critcs=5'), "unknown setting 'critcs'"),
        (('--resume', '/nowhere'), '/nowhere'),
    ],
)
def test_mistakes_are_one_line(capsys, monkeypatch, tmp_path, arguments, text) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_offline(*arguments) == 2
    error = capsys.readouterr().err
    assert text in error
    assert error.count('\n') == 1


def test_half_of_every_batch_are_demonstrations(tmp_path, write, small) -> None:
    shown = small.transitions(40)
    for message in shown:
        message.reward, message.stream_id = 1000.0, 'shown'
    bag = write(shown)
    run = RunDirectory(tmp_path / 'run')
    settings = LearnerSettings(run_dir=str(run.path), demonstrations=f'"{bag}"')
    for _ in range(2):  # the second one finds them in the run directory
        metrics = Metrics(run.path, tensorboard=False)
        training = Training(small.spec, small.config, settings, run, metrics)
        for message in small.transitions(60):
            training.receive(message)
        assert training.learn(1) == 1
        batch = training._source.sample(small.config.batch_size, np.random.default_rng(0))
        assert (batch.reward == 1000.0).sum() == small.config.batch_size // 2
        assert training.steps == 60
        training.close()


def test_new_labels_reach_replay_and_demonstrations(tmp_path, write, small) -> None:
    messages = small.transitions(60)
    for message in messages:
        message.reward = 5.0
        message.terminated = message.sequence == 7
    bag = write(messages)
    run = RunDirectory(tmp_path / 'run')
    training = Training(
        small.spec,
        small.config,
        LearnerSettings(run_dir=str(run.path)),
        run,
        Metrics(run.path, tensorboard=False),
    )
    for message in small.transitions(80):
        training.receive(message)
    assert training.relabel(bags.labels([bag])) == 60
    batch = training.replay.gather(training.replay.positions())
    assert np.all(batch.reward[:60] == 5.0)
    assert not np.any(batch.reward[60:] == 5.0)
    assert np.flatnonzero(batch.discount[:60] == 0.0).tolist() == [6]
    training.close()


def test_hash_command_tells_whether_replays_are_the_same(tmp_path, small, capsys) -> None:
    for name, count in (('a', 30), ('b', 30), ('c', 29)):
        made = replay(tmp_path / name / 'replay')
        intake = Intake(made)
        for message in small.transitions(count):
            intake.offer('claw/s1', loading.bags.from_message(message, None))
        made.close()
    assert replay_hash.main([str(tmp_path / 'a'), str(tmp_path / 'b')]) == 0
    assert replay_hash.main([str(tmp_path / 'a'), str(tmp_path / 'c')]) == 1
    assert '30 transitions' in capsys.readouterr().out
    assert replay_hash.main([str(Path(tmp_path / 'nowhere'))]) == 2
