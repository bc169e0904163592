"""The fast forms of the update compute what the readable reference computes."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from sac_learner.sac import Batch, preset, Sac, SacConfig
from sac_learner.sac.adam import adam_step, AdamSettings, fused_adam_step
from sac_learner.sac.batch import READ
from sac_learner.sac.learnables import Trained
from sac_learner.sac.native import build as build_kernel
from sac_learner.sac.native import library
from sac_learner.sac.networks import Layout

SMALL = {'actor_hidden': (48, 32), 'critic_hidden': (40, 64)}
OPTIONS = {
    'paper': {},
    'redq': {'critics': 4, 'target_subset': 2, 'actor_reduction': 'mean', 'policy_delay': 3},
    'averaged': {'policy_average': 0.03, 'policy_delay': 2, 'actor_reduction': 'mean'},
    'optimiser': {
        'policy_average': 0.03,
        'gradient_clip': 1.0,
        'critic_weight_decay': 0.1,
        'actor_weight_decay': 0.05,
        'critic_schedule': 'cosine',
        'schedule_updates': 50,
    },
    'targets': {'target_interval': 3, 'tau': 0.1, 'entropy_backup': False},
    'no targets': {'target_networks': False},
    'fixed temperature': {'learn_temperature': False, 'initial_temperature': 0.2},
    'normalised': {'normalize_observations': True, 'objective': 'minimise', 'reward_scale': 3.0},
    'one layer': {'actor_hidden': (70,), 'critic_hidden': (33,)},
    'three layers': {'actor_hidden': (20, 30, 40), 'critic_hidden': (40, 30, 20)},
}


@pytest.fixture(scope='module', autouse=True)
def _kernel(tmp_path_factory):
    """Compile the kernel anew, so that the tests see the source."""
    path = tmp_path_factory.mktemp('kernel') / 'kernel.so'
    with pytest.MonkeyPatch.context() as patch:
        try:
            patch.setenv(library.OVERRIDE, str(build_kernel.build(path)))
        except build_kernel.BuildError:
            pytest.skip('no C++ compiler')
        library.kernel.cache_clear()
        yield
    library.kernel.cache_clear()


NATIVE_OPTIONS = {
    'layer norm': {'critic_layer_norm': True, 'actor_layer_norm': True, 'tau': 0.1},
    'dropout': {'critic_dropout': 0.2, 'critics': 4, 'target_subset': 2},
    'droq': {'critic_dropout': 0.1, 'critic_layer_norm': True, 'actor_reduction': 'mean'},
    'joint pass': {'critic_dropout': 0.1, 'target_networks': False, 'critic_layer_norm': True},
}
IMAGE = (20, 18, 3)
IMAGE_OPTIONS = {
    'paper': {'encoder': 'paper'},
    'paper shared': {'encoder': 'paper', 'encoder_sharing': 'shared', 'tau': 0.1},
    'stride2': {'encoder': 'stride2', 'policy_delay': 2, 'policy_average': 0.03},
    'stride2 shared': {'encoder': 'stride2', 'encoder_sharing': 'shared', 'gradient_clip': 1.0},
    'drq': {'encoder': 'drq', 'encoder_sharing': 'shared', 'actor_reduction': 'mean'},
    'shift': {'encoder': 'paper', 'random_shift': 3, 'target_networks': False},
}


def stream(seed, *, size=64, vector=7, action=3, image=None):
    rng = np.random.default_rng(seed)

    def normal(*shape):
        return rng.standard_normal(shape, dtype=np.float32)

    def pictures():
        return rng.integers(0, 256, (size, *image), dtype=np.uint8) if image else None

    def draw() -> Batch:
        return Batch(
            vector=normal(size, vector),
            action=np.tanh(normal(size, action)),
            reward=normal(size),
            discount=np.where(rng.random(size) < 0.1, 0.0, 0.99).astype(np.float32),
            next_vector=normal(size, vector),
            image=pictures(),
            next_image=pictures(),
        )

    return draw


def learn(config, backend, *, updates=100, data=5, threads=2, away_from_kinks=False, **shape):
    learner = Sac(
        shape.get('vector', 7),
        shape.get('image'),
        shape.get('action', 3),
        config,
        seed=0,
        backend=backend,
        threads=threads,
    )
    if away_from_kinks:
        learner.load_state(_away_from_kinks(learner))
    metrics = learner.update(stream(data, **shape), updates)
    return learner, metrics


def _away_from_kinks(learner):
    """Return the state with every relu clearly on or clearly off.

    Where an activation comes within rounding of zero its gradient jumps, and two calculations that
    round differently part (docs/sac.md); that says nothing about whether they are equal.
    """
    state = learner.state()
    trained = learner._learnables.trained()
    for name, layout in (('actor', trained['actor'].layout), ('critic', trained['critic'].layout)):
        views = layout.views(torch.from_numpy(state[name]))
        for key, view in views.items():
            if key.endswith('bias') and key.startswith(('hidden', 'encoder')):
                distance = 8.0 if key.startswith('hidden') else 2.0
                view.fill_(distance)
                view[..., ::3] = -distance
            elif key.startswith(('hidden', 'encoder')):
                view.mul_(0.5)
    state['target'] = state['critic'].copy()
    return state


@pytest.mark.parametrize('options', OPTIONS)
@pytest.mark.parametrize('backend', ['native', 'torch'])
def test_hundred_updates_equal_the_reference_within_1e_5(backend, options):
    config = replace(SacConfig(**SMALL), **OPTIONS[options])
    learner, metrics = learn(config, backend, away_from_kinks=True)
    reference, expected = learn(config, 'reference', away_from_kinks=True)
    assert learner.backend == backend
    state, right = learner.state(), reference.state()
    for name in ('actor', 'critic', 'target', 'temperature'):
        np.testing.assert_allclose(state[name], right[name], atol=1e-5, rtol=1e-5, err_msg=name)
    for name, value in expected.items():
        assert metrics[name] == pytest.approx(value, rel=1e-4, abs=1e-4), name


@pytest.mark.parametrize('options', NATIVE_OPTIONS)
def test_normalised_and_dropped_layers_equal_the_reference(options):
    # Few updates: normalisation brings every unit to its kink in some row sooner or later. About
    # one choice of data in 40 does so within three.
    config = replace(SacConfig(**SMALL), **NATIVE_OPTIONS[options])
    learner, metrics = learn(config, 'native', updates=3, data=6)
    reference, expected = learn(config, 'reference', updates=3, data=6)
    state, right = learner.state(), reference.state()
    for name in ('actor', 'critic', 'target', 'temperature', 'actor.m', 'critic.m'):
        np.testing.assert_allclose(state[name], right[name], atol=1e-6, rtol=1e-5, err_msg=name)
    for name, value in expected.items():
        assert metrics[name] == pytest.approx(value, rel=1e-4, abs=1e-4), name


@pytest.mark.parametrize('options', IMAGE_OPTIONS)
def test_hundred_image_updates_equal_the_reference_within_1e_5(options):
    # Slow, as hundreds of features that are all positive carry a layer over its kinks together.
    slow = {
        'actor_lr': 1e-4,
        'critic_lr': 1e-4,
        'actor_hidden': (20, 20),
        'critic_hidden': (24, 24),
    }
    config = SacConfig(**slow, **IMAGE_OPTIONS[options])
    settings = {'away_from_kinks': True, 'image': IMAGE, 'size': 20}
    learner, metrics = learn(config, 'native', **settings)
    reference, expected = learn(config, 'reference', **settings)
    state, right = learner.state(), reference.state()
    for name in ('actor', 'critic', 'target', 'temperature'):
        np.testing.assert_allclose(state[name], right[name], atol=1e-5, rtol=1e-5, err_msg=name)
    for name, value in expected.items():
        assert metrics[name] == pytest.approx(value, rel=1e-4, abs=1e-4), name


def test_image_of_the_paper_equals_the_reference():
    shape = {'vector': 18, 'action': 9, 'size': 256, 'image': (32, 32, 3)}
    learner, _ = learn(SacConfig(), 'native', updates=3, **shape)
    reference, _ = learn(SacConfig(), 'reference', updates=3, **shape)
    for name in ('actor', 'critic', 'target'):
        expected = reference.state()[name]
        np.testing.assert_allclose(learner.state()[name], expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize('backend', ['native', 'torch'])
@pytest.mark.parametrize('sizes', [(17, 6), (31, 9)])
def test_networks_of_the_paper_equal_the_reference(backend, sizes):
    shape = {'vector': sizes[0], 'action': sizes[1], 'size': 256}
    learner, _ = learn(SacConfig(), backend, updates=5, **shape)
    reference, _ = learn(SacConfig(), 'reference', updates=5, **shape)
    for name in ('actor', 'critic', 'target'):
        expected = reference.state()[name]
        np.testing.assert_allclose(learner.state()[name], expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize('threads', [1, 3, 5])
@pytest.mark.parametrize('options', ['paper', 'optimiser', 'droq', 'stride2 shared'])
def test_any_number_of_threads_gives_the_same_bytes(options, threads):
    config = replace(SacConfig(**SMALL), **(OPTIONS | NATIVE_OPTIONS | IMAGE_OPTIONS)[options])
    shape = {'size': 50, 'image': IMAGE if 'stride2' in options else None}
    one, _ = learn(config, 'native', threads=2, updates=10, **shape)
    other, _ = learn(config, 'native', threads=threads, updates=10, **shape)
    ours, theirs = one.state(), other.state()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_batch_smaller_than_the_team_is_served():
    learner, metrics = learn(SacConfig(**SMALL), 'native', threads=4, size=2, updates=3)
    assert np.isfinite(list(metrics.values())).all()
    assert learner.updates == 3


def test_native_learner_goes_on_byte_for_byte_after_a_restart():
    config = SacConfig(**SMALL)
    first, _ = learn(config, 'native', updates=10)
    second = Sac(7, None, 3, config, seed=9, backend='native', threads=2)
    second.load_state(first.state())
    for learner in (first, second):
        learner.update(stream(8), 20)
    ours, theirs = first.state(), second.state()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_batch_refused_on_the_way_leaves_the_steps_before_it():
    config = SacConfig(**SMALL)
    learner, clean = (Sac(7, None, 3, config, seed=0, backend='native') for _ in range(2))
    draw = stream(5)
    batches = [draw() for _ in range(3)]
    broken = replace(batches[2], reward=np.full(64, np.nan, np.float32))
    with pytest.raises(ValueError, match='reward of the batch'):
        learner.update(iter([*batches[:2], broken]).__next__, 3)
    clean.update(iter(batches[:2]).__next__, 2)
    assert np.array_equal(learner.state()['critic'], clean.state()['critic'])
    assert learner.updates == 2


def test_native_refuses_a_batch_written_over_one_that_is_read():
    learner = Sac(7, None, 3, SacConfig(**SMALL), seed=0, backend='native')
    batches = [stream(5)() for _ in range(READ + 1)]
    learner.update(iter(batches * 2).__next__, 2 * len(batches))
    with pytest.raises(ValueError, match=f'being read; return other arrays, or fill {READ + 1} '):
        learner.update(iter([batches[0], batches[1], batches[0]]).__next__, 3)
    assert learner.updates == 2 * len(batches) + 2


def test_automatic_choice_is_native_where_it_has_every_option():
    assert learn(SacConfig(**SMALL), 'auto', updates=1)[0].backend == 'native'
    assert learn(preset('droq', **SMALL), 'auto', updates=1)[0].backend == 'native'
    crossq = preset('crossq', critic_hidden=(16,), actor_hidden=(16,))
    assert learn(crossq, 'auto', updates=1)[0].backend == 'torch'


def test_native_says_what_it_lacks():
    with pytest.raises(ValueError, match='does not know batch normalisation; use torch'):
        Sac(7, None, 3, preset('crossq'), seed=0, backend='native')


def test_missing_kernel_is_explained_and_torch_takes_over(monkeypatch, tmp_path):
    monkeypatch.setenv(library.OVERRIDE, str(tmp_path / 'nowhere.so'))
    library.kernel.cache_clear()
    try:
        with pytest.raises(ValueError, match=r'nowhere\.so does not exist.*g\+\+'):
            Sac(7, None, 3, SacConfig(), seed=0, backend='native')
        assert Sac(7, None, 3, SacConfig(), seed=0).backend == 'torch'
    finally:
        monkeypatch.undo()
        library.kernel.cache_clear()


def test_missing_compiler_is_explained(monkeypatch, tmp_path):
    monkeypatch.delenv('CXX', raising=False)
    monkeypatch.setenv('PATH', str(tmp_path))
    with pytest.raises(build_kernel.BuildError, match=r'install g\+\+'):
        build_kernel.build(tmp_path / 'kernel.so')


def test_every_form_of_adam_is_that_of_torch():
    settings = AdamSettings(1e-2, 0.8, 0.99, 1e-6, weight_decay=0.1)
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(1, generator=generator)
    expected = start.clone().requires_grad_()
    options = {'lr': 1e-2, 'betas': (0.8, 0.99), 'eps': 1e-6}
    optimiser = torch.optim.AdamW([expected], weight_decay=0.1, **options)
    reference, fused = (Trained(Layout({'x': (1,)}), start.clone()) for _ in range(2))
    for _ in range(20):
        gradient = torch.randn(1, generator=generator)
        expected.grad = gradient.clone()
        optimiser.step()
        adam_step(reference, gradient, settings)
        fused_adam_step(fused, gradient, settings)
    torch.testing.assert_close(reference.flat, expected.detach())
    torch.testing.assert_close(fused.flat, expected.detach())


def test_gradient_is_shortened_to_the_limit():
    item = Trained(Layout({'x': (2,)}), torch.zeros(2))
    norm = adam_step(item, torch.tensor([3.0, 4.0]), AdamSettings(1e-2, clip=1.0))
    assert norm == 5.0
    torch.testing.assert_close(item.m, torch.tensor([0.06, 0.08]))
