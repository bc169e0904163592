"""A small task is mastered: to hold a drifting point."""

from dataclasses import replace

import numpy as np
import pytest

from sac_learner.sac import Batch, preset, Sac, SacConfig


def regulation(size=64):
    """Return batches of a drifting point to hold at zero: s' = s + 0.5 a, cost s^2."""
    rng = np.random.default_rng(0)
    s = rng.uniform(-1, 1, (4000, 1)).astype(np.float32)
    a = rng.uniform(-1, 1, (4000, 1)).astype(np.float32)
    s2 = np.clip(s + 0.5 * a, -1.5, 1.5).astype(np.float32)

    def draw():
        i = rng.integers(0, len(s), size)
        reward = -(s2[i, 0] ** 2)
        return Batch(s[i], a[i], reward, np.full(size, 0.9, np.float32), s2[i])

    return draw


def regulate(config, *, steps, backend='auto'):
    """Learn to hold the point; return the mean cost."""
    learner = Sac(1, None, 1, config, seed=0, backend=backend, threads=1)
    learner.update(regulation(), steps)
    x = np.linspace(-1, 1, 21, dtype=np.float32)[:, None]
    cost = 0.0
    for _ in range(5):
        x = x + 0.5 * learner.act(x, deterministic=True)
        cost += float(np.square(x).mean()) / 5
    return cost


@pytest.mark.parametrize('target', ['auto', '-dim/2', '0.3'])
def test_entropy_comes_to_its_target_and_is_held_there(target):
    rates = {'actor_lr': 3e-3, 'critic_lr': 3e-3, 'temperature_lr': 1e-2}
    sizes = {'actor_hidden': (32, 32), 'critic_hidden': (32, 32)}
    config = SacConfig(**rates, **sizes, initial_temperature=0.05, target_entropy=target)
    learner, draw = Sac(1, None, 1, config, seed=0, threads=1), regulation()
    learner.update(draw, 1500)
    held = [learner.update(draw, 300)['entropy'] for _ in range(2)]
    assert held == pytest.approx([config.entropy_target(1)] * 2, abs=0.1)


@pytest.mark.parametrize(
    'config',
    [
        SacConfig(actor_hidden=(32, 32), critic_hidden=(32, 32), actor_lr=3e-3, critic_lr=3e-3),
        preset(
            'droq',
            actor_hidden=(32,),
            critic_hidden=(64, 64),
            actor_lr=3e-3,
            critic_lr=3e-3,
            policy_delay=1,
        ),
        preset('crossq', actor_hidden=(32,), critic_hidden=(64, 64), actor_lr=3e-3),
    ],
    ids=['paper', 'droq', 'crossq'],
)
def test_tiny_regulation_task_is_mastered(config):
    config = replace(config, initial_temperature=0.05, temperature_lr=3e-3)
    assert regulate(config, steps=600) < 0.08  # doing nothing costs 0.37, the best 0.01
