"""Inference in numpy."""

import time

import numpy as np
import pytest

from sac_agent.policy.network import NumpyPolicy
from sac_core.policy_format import Architecture, ConvLayer, layout


def arrays_of(architecture, seed=0, scale=0.3):
    rng = np.random.default_rng(seed)
    arrays = {n: scale * rng.standard_normal(s).astype('f4') for n, s in layout(architecture)}
    arrays['observation.std'] = 0.5 + rng.random(architecture.vector_size).astype('f4')
    return arrays


def activation(x, name):
    if name == 'relu':
        return np.maximum(x, 0)
    if name == 'tanh':
        return np.tanh(x)
    if name == 'elu':
        return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
    return x / (1 + np.exp(-x))


def slow_encode(a, architecture, image):
    x = image.astype(float).transpose(2, 0, 1) / 255
    for i, layer in enumerate(architecture.encoder):
        weight, bias = a[f'encoder.{i}.weight'], a[f'encoder.{i}.bias']
        x = np.pad(x, ((0, 0), (layer.padding,) * 2, (layer.padding,) * 2))
        rows = (x.shape[1] - layer.kernel) // layer.stride + 1
        columns = (x.shape[2] - layer.kernel) // layer.stride + 1
        y = np.zeros((layer.channels, rows, columns))
        for r in range(rows):
            for c in range(columns):
                top, left = r * layer.stride, c * layer.stride
                patch = x[:, top : top + layer.kernel, left : left + layer.kernel]
                y[:, r, c] = np.maximum((weight * patch).sum(axis=(1, 2, 3)) + bias, 0)
        rows = (rows - layer.pool) // layer.pool_stride + 1
        columns = (columns - layer.pool) // layer.pool_stride + 1
        x = np.zeros((layer.channels, rows, columns))
        for r in range(rows):
            for c in range(columns):
                top, left = r * layer.pool_stride, c * layer.pool_stride
                x[:, r, c] = y[:, top : top + layer.pool, left : left + layer.pool].max(
                    axis=(1, 2)
                )
    return x.ravel()


def slow(architecture, a, vector, image, noise):
    a = {name: array.astype(float) for name, array in a.items()}
    x = (vector - a['observation.mean']) / a['observation.std']
    if image is not None:
        x = np.concatenate([slow_encode(a, architecture, image), x])
    for i in range(len(architecture.hidden)):
        x = x @ a[f'hidden.{i}.weight'] + a[f'hidden.{i}.bias']
        if architecture.layer_norm:
            x = (x - x.mean()) / np.sqrt(x.var() + 1e-5)
            x = x * a[f'hidden.{i}.norm.weight'] + a[f'hidden.{i}.norm.bias']
        x = activation(x, architecture.activation)
    mean = x @ a['mean.weight'] + a['mean.bias']
    log_std = np.clip(x @ a['log_std.weight'] + a['log_std.bias'], *architecture.log_std_bounds)
    return np.tanh(mean + np.exp(log_std) * noise), mean, log_std


@pytest.mark.parametrize('layer_norm', [False, True])
@pytest.mark.parametrize('name', ['relu', 'tanh', 'elu', 'silu'])
def test_action_is_what_the_format_says(name, layer_norm):
    architecture = Architecture(7, 3, hidden=(16, 12), activation=name, layer_norm=layer_norm)
    a = arrays_of(architecture)
    policy = NumpyPolicy(architecture, a)
    rng = np.random.default_rng(1)
    for _ in range(3):
        vector, noise = rng.standard_normal(7).astype('f4'), rng.standard_normal(3)
        for got, expected in zip(
            policy.act(vector, None, noise), slow(architecture, a, vector, None, noise),
            strict=True,
        ):  # fmt: skip
            np.testing.assert_allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize(
    'encoder',
    [
        (
            ConvLayer(4, 3, padding=1, pool=2, pool_stride=2),
            ConvLayer(4, 3, pool=3, pool_stride=3),
        ),
        (ConvLayer(8, 3, stride=2), ConvLayer(8, 3, stride=2, padding=1)),
    ],
)
def test_image_passes_convolution_and_pooling(encoder):
    architecture = Architecture(2, 2, image_shape=(32, 32, 3), hidden=(8,), encoder=encoder)
    a = arrays_of(architecture, scale=0.1)
    image = np.random.default_rng(2).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    vector = np.array([0.5, -0.5], np.float32)
    policy = NumpyPolicy(architecture, a)
    policy.act(vector, image[::-1].copy(), np.zeros(2))
    got = policy.act(vector, image, np.zeros(2))
    for one, expected in zip(got, slow(architecture, a, vector, image, np.zeros(2)), strict=True):
        np.testing.assert_allclose(one, expected, atol=1e-5)


def test_without_noise_the_action_is_the_mode():
    architecture = Architecture(4, 2, hidden=(8,))
    policy = NumpyPolicy(architecture, arrays_of(architecture))
    action, mean, _ = policy.act(np.ones(4))
    np.testing.assert_array_equal(action, np.tanh(mean))


def test_standard_deviation_stays_within_its_bounds():
    architecture = Architecture(4, 2, hidden=(8,), log_std_bounds=(-1.0, 0.5))
    a = arrays_of(architecture)
    a['log_std.bias'] = np.array([50.0, -50.0], 'f4')
    _, _, log_std = NumpyPolicy(architecture, a).act(np.ones(4))
    np.testing.assert_array_equal(log_std, np.float32([0.5, -1.0]))


def test_results_survive_the_next_call():
    architecture = Architecture(4, 2, hidden=(8,))
    policy = NumpyPolicy(architecture, arrays_of(architecture))
    first = policy.act(np.ones(4), None, np.zeros(2))
    kept = [array.copy() for array in first]
    policy.act(-np.ones(4), None, np.ones(2))
    for array, copy in zip(first, kept, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_a_missing_image_is_refused():
    architecture = Architecture(2, 1, image_shape=(16, 16, 3), encoder=(ConvLayer(2, 3),))
    policy = NumpyPolicy(architecture, arrays_of(architecture))
    with pytest.raises(ValueError, match=r'image must be of shape \(16, 16, 3\), got None'):
        policy.act(np.zeros(2))


def test_an_action_takes_far_less_than_a_control_period():
    architecture = Architecture(17, 6)
    policy = NumpyPolicy(architecture, arrays_of(architecture))
    vector, noise = np.zeros(17, np.float32), np.zeros(6)
    times = []
    for _ in range(500):
        start = time.perf_counter()
        policy.act(vector, None, noise)
        times.append(time.perf_counter() - start)
    assert np.median(times) < 1e-3
