"""Sampling from two replays at once, half and half (Ball et al. 2023, RLPD, arXiv:2302.02948)."""

from __future__ import annotations

import numpy as np

from sac_learner.replay.batch import ReplayBatch
from sac_learner.replay.replay import Replay


class SymmetricReplay:
    """Draws each batch from what the robot did and from demonstrations."""

    def __init__(self, online: Replay, offline: Replay, offline_share: float = 0.5) -> None:
        """Combine two replays of the same sizes.

        Args:
            online: What the robot records.
            offline: Demonstrations or older data; not empty.
            offline_share: Part of a batch that comes from ``offline``, in [0, 1].

        Raises:
            ValueError: The replays do not fit together, or the share is out of range.
        """
        ours, theirs = online.layout, offline.layout
        for name in ('vector_size', 'action_size', 'image_shape'):
            if getattr(ours, name) != getattr(theirs, name):
                raise ValueError(
                    f'{name} of the demonstrations must be {getattr(ours, name)}, '
                    f'got {getattr(theirs, name)}'
                )
        if not 0.0 <= offline_share <= 1.0:
            raise ValueError(f'offline_share must lie in [0, 1], got {offline_share}')
        self.online = online
        self.offline = offline
        self.layout = ours
        self._share = offline_share

    @property
    def size(self) -> int:
        """Transitions of the robot that can be sampled."""
        return self.online.size

    @property
    def capacity(self) -> int:
        """Slots for the robot's transitions."""
        return self.online.capacity

    @property
    def count(self) -> int:
        """Transitions of the robot appended so far."""
        return self.online.count

    def sample(
        self,
        batch_size: int,
        rng: np.random.Generator,
        *,
        n_step: int = 1,
        discount: float = 0.99,
        out: ReplayBatch | None = None,
    ) -> ReplayBatch:
        """Return a batch whose first rows are the robot's and whose last ones demonstrations.

        While the robot has recorded nothing, all rows are demonstrations.

        Raises:
            ReplayError: The demonstrations are empty.
        """
        batch = ReplayBatch.empty(batch_size, self.layout) if out is None else out
        own = round(batch_size * (1.0 - self._share)) if self.online.size else 0
        for replay, start, stop in ((self.online, 0, own), (self.offline, own, batch_size)):
            if start < stop:
                part = batch.part(start, stop)
                replay.sample(stop - start, rng, n_step=n_step, discount=discount, out=part)
        return batch
