"""The robot's numpy policy and the learner's torch policy are one function."""

import numpy as np
import pytest

from sac_agent.policy.network import NumpyPolicy
from sac_core.policy_format import ACTIVATIONS, layout, pack, unpack
from sac_learner.gym.policy import PolicyModule
from sac_learner.sac.agent import Sac
from sac_learner.sac.config import ENCODERS, SacConfig

SEEDS = range(24)


def random_sac(seed):
    """Return a learner with random architecture and weights; every option occurs."""
    rng = np.random.default_rng(seed)
    image_shape = None
    if seed % 3:
        image_shape = (int(rng.integers(24, 40)), int(rng.integers(24, 40)), seed % 3)
    vector_size = int(rng.integers(1, 40))
    low = float(rng.uniform(-5.0, -1.0))
    config = SacConfig(
        actor_hidden=tuple(int(n) for n in rng.integers(1, 300, rng.integers(1, 4))),
        critic_hidden=(8,),
        actor_activation=ACTIVATIONS[seed % len(ACTIVATIONS)],
        actor_layer_norm=bool(seed // 2 % 2),
        encoder=ENCODERS[seed // 3 % len(ENCODERS)],
        encoder_sharing='shared' if image_shape and seed % 4 == 1 else 'separate',
        log_std_min=low,
        log_std_max=float(low + rng.uniform(0.5, 5.0)),
    )
    sac = Sac(
        vector_size, image_shape, int(rng.integers(1, 20)), config, seed=seed, backend='torch'
    )
    architecture = sac.architecture
    arrays = {
        name: (rng.normal(size=shape) / max(1.0, np.sqrt(np.prod(shape[:-1]))) * 1.5).astype('f4')
        for name, shape in layout(architecture)
    }
    arrays['observation.std'] = rng.uniform(0.1, 3.0, vector_size).astype(np.float32)
    for name in [n for n in arrays if n.startswith('encoder.') and n.endswith('weight')]:
        fan = np.prod(arrays[name].shape[1:])
        arrays[name] = (rng.normal(size=arrays[name].shape) / np.sqrt(fan)).astype(np.float32)
    sac.load_policy(arrays)
    return sac


def observation(rng, architecture):
    image = None
    if architecture.image_shape:
        image = rng.integers(0, 256, architecture.image_shape, dtype=np.uint8)
    vector = rng.normal(0.0, 2.0, architecture.vector_size).astype(np.float32)
    return vector, image


def over_the_wire(sac):
    architecture, arrays = sac.policy()
    return NumpyPolicy(architecture, unpack(pack(arrays, architecture), architecture))


@pytest.mark.parametrize('seed', SEEDS)
def test_the_modes_agree(seed):
    sac, rng = random_sac(seed), np.random.default_rng([seed, 1])
    policy = over_the_wire(sac)
    actions = []
    for _ in range(20):
        seen = observation(rng, sac.architecture)
        actions.append(policy.act(*seen)[0])
        np.testing.assert_allclose(actions[-1], sac.act(*seen, deterministic=True), atol=1e-5)
    assert np.ptp(actions) > 0.01, 'the test must not compare constants'


@pytest.mark.parametrize('seed', SEEDS)
def test_samples_agree_for_the_same_noise(seed):
    sac, rng = random_sac(seed), np.random.default_rng([seed, 1])
    policy, noise = over_the_wire(sac), np.random.default_rng([seed, 2])
    for _ in range(20):
        seen = observation(rng, sac.architecture)
        drawn = noise.standard_normal((1, sac.architecture.action_size), dtype=np.float32)[0]
        np.testing.assert_allclose(policy.act(*seen, drawn)[0], sac.act(*seen), atol=1e-5)


@pytest.mark.parametrize('seed', SEEDS)
def test_the_module_that_is_exported_agrees(seed):
    sac, rng = random_sac(seed), np.random.default_rng([seed, 1])
    size = sac.architecture.action_size
    low, high = rng.uniform(-3.0, 0.0, size), rng.uniform(0.5, 2.0, size)
    policy, module = over_the_wire(sac), PolicyModule(*sac.policy(), low, high)
    for _ in range(20):
        seen = observation(rng, sac.architecture)
        expected = low + (policy.act(*seen)[0] + 1.0) / 2.0 * (high - low)
        np.testing.assert_allclose(module.act(*seen), expected, atol=1e-5)
