"""Running mean and deviation of vector observations."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

Tensor = torch.Tensor

MIN_STD = 1e-2  # a reading that hardly moved so far must not explode when it does
WINDOW = 1000  # batches


class Normalizer:
    """Statistics of the replay, followed batch by batch.

    The n-th batch has weight 1/n, and from the 1000th on 1/1000: batches come from the whole
    replay, so an average over the last thousand follows it as it grows.
    """

    def __init__(self, size: int, device: torch.device) -> None:
        """Start at mean 0 and deviation 1, shape (size,)."""
        self.mean = torch.zeros(size, device=device)
        self.variance = torch.ones(size, device=device)
        self.std = torch.ones(size, device=device)
        self.batches = 0

    def update(self, vector: Tensor) -> None:
        """Take a batch of raw vectors, shape (B, V), into account."""
        self.batches += 1
        weight = 1.0 / min(self.batches, WINDOW)
        mean = vector.mean(dim=0)
        delta = mean - self.mean
        spread = (vector - mean).square().mean(dim=0)
        if self.batches == 1:
            self.mean.copy_(mean)
            self.variance.copy_(spread)
        else:
            # Variance of a mixture: the old part, the new part, and the distance of their means.
            self.variance.mul_(1.0 - weight).add_(weight * spread)
            self.variance.add_(weight * (1.0 - weight) * delta.square())
            self.mean.add_(weight * delta)
        torch.sqrt(self.variance, out=self.std)
        self.std.clamp_(min=MIN_STD)

    def __call__(self, vector: Tensor) -> Tensor:
        """Return normalised vectors of the same shape."""
        return (vector - self.mean) / self.std

    def begin_with(self, mean: Tensor, std: Tensor) -> None:
        """Take over statistics that came with a policy; the next batch refines them."""
        self.mean.copy_(mean)
        self.std.copy_(std)
        self.variance.copy_(std.square())
        self.batches = 1

    def state(self) -> dict[str, npt.NDArray[np.float32] | int]:
        """Return what to keep, copies."""
        arrays = {name: item.cpu().numpy().copy() for name, item in self._tensors().items()}
        return {**arrays, 'batches': self.batches}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken."""
        for name, item in self._tensors().items():
            item.copy_(torch.from_numpy(np.array(state[name], np.float32)))
        self.batches = int(state['batches'])

    def _tensors(self) -> dict[str, Tensor]:
        return {'mean': self.mean, 'variance': self.variance, 'std': self.std}
