"""Each option does what its paper says."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

from sac_learner.sac import Batch, preset, Sac, SacConfig
from sac_learner.sac.augment import random_shift
from sac_learner.sac.networks import Networks
from sac_learner.sac.noise import NoiseSource
from sac_learner.sac.normalizer import Normalizer
from sac_learner.sac.preparation import prepare
from sac_learner.sac.schedule import plan_update

SMALL = {'actor_hidden': (16, 16), 'critic_hidden': (16, 16)}
CPU = torch.device('cpu')


def batch(seed=0, *, size=64, discount=0.99, reward=None, image=None):
    rng = np.random.default_rng(seed)

    def normal(*shape):
        return rng.standard_normal(shape, dtype=np.float32)

    def picture():
        return rng.integers(0, 256, (size, *image), dtype=np.uint8) if image else None

    return Batch(
        vector=normal(size, 3),
        action=np.tanh(normal(size, 2)),
        reward=normal(size) if reward is None else np.full(size, reward, np.float32),
        discount=np.full(size, discount, np.float32),
        next_vector=normal(size, 3),
        image=picture(),
        next_image=picture(),
    )


def learn(config, source, updates=1, **arguments):
    learner = Sac(3, arguments.pop('image', None), 2, config, seed=0, **arguments)
    metrics = learner.update(lambda: deepcopy(source), updates)  # several are read at a time
    return learner, metrics


def moved(learner, fresh, name):
    return not np.array_equal(learner.state()[name], fresh.state()[name])


@pytest.mark.parametrize('backend', ['auto', 'torch', 'reference'])
def test_critics_learn_the_reward_alone_where_every_transition_ends(backend):
    config = SacConfig(**SMALL, critic_lr=1e-2)
    _, metrics = learn(config, batch(discount=0.0, reward=3.0), 300, backend=backend)
    learner, _ = learn(config, batch(discount=0.0, reward=3.0), 300, backend=backend)
    after = learner.update(lambda: batch(discount=0.0, reward=3.0), 1)
    assert after['q_mean'] == pytest.approx(3.0, abs=0.05)
    assert np.isfinite(metrics['critic_loss'])


def prepared(of, config):
    return prepare(of, Networks.of(3, None, 2, config), config, Normalizer(3, CPU), CPU)


@pytest.mark.parametrize(
    ('changes', 'expected'),
    [
        ({'reward_scale': 2.0}, 6.0),
        ({'reward_bias': -1.0}, 2.0),
        ({'objective': 'minimise'}, -3.0),
        ({'objective': 'minimise', 'reward_scale': 2.0, 'reward_bias': 1.0}, -5.0),
    ],
)
def test_rewards_are_shaped_as_asked(changes, expected):
    inputs = prepared(batch(reward=3.0), SacConfig(**changes))
    np.testing.assert_allclose(inputs.reward, expected)


def test_bias_counts_once_for_every_reward_of_several_steps():
    config = SacConfig(reward_bias=1.0, n_step=3)
    weight = np.full(64, 1.0 + 0.99 + 0.99**2, np.float32)
    inputs = prepared(replace(batch(reward=3.0), reward_weight=weight), config)
    np.testing.assert_allclose(inputs.reward, 3.0 + weight)
    with pytest.raises(ValueError, match='reward_weight'):
        prepared(batch(reward=3.0), config)


@pytest.mark.parametrize('backend', ['auto', 'torch', 'reference'])
def test_fixed_temperature_stays_exactly_there(backend):
    config = SacConfig(**SMALL, learn_temperature=False, initial_temperature=0.2)
    before = Sac(3, None, 2, config, seed=0, backend=backend).alpha
    learner, metrics = learn(config, batch(), 20, backend=backend)
    assert learner.alpha == before == pytest.approx(0.2, rel=1e-6)
    assert metrics['alpha'] == pytest.approx(0.2, rel=1e-6)


@pytest.mark.parametrize(('target', 'rises'), [('1000.0', True), ('-1000.0', False)])
def test_temperature_moves_towards_the_target_entropy(target, rises):
    learner, _ = learn(SacConfig(**SMALL, target_entropy=target), batch(), 5)
    assert (learner.alpha > 1.0) == rises


@pytest.mark.parametrize('backend', ['auto', 'torch', 'reference'])
def test_policy_delay_spares_the_actor_until_its_turn(backend):
    config = SacConfig(**SMALL, policy_delay=3)
    fresh = Sac(3, None, 2, config, seed=0, backend=backend)
    learner, metrics = learn(config, batch(), 2, backend=backend)
    assert not moved(learner, fresh, 'actor')
    assert not moved(learner, fresh, 'temperature')
    assert 'actor_loss' not in metrics
    assert moved(learner, fresh, 'critic')
    assert 'actor_loss' in learner.update(batch, 1)
    assert moved(learner, fresh, 'actor')


@pytest.mark.parametrize(('ratio', 'interval'), [(4.0, 4), (0.5, 1), (1.0, 1), (2.6, 3), (0.0, 1)])
def test_policy_without_a_delay_takes_a_step_per_transition(ratio, interval):
    config = SacConfig(**SMALL, policy_delay=0, updates_per_step=ratio)
    steps = [plan_update(config, done, 2).update_actor for done in range(2 * interval)]
    assert steps == 2 * ([False] * (interval - 1) + [True])


@pytest.mark.parametrize('backend', ['auto', 'torch', 'reference'])
def test_targets_follow_at_their_interval(backend):
    config = SacConfig(**SMALL, target_interval=2, tau=0.25)
    learner, _ = learn(config, batch(), 1, backend=backend)
    start = Sac(3, None, 2, config, seed=0).state()['critic']
    np.testing.assert_array_equal(learner.state()['target'], start)
    learner.update(batch, 1)
    state = learner.state()
    np.testing.assert_allclose(
        state['target'], start + 0.25 * (state['critic'] - start), atol=1e-6
    )


def test_learning_rate_schedules_act_on_their_own_optimiser():
    config = SacConfig(**SMALL, actor_schedule='linear', actor_lr_final=0.0, schedule_updates=5)
    learner, _ = learn(config, batch(), 5)
    before = learner.state()
    learner.update(batch, 3)
    after = learner.state()
    np.testing.assert_array_equal(before['actor'], after['actor'])
    assert not np.array_equal(before['critic'], after['critic'])


def test_redq_draws_another_pair_for_each_target():
    source = NoiseSource(preset('redq'), 2, images=False, seed=0, device=CPU)
    subsets = [tuple(source.draw(4, update_actor=False).subset) for _ in range(300)]
    assert all(len(set(pair)) == 2 for pair in subsets)
    assert len(set(subsets)) == 45  # all pairs of ten


def test_dropout_drops_the_asked_share_and_keeps_the_mean():
    config = preset('droq', critic_dropout=0.1)
    draws = NoiseSource(config, 2, images=False, seed=0, device=CPU).draw(256, update_actor=True)
    assert set(draws.masks) == {'target', 'critic', 'actor'}
    mask = draws.masks['critic'][0]
    assert mask.shape == (2, 256, 256)
    assert (mask == 0.0).float().mean().item() == pytest.approx(0.1, abs=0.005)
    assert mask.mean().item() == pytest.approx(1.0, abs=0.005)


def test_crossq_has_no_targets_and_learns_its_statistics():
    config = preset('crossq', critic_hidden=(16, 16), actor_hidden=(16,))
    fresh = Sac(3, None, 2, config, seed=0)
    learner, _ = learn(config, batch(), 4)
    assert not moved(learner, fresh, 'target')
    assert moved(learner, fresh, 'statistics')


def test_normaliser_follows_the_replay_and_ships_with_the_policy():
    rng = np.random.default_rng(0)
    learner = Sac(3, None, 2, SacConfig(**SMALL, normalize_observations=True), seed=0)
    mean, std = np.array([5.0, -2.0, 100.0]), np.array([0.1, 1.0, 30.0])

    def draw():
        x = (mean + std * rng.standard_normal((256, 3))).astype(np.float32)
        return replace(batch(size=256), vector=x, next_vector=x)

    learner.update(draw, 30)
    _, policy = learner.policy()
    np.testing.assert_allclose(policy['observation.mean'], mean, rtol=0.02)
    np.testing.assert_allclose(policy['observation.std'], std, rtol=0.05)


def test_shared_encoder_is_trained_by_the_critics_alone():
    config = SacConfig(**SMALL, encoder='stride2', encoder_sharing='shared', critic_lr=0.0)
    image = (16, 16, 3)
    fresh = Sac(3, image, 2, config, seed=0)
    learner, _ = learn(config, batch(image=image, size=8), 3, image=image)
    before, after = fresh.policy()[1], learner.policy()[1]
    np.testing.assert_array_equal(before['encoder.0.weight'], after['encoder.0.weight'])
    assert not np.array_equal(before['hidden.0.weight'], after['hidden.0.weight'])


def test_random_shift_moves_whole_pictures_and_repeats_the_border():
    image = torch.arange(16, dtype=torch.uint8).reshape(1, 1, 4, 4).expand(2, -1, -1, -1)
    moved_images = random_shift(image, torch.tensor([[1, 0], [0, -2]]))
    assert moved_images[0, 0].tolist() == [
        [0, 1, 2, 3],
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9, 10, 11],
    ]
    assert moved_images[1, 0, 0].tolist() == [2, 3, 3, 3]


def test_drq_shifts_both_pictures_independently():
    source = NoiseSource(SacConfig(encoder='drq'), 2, images=True, seed=0, device=CPU)
    shifts = source.draw(500, update_actor=True).shifts
    assert shifts.abs().max() == 4
    assert not torch.equal(shifts[0], shifts[1])
    assert (
        NoiseSource(SacConfig(), 2, images=True, seed=0, device=CPU)
        .draw(4, update_actor=True)
        .shifts
        is None
    )


def test_actor_step_leaves_the_critics_alone():
    learner, _ = learn(SacConfig(**SMALL, critic_lr=0.0), batch(), 5)
    fresh = Sac(3, None, 2, SacConfig(**SMALL, critic_lr=0.0), seed=0)
    assert not moved(learner, fresh, 'critic')
    assert moved(learner, fresh, 'actor')


@pytest.mark.parametrize('backend', ['auto', 'torch', 'reference'])
def test_log_deviation_stays_within_its_bounds(backend):
    config = SacConfig(**SMALL, log_std_min=-1.0, log_std_max=-0.5, target_entropy='5.0')
    learner, _ = learn(replace(config, actor_lr=0.05), batch(), 50, backend=backend)
    assert learner.architecture.log_std_bounds == (-1.0, -0.5)
    drawn = np.arctanh(learner.act(np.zeros((4000, 3), np.float32)))
    deviation = drawn.std(axis=0)
    assert (deviation > np.exp(-1.0) * 0.9).all()
    assert (deviation < np.exp(-0.5) * 1.1).all()
