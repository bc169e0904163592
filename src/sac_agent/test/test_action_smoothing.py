"""Latent noise: standard normal at every step, correlated between steps."""

import numpy as np
import pytest

from sac_agent.action.smoothing import LatentNoise


@pytest.mark.parametrize('correlation', [0.0, 0.5, 0.9])
def test_variance_is_one_at_every_step_of_1e5_episodes(correlation):
    # 1e5 channels are 1e5 independent episodes.
    noise = LatentNoise(100_000, correlation, np.random.default_rng(0))
    samples = {}
    for t in range(101):
        value = noise.sample()
        if t in (0, 1, 2, 10, 11, 100):
            samples[t] = value
    for t in (0, 1, 10, 100):
        assert samples[t].var() == pytest.approx(1.0, abs=0.02)
        assert samples[t].mean() == pytest.approx(0.0, abs=0.02)
    for t in (0, 1, 10):
        lag_one = np.corrcoef(samples[t], samples[t + 1])[0, 1]
        assert lag_one == pytest.approx(correlation, abs=0.01)


def test_an_episode_does_not_depend_on_the_one_before():
    noise = LatentNoise(100_000, 0.95, np.random.default_rng(1))
    last = noise.sample()
    noise.reset()
    first = noise.sample()
    assert abs(np.corrcoef(last, first)[0, 1]) < 0.01
    assert first.var() == pytest.approx(1.0, abs=0.02)


def test_strength_may_change_at_any_step_and_the_variance_stays_one():
    noise = LatentNoise(100_000, 0.9, np.random.default_rng(2))
    noise.sample()
    noise.correlation = 0.3
    before = noise.sample()
    after = noise.sample()
    assert after.var() == pytest.approx(1.0, abs=0.02)
    assert np.corrcoef(before, after)[0, 1] == pytest.approx(0.3, abs=0.01)


def test_the_same_seed_gives_the_same_noise():
    one, two = (LatentNoise(3, 0.5, np.random.default_rng(3)) for _ in range(2))
    for _ in range(3):
        np.testing.assert_array_equal(one.sample(), two.sample())
