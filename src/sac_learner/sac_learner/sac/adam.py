"""Adam with decoupled weight decay on a flat parameter vector.

Source: Kingma & Ba 2015, arXiv:1412.6980; Loshchilov & Hutter 2019, arXiv:1711.05101.
"""

from dataclasses import dataclass

import torch

from sac_learner.sac.learnables import Trained

Tensor = torch.Tensor

CLIP_EPSILON = 1e-6


@dataclass(frozen=True)
class AdamSettings:
    """Settings of one optimiser at one update."""

    learning_rate: float
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    clip: float = 0.0  # largest norm of the gradient, 0: no limit


def clipped(gradient: Tensor, norm: Tensor, limit: float) -> Tensor:
    """Return the gradient, shortened where its norm exceeds the limit (0: no limit)."""
    if limit <= 0.0:
        return gradient
    return gradient * (limit / (norm + CLIP_EPSILON)).clamp(max=1.0)


def adam_step(item: Trained, gradient: Tensor, settings: AdamSettings) -> Tensor:
    """Take one step, written as in the paper, and return the norm of the gradient, shape ()."""
    s = settings
    norm: Tensor = torch.linalg.vector_norm(gradient)
    gradient = clipped(gradient, norm, s.clip)
    item.steps += 1
    item.m.mul_(s.beta1).add_(gradient, alpha=1.0 - s.beta1)
    item.v.mul_(s.beta2).addcmul_(gradient, gradient, value=1.0 - s.beta2)
    m_hat = item.m / (1.0 - s.beta1**item.steps)
    v_hat = item.v / (1.0 - s.beta2**item.steps)
    if s.weight_decay:
        item.flat.mul_(1.0 - s.learning_rate * s.weight_decay)
    item.flat.sub_(s.learning_rate * m_hat / (v_hat.sqrt() + s.epsilon))
    return norm


def fused_adam_step(item: Trained, gradient: Tensor, settings: AdamSettings) -> Tensor:
    """Take the same step in one kernel and return the norm of the gradient, shape ()."""
    s = settings
    norm: Tensor = torch.linalg.vector_norm(gradient)
    gradient = clipped(gradient, norm, s.clip)
    item.steps += 1
    torch._fused_adamw_(
        [item.flat],
        [gradient],
        [item.m],
        [item.v],
        [],
        [torch.tensor(float(item.steps), device=item.flat.device)],
        lr=s.learning_rate,
        beta1=s.beta1,
        beta2=s.beta2,
        weight_decay=s.weight_decay,
        eps=s.epsilon,
        amsgrad=False,
        maximize=False,
    )
    return norm
