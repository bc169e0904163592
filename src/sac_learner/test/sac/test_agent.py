"""The learner's promises: determinism, exact resume, policy format, live settings, refusals."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

from sac_core.policy_format import layout, pack
from sac_learner.sac import Batch, DivergenceError, preset, PRESETS, Sac, SacConfig

SMALL = {'actor_hidden': (16, 16), 'critic_hidden': (16, 16)}
IMAGE = (24, 24, 3)


def stream(seed=0, *, size=32, vector=5, action=2, image=None):
    """Return a source of random batches."""
    rng = np.random.default_rng(seed)

    def draw() -> Batch:
        def normal(*shape):
            return rng.standard_normal(shape, dtype=np.float32)

        def picture():
            return rng.integers(0, 256, (size, *image), dtype=np.uint8) if image else None

        return Batch(
            vector=normal(size, vector),
            action=np.tanh(normal(size, action)),
            reward=normal(size),
            discount=np.where(rng.random(size) < 0.1, 0.0, 0.99).astype(np.float32),
            next_vector=normal(size, vector),
            image=picture(),
            next_image=picture(),
        )

    return draw


def make(config=None, *, seed=0, image=None, **changes):
    return Sac(5, image, 2, config or SacConfig(**SMALL), seed=seed, **changes)


def small(name):
    return preset(name, **SMALL, policy_delay=min(preset(name).policy_delay, 3))


def equal(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize('backend', ['auto', 'torch', 'reference'])
@pytest.mark.parametrize('name', PRESETS)
def test_equal_seeds_give_equal_learners(name, backend):
    learners = [make(small(name), seed=3, backend=backend) for _ in range(2)]
    for learner in learners:
        learner.update(stream(), 7)
    assert equal(learners[0].state(), learners[1].state())


def test_other_seeds_give_other_learners():
    assert not np.array_equal(make(seed=0).state()['actor'], make(seed=1).state()['actor'])


@pytest.mark.parametrize('backend', ['auto', 'torch', 'reference'])
@pytest.mark.parametrize('name', PRESETS)
def test_resumed_learner_goes_on_byte_for_byte(name, backend):
    config = replace(small(name), normalize_observations=True, actor_schedule='linear')
    batches = stream()
    first = make(config, seed=3, backend=backend)
    first.update(batches, 7)
    saved, later = first.state(), [batches() for _ in range(9)]
    first.update(iter(later).__next__, 9)

    second = make(config, seed=99, backend=backend)
    second.load_state(saved)
    second.update(iter(later).__next__, 9)
    assert equal(first.state(), second.state())
    observation = np.ones(5, np.float32)
    np.testing.assert_array_equal(first.act(observation), second.act(observation))


def test_resumed_image_learner_goes_on_byte_for_byte():
    config = SacConfig(**SMALL, encoder='drq', encoder_sharing='shared', random_shift=2)
    batches = stream(image=IMAGE, size=8)
    first = make(config, image=IMAGE)
    first.update(batches, 2)
    saved, later = first.state(), [batches() for _ in range(2)]
    first.update(iter(later).__next__, 2)
    second = make(config, seed=99, image=IMAGE)
    second.load_state(saved)
    second.update(iter(later).__next__, 2)
    assert equal(first.state(), second.state())


def test_state_is_a_copy_of_arrays_and_json_scalars():
    learner = make()
    state = learner.state()
    before = state['actor'].copy()
    learner.update(stream(), 1)
    np.testing.assert_array_equal(state['actor'], before)
    assert all(isinstance(value, (np.ndarray, int, float, str)) for value in state.values())


def test_state_of_other_networks_is_refused():
    state = make(SacConfig(actor_hidden=(8,), critic_hidden=(8,))).state()
    with pytest.raises(ValueError, match='state is of other networks'):
        make().load_state(state)


def test_incomplete_state_is_refused():
    state = make().state()
    del state['normalizer.batches']
    with pytest.raises(ValueError, match=r'lacks .normalizer\.batches'):
        make().load_state(state)


@pytest.mark.parametrize('sharing', ['separate', 'shared'])
@pytest.mark.parametrize('image', [None, IMAGE])
def test_policy_follows_the_shared_format(image, sharing):
    config = SacConfig(**SMALL, encoder='stride2', encoder_sharing=sharing, actor_layer_norm=True)
    learner = make(config, image=image)
    learner.update(stream(image=image), 2)
    architecture, arrays = learner.policy()
    assert {name: array.shape for name, array in arrays.items()} == dict(layout(architecture))
    assert pack(arrays, architecture)


def test_policy_written_down_by_hand_acts_like_the_learner():
    config = SacConfig(**SMALL, normalize_observations=True)
    learner = make(config)
    learner.update(stream(), 5)
    _, p = learner.policy()
    vector = np.linspace(-1, 1, 5, dtype=np.float32)
    x = (vector - p['observation.mean']) / p['observation.std']
    for i in range(2):
        x = np.maximum(x @ p[f'hidden.{i}.weight'] + p[f'hidden.{i}.bias'], 0)
    expected = np.tanh(x @ p['mean.weight'] + p['mean.bias'])
    np.testing.assert_allclose(learner.act(vector, deterministic=True), expected, atol=1e-6)


def test_learner_starts_from_an_existing_policy():
    teacher, pupil = make(seed=1), make(seed=2)
    teacher.update(stream(), 3)
    pupil.load_policy(teacher.policy()[1])
    observation = np.ones((4, 5), np.float32)
    np.testing.assert_array_equal(
        pupil.act(observation, deterministic=True), teacher.act(observation, deterministic=True)
    )
    with pytest.raises(ValueError, match='policy must have arrays'):
        pupil.load_policy({})


def test_stochastic_actions_differ_and_stay_within_bounds():
    learner = make()
    observation = np.zeros((100, 5), np.float32)
    actions = learner.act(observation)
    assert actions.shape == (100, 2)
    assert np.abs(actions).max() <= 1.0
    assert actions.std(axis=0).min() > 0.1


def test_live_settings_change_the_next_update():
    learner = make()
    learner.set_parameter('actor_lr', 0.0)
    before = learner.state()
    learner.update(stream(), 1)
    after = learner.state()
    np.testing.assert_array_equal(before['actor'], after['actor'])
    assert not np.array_equal(before['critic'], after['critic'])


@pytest.mark.parametrize(
    ('name', 'value', 'message'),
    [
        ('batch_size', 8, "'batch_size' is fixed while learning"),
        ('actor_lr', -1.0, 'actor_lr must lie in'),
        ('target_entropy', 'much', 'or a number'),
    ],
)
def test_impossible_live_changes_are_refused(name, value, message):
    with pytest.raises(ValueError, match=message):
        make().set_parameter(name, value)


@pytest.mark.parametrize('field', ['vector', 'action', 'reward', 'discount', 'next_vector'])
def test_batch_that_is_not_finite_never_reaches_the_networks(field):
    learner = make()
    before = learner.state()['critic']
    batch = stream()()
    broken = getattr(batch, field).copy()
    broken.flat[0] = np.nan
    with pytest.raises(ValueError, match=f'^{field} of the batch holds numbers'):
        learner.update(lambda: replace(batch, **{field: broken}), 1)
    np.testing.assert_array_equal(learner.state()['critic'], before)


def test_batch_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r'vector of the batch must have shape \(32, 5\)'):
        make().update(stream(vector=4), 1)


@pytest.mark.parametrize('backend', ['auto', 'torch', 'reference'])
def test_divergence_is_reported_with_the_remedy(backend):
    learner = make(backend=backend)
    batch = stream()()
    huge = replace(batch, reward=np.full(32, 1e30, np.float32))
    with pytest.raises(DivergenceError, match='go back to the last checkpoint'):
        learner.update(lambda: deepcopy(huge), 5)


def test_unknown_backend_is_refused():
    with pytest.raises(ValueError, match='backend must be one of'):
        make(backend='magic')


def test_tensors_serve_as_batches():
    numpy_learner, torch_learner = make(), make()
    batches, copies = stream(), stream()

    def tensors() -> Batch:
        batch = copies()
        return Batch(
            **{k: None if v is None else torch.from_numpy(v) for k, v in vars(batch).items()}
        )

    numpy_learner.update(batches, 3)
    torch_learner.update(tensors, 3)
    assert equal(numpy_learner.state(), torch_learner.state())
