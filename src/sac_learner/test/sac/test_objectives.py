"""The equations of the paper, checked against independent calculations."""

import math

import numpy as np
import pytest
import torch

from sac_learner.sac import objectives


def test_log_density_of_squashed_actions_is_that_of_the_change_of_variables():
    generator = torch.Generator().manual_seed(0)
    mean, log_std, noise = (
        0.5 * torch.randn((64, 3), generator=generator, dtype=torch.float64) for _ in range(3)
    )
    action, log_prob = objectives.squashed_gaussian(mean, log_std, noise)
    u = mean + log_std.exp() * noise
    normal = torch.distributions.Normal(mean, log_std.exp())
    expected = (normal.log_prob(u) - torch.log(1.0 - action.square())).sum(-1)
    torch.testing.assert_close(log_prob, expected, rtol=1e-6, atol=1e-6)


def test_density_of_squashed_actions_integrates_to_one():
    mean, log_std = torch.tensor([[0.4]], dtype=torch.float64), torch.tensor([[-0.3]])
    u = torch.linspace(-12, 12, 200_001, dtype=torch.float64)[:, None]
    noise = (u - mean) / log_std.double().exp()
    action, log_prob = objectives.squashed_gaussian(mean, log_std.double(), noise)
    total = torch.trapezoid(log_prob.exp(), action[:, 0])
    assert total.item() == pytest.approx(1.0, abs=1e-4)


def test_log_density_stays_finite_where_tanh_saturates():
    _, log_prob = objectives.squashed_gaussian(
        torch.full((1, 2), 50.0), torch.zeros(1, 2), torch.zeros(1, 2)
    )
    assert torch.isfinite(log_prob).all()


def test_target_takes_the_least_critic_and_adds_the_entropy():
    y = objectives.q_target(
        torch.tensor([1.0]),
        torch.tensor([0.9]),
        torch.tensor([[5.0], [3.0]]),
        torch.tensor([-2.0]),
        alpha=0.5,
    )
    assert y.item() == pytest.approx(1.0 + 0.9 * (3.0 + 0.5 * 2.0))


def test_entropy_can_be_left_out_of_the_target():
    y = objectives.q_target(
        torch.tensor([1.0]),
        torch.tensor([0.9]),
        torch.tensor([[5.0], [3.0]]),
        torch.tensor([-2.0]),
        alpha=0.5,
        entropy_backup=False,
    )
    assert y.item() == pytest.approx(1.0 + 0.9 * 3.0)


def test_no_value_is_bootstrapped_past_a_termination():
    y = objectives.q_target(
        torch.tensor([1.0]),
        torch.tensor([0.0]),
        torch.full((2, 1), 1e6),
        torch.tensor([3.0]),
        alpha=1.0,
    )
    assert y.item() == 1.0


def test_gradient_of_the_critic_loss_is_that_of_equation_6():
    q = torch.tensor([[1.0, 2.0], [0.0, 4.0]], requires_grad=True)
    target = torch.tensor([3.0, 3.0])
    objectives.critic_loss(q, target).backward()
    np.testing.assert_allclose(q.grad, (q.detach() - target) / 2)


def test_actor_loss_reduces_the_critics_as_asked():
    q, log_prob = torch.tensor([[1.0, 5.0], [3.0, 4.0]]), torch.tensor([-1.0, -2.0])
    least = objectives.actor_loss(q, log_prob, alpha=0.1)
    mean = objectives.actor_loss(q, log_prob, alpha=0.1, reduction='mean')
    assert least.item() == pytest.approx(-0.15 - 2.5)
    assert mean.item() == pytest.approx(-0.15 - 3.25)


@pytest.mark.parametrize(('entropy', 'sign'), [(-3.0, 1.0), (0.0, -1.0)])
def test_temperature_rises_while_entropy_is_below_its_target(entropy, sign):
    log_alpha = torch.tensor([0.3], requires_grad=True)
    log_prob = torch.full((8,), -entropy)
    objectives.temperature_loss(log_alpha, log_prob, target_entropy=-1.0).backward()
    descent = -log_alpha.grad.item()
    assert math.copysign(1.0, descent) == sign
    assert abs(descent) == pytest.approx(math.exp(0.3) * abs(-1.0 - entropy), rel=1e-5)
