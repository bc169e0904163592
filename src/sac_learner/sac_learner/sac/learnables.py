"""What learning changes: parameters, targets, Adam's moments; each network one flat vector.

One flat vector per network makes Adam one fused call and a target step one `lerp_`, and gives
every form of the update (reference, torch, native) the same memory to work on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
import math
from typing import Any

import numpy as np
import torch

from sac_learner.sac.config import SacConfig
from sac_learner.sac.networks import initial, Layout, Networks

Tensor = torch.Tensor


@dataclass
class Trained:
    """A flat parameter vector with Adam's state (Kingma & Ba 2015).

    Attributes:
        layout: Names and shapes.
        flat: Parameters, shape (P,).
        m: First moments, shape (P,).
        v: Second moments, shape (P,).
        steps: Steps taken.
    """

    layout: Layout
    flat: Tensor
    m: Tensor = field(init=False)
    v: Tensor = field(init=False)
    steps: int = 0

    def __post_init__(self) -> None:
        """Start the moments at zero."""
        self.m, self.v = torch.zeros_like(self.flat), torch.zeros_like(self.flat)

    @property
    def views(self) -> dict[str, Tensor]:
        """The named parameters."""
        return self.layout.views(self.flat)

    def forget(self) -> None:
        """Reset Adam's state."""
        self.m.zero_()
        self.v.zero_()
        self.steps = 0


class Learnables:
    """All parameters of a learner."""

    def __init__(
        self, shape: Networks, config: SacConfig, seed: int, device: torch.device
    ) -> None:
        """Draw the initial parameters; they depend on the seed only."""
        generator = np.random.default_rng([seed, 0])
        actor, critic = shape.actor_layout(), shape.critic_layout()
        self.actor = Trained(actor, initial(actor, generator).to(device))
        self.critic = Trained(critic, initial(critic, generator).to(device))
        self.target = self.critic.flat.clone()
        averaged = config.policy_average > 0.0 and not shape.shared_encoder
        self.average = self.actor.flat.clone() if averaged else None
        log_alpha = torch.tensor([math.log(config.initial_temperature)], device=device)
        self.temperature = Trained(Layout({'log_alpha': (1,)}), log_alpha)
        self.statistics_layout = shape.statistics_layout()
        self.statistics = torch.zeros(self.statistics_layout.total, device=device)
        for name, view in self.statistics_layout.views(self.statistics).items():
            view.fill_(float(name.endswith('variance')))

    def policy(self, *, averaged: bool) -> dict[str, Tensor]:
        """Return the named parameters of the policy; averaged, where the settings know a mean."""
        flat = self.average if averaged and self.average is not None else self.actor.flat
        return self.actor.layout.views(flat)

    def follow(self, step: float) -> None:
        """Let the averaged policy follow the one that learns, where there is one."""
        if self.average is not None:
            self.average.lerp_(self.actor.flat, step)

    def trained(self) -> dict[str, Trained]:
        """Return the three parameter vectors by name."""
        return {'actor': self.actor, 'critic': self.critic, 'temperature': self.temperature}

    def tensors(self) -> dict[str, Tensor]:
        """Return every tensor that makes up the state, by name."""
        tensors = {'target': self.target, 'statistics': self.statistics}
        if self.average is not None:
            tensors['average'] = self.average
        for name, item in self.trained().items():
            tensors |= {name: item.flat, f'{name}.m': item.m, f'{name}.v': item.v}
        return tensors

    def state(self) -> dict[str, np.ndarray | int]:
        """Return every tensor (a copy) and the steps of every optimiser, by name."""
        state: dict[str, np.ndarray | int] = {
            name: item.detach().cpu().numpy().copy() for name, item in self.tensors().items()
        }
        for name, item in self.trained().items():
            state[f'{name}.steps'] = item.steps
        return state

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue where `state` was taken; further entries of it are ignored.

        Raises:
            KeyError: Steps are missing.
            ValueError: The state is of other networks.
        """
        tensors = self.tensors()
        expected = {name: tuple(item.shape) for name, item in tensors.items()}
        got = {name: np.shape(state[name]) for name in expected if name in state}
        if got != expected:
            wrong = {n: (got.get(n, 'missing'), s) for n, s in expected.items() if got.get(n) != s}
            raise ValueError(
                f'state is of other networks (got, expected): {wrong}; use the configuration it '
                'was saved with'
            )
        for name, item in tensors.items():
            item.copy_(torch.from_numpy(np.array(state[name], np.float32)))
        for name, trained in self.trained().items():
            trained.steps = int(state[f'{name}.steps'])
