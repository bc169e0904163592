"""The slots of a replay: frames, transitions and the links between them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
import struct
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sac_learner.replay.files import MappedArray
from sac_learner.replay.layout import flags, Layout, META, NO_TRANSITION, TERMINATED
from sac_learner.replay.transition import ReplayTransition

_BLOCK = 1024  # slots whose disk space is reserved at a time
_META = struct.Struct('<QHB')
_FLOAT = np.dtype('<f4')


class Ring:
    """Slots in memory-mapped files, addressed by position modulo their number."""

    def __init__(self, directory: Path, layout: Layout) -> None:
        """Map the files that ``layout`` names.

        Raises:
            ReplayError: A file is missing or its size is wrong.
        """
        self.layout = layout
        self.slots = layout.slots
        self.mapped = {
            name: MappedArray(directory / name, dtype, shape, create=False)
            for name, (dtype, shape) in layout.arrays().items()
        }
        arrays = self.arrays = {name: mapped.array for name, mapped in self.mapped.items()}
        self.rows, self.meta, self.back = arrays['rows'], arrays['meta'], arrays['back']
        self.images = arrays.get('images')
        # Python's own views are several times quicker than NumPy's for single slots.
        vector, action = 4 * layout.vector_size, 4 * layout.action_size
        self._row = struct.Struct(f'<{vector}s{action}sff')
        self._vector_bytes = vector
        self._rows = self.mapped['rows'].buffer
        self._back = memoryview(self.mapped['back'].buffer).cast('I')
        self._forward = memoryview(self.mapped['forward'].buffer).cast('I')
        self._meta = self.mapped['meta'].buffer
        self._allocated = 0

    def put_frame(
        self,
        position: int,
        vector: NDArray[Any],
        image: NDArray[Any] | None,
        sequence: int,
        stream: int,
        flags: int,
    ) -> None:
        """Store a frame without a transition."""
        slot = position % self.slots
        self._row.pack_into(self._rows, slot * self._row.size, _bytes(vector), b'', 0.0, 0.0)
        self._put(slot, image, NO_TRANSITION, (sequence, stream, flags))

    def put_step(self, position: int, previous: int, step: ReplayTransition, stream: int) -> None:
        """Store the transition from the frame at ``previous``, and the frame it leads to."""
        slot, distance = position % self.slots, position - previous
        vector, action = _bytes(step.next_vector), _bytes(step.action)
        continues = not step.terminated
        row = self._row
        row.pack_into(self._rows, slot * row.size, vector, action, step.reward, continues)
        kind = flags(step.terminated, step.truncated, step.train)
        self._put(slot, step.next_image, distance, (step.sequence, stream, kind))
        self._forward[previous % self.slots] = distance

    def leads_on(self, position: int, head: int) -> bool:
        """Return whether a transition below ``head`` starts at the frame at ``position``."""
        distance = self._forward[position % self.slots]
        following = position + distance
        return distance > 0 and following < head and self._back[following % self.slots] == distance

    def holds_frame(self, position: int, vector: NDArray[Any], image: NDArray[Any] | None) -> bool:
        """Return whether the frame at ``position`` is this one, bit for bit."""
        slot = position % self.slots
        start = slot * self._row.size
        if self._rows[start : start + self._vector_bytes] != _bytes(vector):
            return False
        if self.images is None or image is None:
            return True
        return bool(np.array_equal(self.images[slot], image.reshape(-1)))

    def image(self, position: int) -> NDArray[Any] | None:
        """Return the pixels of a frame, a view; None without a camera."""
        return None if self.images is None else self.images[position % self.slots]

    def origin(self, position: int) -> tuple[int, int, int]:
        """Return sequence, stream and flags of a slot."""
        sequence, stream, flags = self.meta[position % self.slots].item()
        return sequence, stream, flags

    def newest(self, stream: int, low: int, head: int) -> int:
        """Return the position of the newest slot of ``stream`` in [low, head); -1 without one."""
        positions = np.arange(low, head)
        own = np.flatnonzero(self.meta['stream'][positions % self.slots] == stream)
        return int(positions[own[-1]]) if own.size else -1

    def relabel(
        self,
        positions: NDArray[np.int64],
        stream: int,
        sequences: int | Sequence[int] | NDArray[Any],
        reward: ArrayLike,
        terminated: ArrayLike | None,
    ) -> int:
        """Give those transitions at ``positions`` new labels that are listed; return how many.

        Args:
            positions: Where to look, (P,).
            stream: Index of theirs.
            sequences: One or more, (N,).
            reward: New rewards, (N,) or one for all.
            terminated: New flags, (N,) or one for all; None keeps them.
        """
        listed = np.atleast_1d(np.asarray(sequences))
        rewards = np.broadcast_to(np.asarray(reward, np.float32), listed.shape)
        ends = None
        if terminated is not None:
            ends = np.broadcast_to(np.asarray(terminated, bool), listed.shape)
        slots = positions % self.slots
        meta = self.meta[slots]
        slots = slots[(meta['stream'] == stream) & np.isin(meta['sequence'], listed)]
        wanted, order = np.unique(listed, return_index=True)
        which = order[np.searchsorted(wanted, self.meta['sequence'][slots])]
        self.rows[slots, -2] = rewards[which]
        if ends is not None:
            ended = ends[which]
            self.rows[slots, -1] = np.where(ended, 0.0, 1.0)
            kept = self.meta['flags'][slots] & ~np.uint8(TERMINATED)
            self.meta['flags'][slots] = np.where(ended, kept | TERMINATED, kept)
        return len(slots)

    def make_room(self, head: int) -> None:
        """Have disk space for two more slots; costs something every thousand slots only.

        Raises:
            ReplayFullDiskError: There is none.
        """
        if head + 2 <= self._allocated:
            return
        start = min(head, self.slots)
        stop = min(start + _BLOCK, self.slots)
        if start < stop:
            for mapped in self.mapped.values():
                mapped.allocate(start, stop)
        self._allocated = stop if stop < self.slots else 2**63  # the ring is round

    def sync(self) -> None:
        """Wait until all slots are on the disk; only changed pages are written."""
        for mapped in self.mapped.values():
            mapped.sync()

    def close(self) -> None:
        """Unmap the files."""
        self.arrays.clear()
        del self.rows, self.meta, self.back, self.images, self._rows
        self._back.release()
        self._forward.release()
        for mapped in self.mapped.values():
            mapped.close()

    def _put(
        self, slot: int, image: NDArray[Any] | None, distance: int, meta: tuple[int, int, int]
    ) -> None:
        if self.images is not None and image is not None:
            self.images[slot] = image.reshape(-1)
        self._back[slot] = distance
        self._forward[slot] = 0
        _META.pack_into(self._meta, slot * META.itemsize, *meta)


def _bytes(numbers: NDArray[Any]) -> bytes:
    if numbers.dtype != _FLOAT:
        numbers = numbers.astype(_FLOAT)
    return numbers.tobytes()
