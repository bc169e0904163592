"""The arrays of one sampled minibatch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sac_learner.replay.layout import Layout

Array = NDArray[np.float32]
Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ReplayBatch:
    """B transitions, ready for the update; the arrays are contiguous and may be reused."""

    vector: Array  # (B, V)
    image: Image | None  # (B, H, W, C), None without a camera
    action: Array  # (B, A)
    reward: Array  # (B,), n-step sum
    discount: Array  # (B,), discount ** steps, and 0 after a termination
    next_vector: Array  # (B, V), the last of the n steps
    next_image: Image | None  # (B, H, W, C)
    reward_weight: Array  # (B,), sum of the discounts of the n rewards; 1 for a single one

    @classmethod
    def empty(cls, batch_size: int, layout: Layout) -> ReplayBatch:
        """Return uninitialised arrays for ``batch_size`` transitions."""
        shape = None if layout.image_shape is None else (batch_size, *layout.image_shape)
        return cls(
            vector=np.empty((batch_size, layout.vector_size), np.float32),
            image=None if shape is None else np.empty(shape, np.uint8),
            action=np.empty((batch_size, layout.action_size), np.float32),
            reward=np.empty(batch_size, np.float32),
            discount=np.empty(batch_size, np.float32),
            next_vector=np.empty((batch_size, layout.vector_size), np.float32),
            next_image=None if shape is None else np.empty(shape, np.uint8),
            reward_weight=np.empty(batch_size, np.float32),
        )

    def part(self, start: int, stop: int) -> ReplayBatch:
        """Return rows ``start`` to ``stop`` as views."""
        rows = slice(start, stop)
        return ReplayBatch(
            vector=self.vector[rows],
            image=None if self.image is None else self.image[rows],
            action=self.action[rows],
            reward=self.reward[rows],
            discount=self.discount[rows],
            next_vector=self.next_vector[rows],
            next_image=None if self.next_image is None else self.next_image[rows],
            reward_weight=self.reward_weight[rows],
        )
