"""The learner without ROS: data in, policies and checkpoints out, and exactly on after a stop."""

from array import array
from dataclasses import replace

import numpy as np
import pytest

from sac_core.policy_format import save_policy
from sac_learner.checkpoint import CheckpointError, stored
from sac_learner.run.directory import RunDirectory
from sac_learner.run.metrics import Metrics, read
from sac_learner.sac import Sac
from sac_learner.settings import LearnerSettings
from sac_learner.training import recovery
from sac_learner.training.training import Training


@pytest.fixture
def make_training(tmp_path, small):
    opened = []

    def make(name='run', **settings):
        run = RunDirectory(tmp_path / name)
        metrics = Metrics(run.path, tensorboard=False)
        settings = LearnerSettings(run_dir=str(run.path), threads=1, **settings)
        opened.append(Training(small.spec, small.config, settings, run, metrics))
        return opened[-1]

    return make


def feed(training, messages):
    """Give transitions one by one and do the updates that each calls for."""
    for message in messages:
        training.receive(message)
        while training.learn(4):
            pass


def weights(training):
    return b''.join(array.tobytes() for array in training.sac.policy()[1].values())


def everything(training):
    """Return networks, targets, optimisers, normaliser, temperature and random states."""
    state = training.sac.state()
    return {
        name: value.tobytes() if isinstance(value, np.ndarray) else value
        for name, value in state.items()
    } | {'sampling': training.rng.bit_generator.state}


def test_new_run_starts_from_an_existing_policy(make_training, small, tmp_path):
    teacher = make_training('teacher')
    feed(teacher, small.transitions(80))
    path = tmp_path / 'policy.safetensors'
    save_policy(path, teacher.sac.policy()[1], teacher.sac.architecture, {})
    pupil = make_training('pupil', seed=1, initial_policy=str(path))
    assert weights(pupil) == weights(teacher)
    feed(pupil, small.transitions(80))
    pupil.checkpoint()
    learned = weights(pupil)
    pupil.close()
    path.unlink()  # a run that goes on needs it no more
    assert weights(make_training('pupil', initial_policy=str(path))) == learned != weights(teacher)


def test_policy_that_does_not_fit_is_refused_with_the_difference(make_training, small, tmp_path):
    with pytest.raises(CheckpointError, match=r'initial_policy: .*none'):
        make_training('a', initial_policy=str(tmp_path / 'none'))
    wider = replace(small.config, actor_hidden=(8,))
    other = Sac(2, None, 1, wider, seed=0)
    save_policy(tmp_path / 'other', other.policy()[1], other.architecture, {})
    with pytest.raises(CheckpointError, match=r"'hidden': \(8,\).*'hidden': \(16, 16\)"):
        make_training('b', initial_policy=str(tmp_path / 'other'))


def test_update_to_data_ratio_is_kept(make_training, small):
    training = make_training()
    feed(training, small.transitions(150))
    assert (training.transitions, training.updates) == (150, 100)
    assert training.update_to_data == 1.0
    assert training.budget == 150 + LearnerSettings().max_lead


def test_updates_in_one_go_read_each_batch_as_it_was_sampled(make_training, small):
    small.config = replace(small.config, batch_size=4096, actor_hidden=(64,), critic_hidden=(64,))
    together, apart = make_training('together'), make_training('apart')
    for training in (together, apart):
        for message in small.transitions(200):
            training.receive(message)
    together.study(20)
    for _ in range(20):
        apart.study(1)
    assert everything(together) == everything(apart)


def test_reward_bias_counts_for_every_reward_of_a_return(make_training, small):
    """Rewards of -2 with a bias of 2 are worth nothing, over one step and over several."""
    for n_step in (1, 3):
        rates = {'critic_lr': 1e-2, 'discount': 0.5, 'entropy_backup': False}
        small.config = replace(small.config, reward_bias=2.0, n_step=n_step, **rates)
        training = make_training(f'{n_step}')
        messages = small.transitions(400)
        for message in messages:
            message.reward = -2.0
        feed(training, messages)
        assert abs(training.losses['q_mean']) < 0.1


def test_every_transition_counts_once_in_any_order(make_training, small):
    training = make_training()
    messages = small.transitions(40)
    for message in [*messages[5:20], *messages[:10], *messages[::-1]]:
        training.receive(message)
    assert training.transitions == 40
    training.replay.flush()
    assert training.acks() == [('claw', 's1', 40, 40)]


def test_resumed_run_is_byte_for_byte_the_same_a_thousand_updates_on(make_training, small):
    whole = make_training('whole')
    feed(whole, small.transitions(1200))
    parted = make_training('parted')
    feed(parted, small.transitions(200))
    parted.close()
    resumed = make_training('parted')
    assert resumed.updates == 150
    feed(resumed, small.transitions(1000, start=200))
    assert resumed.updates == whole.updates == 1150
    assert everything(resumed) == everything(whole)


def test_exact_resume_forgets_what_came_after_the_checkpoint(make_training, small):
    training = make_training()
    feed(training, small.transitions(200))
    training._checkpoints.save(recovery.snapshot(training._learning))
    reference = weights(training)
    feed(training, small.transitions(50, start=200))
    training.replay.close()  # as if killed: no later checkpoint
    resumed = make_training(exact_resume=True)
    assert weights(resumed) == reference
    assert resumed.transitions == 200
    assert resumed.acks()[0][2] == 200


def test_killed_run_keeps_its_data_and_owes_the_updates(make_training, small):
    training = make_training()
    feed(training, small.transitions(200))
    training._checkpoints.save(recovery.snapshot(training._learning))
    feed(training, small.transitions(50, start=200))
    training.replay.close()
    resumed = make_training()
    assert (resumed.transitions, resumed.updates) == (250, 150)
    assert resumed.updates_are_due()


def test_damaged_checkpoint_is_refused_and_the_one_before_used(make_training, small, tmp_path):
    training = make_training()
    feed(training, small.transitions(100))
    training._checkpoints.save(recovery.snapshot(training._learning))
    feed(training, small.transitions(100, start=100))
    training.close()
    newest = sorted((tmp_path / 'run' / 'checkpoints').glob('checkpoint_*'))[-1]
    (newest / 'sac.safetensors').write_bytes(b'damaged')
    resumed = make_training()
    assert resumed.updates == 50
    (event,) = (
        e
        for e in read(tmp_path / 'run' / 'metrics.jsonl', 'event')
        if e['event'] == 'checkpoint_refused'
    )
    assert 'is damaged' in event['reason']


def test_a_policy_of_an_earlier_life_shares_its_number_with_none(make_training):
    training = make_training()
    training.policies.new(training.sac)
    training.policies.outnumber(40)
    training.policies.outnumber(3)
    assert training.policies.new(training.sac).version == 41
    assert not training.policies.evaluated(40, 1.0, 10.0)


def test_best_policy_is_the_one_that_was_evaluated(make_training, small, tmp_path):
    training = make_training()
    first = training.policies.new(training.sac)
    feed(training, small.transitions(100))
    training.policies.new(training.sac)
    assert training.policies.evaluated(first.version, 0.5, -10.0)
    assert not training.policies.evaluated(first.version + 1, 0.4, -5.0)
    training.close()
    from sac_core.policy_format import load_policy

    _, arrays, metadata = load_policy(tmp_path / 'run/checkpoints/best/policy.safetensors')
    assert metadata['version'] == str(first.version)
    assert all(np.array_equal(arrays[n], first.arrays[n]) for n in arrays)
    assert metadata['averaged'] == 'false'


def test_of_an_averaged_policy_the_average_is_kept(make_training, small, tmp_path):
    small.config = replace(small.config, policy_average=0.01)
    training = make_training()
    feed(training, small.transitions(100))
    policy = training.policies.new(training.sac)
    assert policy.averaged is not None
    assert any(not np.array_equal(policy.averaged[n], policy.arrays[n]) for n in policy.arrays)
    assert training.policies.evaluated(policy.version, 0.5, -10.0)
    training.close()
    from sac_core.policy_format import load_policy

    _, arrays, metadata = load_policy(tmp_path / 'run/checkpoints/best/policy.safetensors')
    assert metadata['averaged'] == 'true'
    assert all(np.array_equal(arrays[n], policy.averaged[n]) for n in arrays)


def test_malformed_transitions_are_counted_and_change_nothing(make_training, small):
    training = make_training()
    bad = small.transitions(4)
    bad[0].action = array('f', [float('nan')])
    bad[1].next_observation.vector = array('f', [0.0])
    bad[2].reward = float('inf')
    bad[3].sequence = 0
    for message in bad:
        training.receive(message)
    assert (training.transitions, training.intake.rejected) == (0, 4)


def test_changes_of_live_parameters_are_in_checkpoint_and_run_log(make_training, small, tmp_path):
    training = make_training()
    feed(training, small.transitions(100))
    training.set_parameter('updates_per_step', 2.0)
    training.note_change('sac_learner', 'updates_per_step', 2.0)
    training.close()
    resumed = make_training()
    (change,) = resumed.changes
    assert change.pop('stamp') > 1.6e9
    assert change == {
        'where': 'sac_learner', 'name': 'updates_per_step', 'value': 2.0, 'updates': 50,
        'steps': 100,
    }  # fmt: skip
    (event,) = (
        e for e in read(tmp_path / 'run' / 'metrics.jsonl', 'event') if e['event'] == 'parameter'
    )
    assert (event['name'], event['value']) == ('updates_per_step', 2.0)


def test_a_checkpoint_that_cannot_be_saved_is_a_known_problem(make_training, small, monkeypatch):
    training = make_training()
    feed(training, small.transitions(60))

    def no_room(path, content):
        raise OSError(28, 'No space left on device')

    with monkeypatch.context() as context:
        context.setattr(stored, 'write_file', no_room)
        training.checkpoint()
        assert training._checkpoints.wait(10.0)
        assert 'No space left on device' in training.problems['checkpoint']
    training.checkpoint()
    assert training._checkpoints.wait(10.0)
    assert training.problems == {}
