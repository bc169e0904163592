"""The transitions of one update."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

Array = npt.NDArray[Any]
Tensor = torch.Tensor

READ = 8  # batches that updates under way may still be reading when the next one is asked for


@dataclass(frozen=True)
class Batch:
    """B sampled transitions, numpy arrays or tensors.

    Attributes:
        vector: Vector observations, float32, shape (B, V).
        action: Applied actions in [-1, 1], float32, shape (B, A).
        reward: Sum of the n rewards discounted to the first step, float32, shape (B,).
        discount: gamma^n, and 0 where the task ended (never where it was merely cut), shape (B,).
        next_vector: Vector observations n steps later, shape (B, V).
        image: Images, uint8, shape (B, H, W, C), or None.
        next_image: Images n steps later, or None.
        reward_weight: Sum of the discounts of the n rewards, shape (B,), or None where each
            reward is a single one. Only a reward bias needs it.
    """

    vector: Array | Tensor
    action: Array | Tensor
    reward: Array | Tensor
    discount: Array | Tensor
    next_vector: Array | Tensor
    image: Array | Tensor | None = None
    next_image: Array | Tensor | None = None
    reward_weight: Array | Tensor | None = None


@dataclass(frozen=True)
class Inputs:
    """A batch as the objectives see it: tensors on the device, rewards shaped, vectors normalised.

    Attributes:
        vector: Normalised vectors, float32, shape (B, V).
        action: Actions, shape (B, A).
        reward: Scaled rewards, shape (B,).
        discount: Discounts, shape (B,).
        next_vector: Normalised vectors, shape (B, V).
        image: uint8 images as (B, C, H, W), or None.
        next_image: uint8 images as (B, C, H, W), or None.
    """

    vector: Tensor
    action: Tensor
    reward: Tensor
    discount: Tensor
    next_vector: Tensor
    image: Tensor | None = None
    next_image: Tensor | None = None


def tensor(value: Array | Tensor, device: torch.device) -> Tensor:
    """Return a float32 tensor that shares memory with `value` where it can."""
    if isinstance(value, np.ndarray):
        value = torch.from_numpy(np.ascontiguousarray(value))
    return value.to(device=device, dtype=torch.float32).contiguous()


def image_tensor(value: Array | Tensor, device: torch.device) -> Tensor:
    """Return uint8 images as (B, C, H, W), a view where possible."""
    if isinstance(value, np.ndarray):
        value = torch.from_numpy(np.ascontiguousarray(value))
    return value.to(device).permute(0, 3, 1, 2)
