"""Uniform sampling of transitions, and the gathering of their frames."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sac_learner.replay.batch import ReplayBatch
from sac_learner.replay.errors import ReplayError
from sac_learner.replay.layout import Layout

Index = NDArray[np.int64]
Data = dict[str, np.ndarray[Any, Any]]


class Sampler:
    """Reads transitions out of the arrays of a replay; made for one thread."""

    def __init__(self, layout: Layout, data: Data) -> None:
        """Read from ``data``, the arrays that ``layout`` names."""
        self._layout = layout
        self._slots = layout.slots
        self._rows = data['rows']
        self._back = data['back']
        self._forward = data['forward']
        self._images = data.get('images')
        self._scratch = np.empty((2, 0, layout.row_size), np.float32)

    def valid(self, low: int, head: int) -> Index:
        """Return the positions of all transitions whose two frames lie in [low, head)."""
        positions = np.arange(low, head, dtype=np.int64)
        return positions[self.origins(positions, head) >= low]

    def draw(
        self, rng: np.random.Generator, batch_size: int, low: int, head: int
    ) -> tuple[Index, Index]:
        """Return ``batch_size`` positions, uniform over the transitions in [low, head).

        Slots that hold no such transition are drawn again. The second array says where each
        transition came from.
        """
        positions = _uniform(rng, batch_size, low, head)
        for _ in range(64):
            origins = self.origins(positions, head)
            if origins.min() >= low:
                return positions, origins
            refused = np.flatnonzero(origins < low)
            positions[refused] = _uniform(rng, refused.size, low, head)
        # Nearly every slot holds none: look for those that do.
        refused = np.flatnonzero(self.origins(positions, head) < low)
        valid = self.valid(low, head)
        if not valid.size:
            raise ReplayError(f'none of the {head - low} slots holds a transition')
        positions[refused] = valid[rng.integers(0, valid.size, refused.size)]
        return positions, self.origins(positions, head)

    def gather(
        self,
        positions: Index,
        origins: Index,
        head: int,
        n_step: int,
        discount: float,
        out: ReplayBatch,
    ) -> None:
        """Fill ``out`` with the transitions that lead from ``origins`` to ``positions``.

        The n-step return ends at a termination, at a truncation (which keeps the value of the
        true last frame), at the end of a segment, and at ``head``.
        """
        layout = self._layout
        batch_size = len(positions)
        if self._scratch.shape[1] < batch_size:
            self._scratch = np.empty((2, batch_size, layout.row_size), np.float32)
        start, step = self._scratch[0, :batch_size], self._scratch[1, :batch_size]
        slots, origins = self._in_ring(positions, head), self._in_ring(origins, head)
        self._rows.take(slots, 0, step, 'clip')
        self._rows.take(origins, 0, start, 'clip')
        vector, action = layout.vector_size, layout.action_size
        out.vector[...] = start[:, :vector]
        out.action[...] = step[:, vector : vector + action]
        if n_step == 1:
            out.reward[...] = step[:, -2]
            np.multiply(step[:, -1], discount, out=out.discount)
            out.reward_weight.fill(1.0)
            out.next_vector[...] = step[:, :vector]
        else:
            ends = self._follow(positions, step, start, head, n_step, discount, out)
            slots = self._in_ring(ends, head)
            self._rows.take(slots, 0, step, 'clip')
            out.next_vector[...] = step[:, :vector]
        if self._images is not None and out.image is not None and out.next_image is not None:
            self._images.take(origins, 0, out.image.reshape(batch_size, -1), 'clip')
            self._images.take(slots, 0, out.next_image.reshape(batch_size, -1), 'clip')

    def origins(self, positions: Index, head: int) -> Index:
        """Return where transitions came from; far below zero for slots without a transition."""
        return positions - self._back.take(self._in_ring(positions, head))

    def _in_ring(self, positions: Index, head: int) -> Index:
        """Return the slots at ``positions``, in [0, head)."""
        return positions if head <= self._slots else positions % self._slots

    def _follow(
        self,
        positions: Index,
        first: np.ndarray[Any, Any],
        rows: np.ndarray[Any, Any],
        head: int,
        n_step: int,
        discount: float,
        out: ReplayBatch,
    ) -> Index:
        """Sum rewards over the next steps and return the positions of the last ones.

        ``first`` are the rows at ``positions``; ``rows`` is scratch space of the same shape.
        """
        ends = positions.copy()
        reward = first[:, -2].astype(np.float64)
        weight = discount * first[:, -1].astype(np.float64)
        total = np.ones_like(weight)
        active = weight > 0.0
        for _ in range(n_step - 1):
            distance = self._forward.take(ends % self._slots)
            following = ends + distance
            active &= (distance > 0) & (following < head)
            following = np.where(active, following, ends)
            slots = following % self._slots
            # A link is only real if the other end says the same.
            active &= self._back.take(slots) == distance
            if not active.any():
                break
            self._rows.take(slots, 0, rows, 'clip')
            reward += np.where(active, weight * rows[:, -2], 0.0)
            total += np.where(active, weight, 0.0)
            weight = np.where(active, weight * discount * rows[:, -1], weight)
            ends = np.where(active, following, ends)
            active &= weight > 0.0
        out.reward[...] = reward
        out.discount[...] = weight
        out.reward_weight[...] = total
        return ends


def _uniform(rng: np.random.Generator, count: int, low: int, head: int) -> Index:
    """Return numbers in [low, head); several times quicker than ``rng.integers``."""
    numbers: Index = (rng.random(count) * (head - low)).astype(np.int64)
    numbers += low
    return numbers
