"""Networks, encoders and normalisers compute what they say."""

import numpy as np
import pytest
import torch

from sac_learner.sac import preset, SacConfig
from sac_learner.sac.learnables import Learnables
from sac_learner.sac.networks import BatchNorm, critics, encode, ENCODERS, initial, Networks
from sac_learner.sac.normalizer import Normalizer

SMALL = {'actor_hidden': (16, 16), 'critic_hidden': (16, 16)}
CPU = torch.device('cpu')


def test_layer_normalised_critics_match_torch_modules():
    config = SacConfig(**SMALL, critic_layer_norm=True)
    shape = Networks.of(3, None, 2, config)
    views = shape.critic_layout().views(initial(shape.critic_layout(), np.random.default_rng(0)))
    x, a = torch.randn(8, 3), torch.rand(8, 2)
    expected = torch.cat((x, a), 1)
    for i in range(2):
        linear = torch.nn.Linear(expected.shape[1], 16)
        linear.weight.data = views[f'hidden.{i}.weight'][1].T
        linear.bias.data = views[f'hidden.{i}.bias'][1, 0]
        expected = torch.nn.LayerNorm(16)(linear(expected)).relu()
    expected = expected @ views['q.weight'][1] + views['q.bias'][1]
    torch.testing.assert_close(critics(views, x, a, shape)[1], expected[:, 0])


def crossq():
    config = preset('crossq', critic_hidden=(16, 16))
    shape = Networks.of(3, None, 2, config)
    learnables = Learnables(shape, config, 0, CPU)
    return shape, learnables, learnables.statistics_layout.views(learnables.statistics)


def test_batch_norm_makes_unit_statistics_and_follows_them():
    shape, learnables, statistics = crossq()
    norm = BatchNorm(statistics, training=True, renormalise=False, momentum=0.1)
    x = 5.0 + 3.0 * torch.randn(2, 512, 5, generator=torch.Generator().manual_seed(0))
    y = norm(learnables.critic.views, 'input', x)
    torch.testing.assert_close(y.mean(1), torch.zeros(2, 5), atol=1e-5, rtol=0)
    torch.testing.assert_close(y.std(1, correction=0), torch.ones(2, 5), atol=1e-3, rtol=0)
    assert statistics['input.mean'].abs().max() == 0.0  # pure until it is committed
    norm.commit()
    torch.testing.assert_close(statistics['input.mean'][:, 0], 0.1 * x.mean(1))
    assert shape.batch_norm


def test_renormalised_batches_agree_with_the_running_statistics():
    _, learnables, statistics = crossq()
    x = torch.randn(2, 512, 5, generator=torch.Generator().manual_seed(0)) * 1.5 + 0.5
    train = BatchNorm(statistics, training=True, renormalise=True, momentum=0.1)
    evaluate = BatchNorm(statistics, training=False, renormalise=False, momentum=0.1)
    p = learnables.critic.views
    torch.testing.assert_close(train(p, 'input', x), evaluate(p, 'input', x), rtol=1e-4, atol=1e-4)


def test_normaliser_survives_a_reading_that_never_moves():
    normalizer = Normalizer(1, CPU)
    normalizer.update(torch.zeros(8, 1))
    assert normalizer(torch.full((1, 1), 0.5)).abs().item() <= 50.0


@pytest.mark.parametrize(('name', 'features'), [('paper', 36), ('stride2', 512), ('drq', 2592)])
def test_encoders_have_the_expected_features(name, features):
    shape = Networks.of(3, (32, 32, 3), 2, SacConfig(encoder=name))
    assert shape.actor.feature_size == features
    views = shape.critic_layout().views(initial(shape.critic_layout(), np.random.default_rng(0)))
    image = torch.zeros((2, 3, 32, 32), dtype=torch.uint8)
    assert encode(views, image, ENCODERS[name]).shape == (2, features)


def test_actor_and_critics_have_sizes_and_activations_of_their_own():
    sizes = (12, 6, 4)
    config = SacConfig(
        actor_hidden=(8,), actor_activation='tanh', critic_hidden=sizes, critic_activation='elu'
    )
    shape = Networks.of(3, None, 2, config)
    assert (shape.actor.hidden, shape.actor.activation) == ((8,), 'tanh')
    views = shape.critic_layout().views(initial(shape.critic_layout(), np.random.default_rng(0)))
    x, a = torch.randn(8, 3), torch.rand(8, 2)
    expected = torch.cat((x, a), 1)
    for i in range(len(sizes)):
        linear = expected @ views[f'hidden.{i}.weight'][1] + views[f'hidden.{i}.bias'][1]
        expected = torch.nn.functional.elu(linear)
    expected = expected @ views['q.weight'][1] + views['q.bias'][1]
    torch.testing.assert_close(critics(views, x, a, shape)[1], expected[:, 0])
