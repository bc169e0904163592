"""The averaged policy: what is evaluated and kept where `policy_average` says so."""

import numpy as np
import pytest

from sac_learner.sac import Batch, Sac, SacConfig

SIZES = {'actor_hidden': (8,), 'critic_hidden': (8,), 'batch_size': 16}
SEEN = np.linspace(-1.0, 1.0, 4, dtype=np.float32)


def batches(seed=0, image=None):
    rng = np.random.default_rng(seed)

    def draw():
        pictures = rng.integers(0, 256, (2, 16, *image), dtype=np.uint8) if image else (None, None)
        return Batch(
            vector=rng.standard_normal((16, 4), dtype=np.float32),
            action=rng.uniform(-1, 1, (16, 2)).astype(np.float32),
            reward=rng.standard_normal(16, dtype=np.float32),
            discount=np.full(16, 0.99, np.float32),
            next_vector=rng.standard_normal((16, 4), dtype=np.float32),
            image=pictures[0],
            next_image=pictures[1],
        )

    return draw


def learner(image=None, **options):
    config = SacConfig(**SIZES, actor_lr=0.01, **options)
    return Sac(4, image, 2, config, seed=0, backend='reference', threads=1)


def weights(sac):
    return sac.policy(averaged=True)[1]['hidden.0.weight']


def test_average_is_the_mean_at_first_and_exponential_then():
    sac, plain = learner(policy_average=0.25), learner()
    draw, same = batches(), batches()
    wanted = 0.0
    for n in range(1, 9):
        sac.update(draw, 1)
        plain.update(same, 1)
        wanted += (weights(plain) - wanted) * max(0.25, 1.0 / n)
        np.testing.assert_allclose(weights(sac), wanted, rtol=1e-5, atol=1e-7)


def test_averaging_leaves_what_is_learned_alone():
    sac, plain = learner(policy_average=0.01), learner()
    sac.update(batches(), 20)
    plain.update(batches(), 20)
    for name in ('actor', 'critic', 'target', 'temperature', 'random.numpy'):
        np.testing.assert_array_equal(sac.state()[name], plain.state()[name])
    assert not np.array_equal(weights(sac), weights(plain))


def test_average_is_evaluated_and_the_policy_that_learns_explores():
    sac, plain = learner(policy_average=0.01), learner()
    sac.update(batches(), 20)
    plain.update(batches(), 20)
    np.testing.assert_array_equal(sac.act(SEEN), plain.act(SEEN))
    np.testing.assert_array_equal(sac.policy()[1]['mean.weight'], plain.policy()[1]['mean.weight'])
    alike = learner()
    alike.load_policy(sac.policy(averaged=True)[1])
    evaluated = sac.act(SEEN, deterministic=True)
    np.testing.assert_array_equal(evaluated, alike.act(SEEN, deterministic=True))
    assert not np.array_equal(evaluated, plain.act(SEEN, deterministic=True))


def test_average_goes_on_after_a_resume_and_starts_from_a_given_policy():
    sac, other = learner(policy_average=0.05), learner(policy_average=0.05)
    draw = batches()
    sac.update(draw, 30)
    other.load_state(sac.state())
    sac.update(batches(1), 5)
    other.update(batches(1), 5)
    np.testing.assert_array_equal(weights(sac), weights(other))
    third = learner(policy_average=0.05)
    third.load_policy(sac.policy(averaged=True)[1])
    np.testing.assert_array_equal(weights(third), weights(sac))


@pytest.mark.parametrize(('sharing', 'averaged'), [('separate', True), ('shared', False)])
def test_policy_with_the_critics_encoder_is_not_averaged(sharing, averaged):
    image = (32, 32, 3)
    options = {'encoder': 'stride2', 'encoder_sharing': sharing}
    sac, plain = learner(image, policy_average=0.01, **options), learner(image, **options)
    sac.update(batches(image=image), 3)
    plain.update(batches(image=image), 3)
    assert np.array_equal(weights(sac), weights(plain)) is not averaged
