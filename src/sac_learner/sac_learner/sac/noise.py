"""All randomness of the updates, drawn in one order for every form of the update."""

from dataclasses import dataclass
import json
import math
from typing import Any

import numpy as np
import torch

from sac_learner.sac.config import SacConfig

Tensor = torch.Tensor


@dataclass(frozen=True)
class Draws:
    """Random numbers of one update.

    Attributes:
        next_noise: Standard normal, for the actions at s', shape (B, A).
        noise: Standard normal, for the actions at s, shape (B, A); None without a policy update.
        subset: Which critics form the target; None is all of them.
        masks: Dropout masks of the passes 'target', 'critic' and 'actor', one per hidden layer.
        shifts: Image shifts of s and s' in pixels, int64, shape (2, B, 2), or None.
    """

    next_noise: Tensor
    noise: Tensor | None
    subset: list[int] | None = None
    masks: dict[str, list[Tensor]] | None = None
    shifts: Tensor | None = None


class NoiseSource:
    """Seeded source of `Draws`."""

    def __init__(
        self, config: SacConfig, action_size: int, *, images: bool, seed: int, device: torch.device
    ) -> None:
        """Seed the generator: numpy's on a CPU, the device's own elsewhere."""
        self._config, self._actions, self._images, self._device = (
            config,
            action_size,
            images,
            device,
        )
        self._numpy = np.random.Generator(np.random.SFC64([seed, 1]))
        self._torch = torch.Generator(device=device)
        self._torch.manual_seed(seed)

    def draw(self, batch_size: int, *, update_actor: bool) -> Draws:
        """Draw the numbers of one update."""
        c = self._config
        shape = (batch_size, self._actions)
        subset = None
        if 0 < c.target_subset < c.critics:
            subset = sorted(self._numpy.choice(c.critics, c.target_subset, replace=False).tolist())
        masks = None
        if c.critic_dropout > 0.0:
            passes = ('target', 'critic', 'actor') if update_actor else ('target', 'critic')
            # Without target networks one pass serves both states, so no critic is left out.
            counts = {'target': len(subset) if subset and c.target_networks else c.critics}
            masks = {
                name: [
                    self._mask((counts.get(name, c.critics), batch_size, units))
                    for units in c.critic_hidden
                ]
                for name in passes
            }
        shifts = None
        if self._images and c.image_shift:
            size = (2, batch_size, 2)
            limit = c.image_shift
            drawn = self._numpy.integers(-limit, limit, size, endpoint=True)
            shifts = torch.from_numpy(drawn).to(self._device)
        return Draws(
            next_noise=self._normal(shape),
            noise=self._normal(shape) if update_actor else None,
            subset=subset,
            masks=masks,
            shifts=shifts,
        )

    def _normal(self, shape: tuple[int, ...]) -> Tensor:
        if self._device.type == 'cpu':
            return torch.from_numpy(self._numpy.standard_normal(shape, dtype=np.float32))
        return torch.randn(shape, generator=self._torch, device=self._device)

    def _mask(self, shape: tuple[int, ...]) -> Tensor:
        """Return factors 0 and 1 / (1 - rate), independent of each other."""
        rate, size = self._config.critic_dropout, math.prod(shape)
        if self._device.type != 'cpu':
            kept = torch.rand(shape, generator=self._torch, device=self._device) >= rate
            return kept.to(torch.float32) / (1.0 - rate)
        # Few are dropped: a number for each of them takes an eighth of the time of one for all.
        factors = np.full(size, 1.0 / (1.0 - rate), np.float32)
        dropped = self._numpy.binomial(size, rate)
        factors[self._numpy.choice(size, dropped, replace=False, shuffle=False)] = 0.0
        return torch.from_numpy(factors.reshape(shape))

    def state(self) -> dict[str, np.ndarray | str]:
        """Return the generators' state."""
        return {
            'random.numpy': generator_state(self._numpy),
            'random.torch': self._torch.get_state().numpy().copy(),
        }

    def load_state(self, state: dict[str, np.ndarray | str]) -> None:
        """Continue where `state` was taken."""
        load_generator(self._numpy, str(state['random.numpy']))
        device_state = torch.from_numpy(np.array(state['random.torch'], dtype=np.uint8))
        if device_state.shape == self._torch.get_state().shape:  # another device has another form
            self._torch.set_state(device_state)


def generator_state(generator: np.random.Generator) -> str:
    """Return a numpy generator's state as JSON."""

    def plain(value: object) -> object:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        return [int(item) for item in value] if isinstance(value, np.ndarray) else value

    return json.dumps(plain(generator.bit_generator.state))


def load_generator(generator: np.random.Generator, text: str) -> None:
    """Set a numpy generator to a state that `generator_state` returned."""

    def arrays(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: arrays(item) for key, item in value.items()}
        return np.array(value, dtype=np.uint64) if isinstance(value, list) else value

    generator.bit_generator.state = arrays(json.loads(text))
