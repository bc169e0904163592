"""Soft Actor-Critic objectives: one pure function per equation.

Source: Haarnoja et al. 2018, arXiv:1812.05905, cited as [SAC]; Chen et al. 2021, arXiv:2101.05982,
cited as [REDQ]. B is the batch size, N the number of critics, A the size of an action.
"""

import math

import torch
from torch.nn.functional import softplus

Tensor = torch.Tensor

LOG_2 = math.log(2.0)
HALF_LOG_2_PI = 0.5 * math.log(2.0 * math.pi)


def squashed_gaussian(mean: Tensor, log_std: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Return actions and their log density, [SAC] eq. 8 and 26.

    log(1 - tanh(u)^2) is written as 2 (log 2 - u - softplus(-2u)), which stays exact where tanh
    saturates.

    Args:
        mean: Mean before squashing, shape (B, A).
        log_std: Log standard deviation before squashing, shape (B, A).
        noise: Standard normal numbers, shape (B, A).

    Returns:
        Actions in [-1, 1], shape (B, A), and log pi(a|s) [nat], shape (B,).
    """
    u = mean + log_std.exp() * noise
    gaussian = -0.5 * noise.square() - log_std - HALF_LOG_2_PI
    correction = 2.0 * (LOG_2 - u - softplus(-2.0 * u))
    return u.tanh(), (gaussian - correction).sum(dim=-1)


def q_target(
    reward: Tensor,
    discount: Tensor,
    next_q: Tensor,
    next_log_prob: Tensor,
    *,
    alpha: Tensor | float,
    entropy_backup: bool = True,
) -> Tensor:
    """Return the soft Bellman target of all critics, [SAC] eq. 2 and 3.

    Args:
        reward: r(s, a), or the discounted sum of n rewards, shape (B,).
        discount: gamma^n, 0.0 where s' ends the task, shape (B,). A time-out is not a
            termination: the robot could have gone on, so s' keeps its value.
        next_q: Target critics at (s', a'), shape (M, B), of which the least counts.
        next_log_prob: log pi(a'|s') [nat], shape (B,).
        alpha: Temperature.
        entropy_backup: Whether s' is worth its entropy too.

    Returns:
        Target y, shape (B,), detached.
    """
    next_value = next_q.amin(dim=0)
    if entropy_backup:
        next_value = next_value - alpha * next_log_prob
    return (reward + discount * next_value).detach()


def critic_loss(q: Tensor, target: Tensor) -> Tensor:
    """Return the soft Bellman residual summed over critics, [SAC] eq. 5.

    Args:
        q: Critics at (s, a), shape (N, B).
        target: Soft Bellman target, shape (B,).
    """
    return 0.5 * (q - target).square().mean(dim=1).sum()


def actor_loss(
    q: Tensor, log_prob: Tensor, *, alpha: Tensor | float, reduction: str = 'min'
) -> Tensor:
    """Return the policy objective, [SAC] eq. 9.

    Args:
        q: Critics at (s, pi(s)), shape (N, B).
        log_prob: log pi(a|s) [nat], shape (B,).
        alpha: Temperature.
        reduction: 'min' as in [SAC], or 'mean' over the critics as in [REDQ].
    """
    value = q.amin(dim=0) if reduction == 'min' else q.mean(dim=0)
    return (alpha * log_prob - value).mean()


def temperature_loss(log_alpha: Tensor, log_prob: Tensor, *, target_entropy: float) -> Tensor:
    """Return the temperature objective, [SAC] eq. 18, shape ()."""
    return -(log_alpha.exp() * (log_prob.mean() + target_entropy).detach()).sum()
