"""The replay: a ring of frames in files that one thread appends to and another samples from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sac_learner.replay.appending import store
from sac_learner.replay.batch import ReplayBatch
from sac_learner.replay.checks import check_sequence, check_sizes
from sac_learner.replay.durability import Durability
from sac_learner.replay.errors import ReplayError
from sac_learner.replay.fingerprint import fingerprint
from sac_learner.replay.layout import default_reserve, HEADER, Layout
from sac_learner.replay.recovery import find_lanes, note_boot, same_boot
from sac_learner.replay.sampling import Index, Sampler
from sac_learner.replay.state import Record
from sac_learner.replay.storage import create as create_files
from sac_learner.replay.storage import Storage
from sac_learner.replay.transition import ReplayMark, ReplayTransition


class Replay:
    """Transitions of any number of streams, each frame stored once.

    What is appended survives the process at once, and a power failure from the next
    :meth:`flush` on. A position counts slots from the first one ever written. One thread may
    append while another samples and a third flushes.
    """

    directory: Path
    layout: Layout
    _record: Record

    def __init__(
        self,
        directory: Path | str,
        capacity: int,
        vector_size: int,
        image_shape: tuple[int, int, int] | None,
        action_size: int,
        *,
        spec_hash: str = '',
        reserve: int | None = None,
        create: bool = True,
    ) -> None:
        """Make a new replay in ``directory``, or open the one there and check that it fits.

        Args:
            directory: Where the files lie; made if need be.
            capacity: Frames that can be sampled; a transition is one frame, and each segment
                starts with one more.
            vector_size: Floats per observation.
            image_shape: Height, width, channels; None without a camera.
            action_size: Floats per action.
            spec_hash: Identity of what the numbers mean, checked when the replay is opened.
            reserve: Slots beyond ``capacity``; None for a sensible number.
            create: Whether to make a replay where there is none.

        Raises:
            ReplayError: The replay there is damaged, differs, or belongs to another process.
            ValueError: A size is out of range.
        """
        wanted = Layout(
            capacity=capacity,
            reserve=default_reserve(capacity) if reserve is None else reserve,
            vector_size=vector_size,
            action_size=action_size,
            image_shape=image_shape,
            spec_hash=spec_hash,
        )
        directory = Path(directory)
        if create and not (directory / HEADER).exists():
            create_files(directory, wanted)
        self._open(directory)
        if self.layout != wanted:
            found = self.layout
            self.close()
            raise ReplayError(
                f'the replay in {directory} is {found}, this run needs {wanted}; '
                f'start a new run directory'
            )

    @classmethod
    def open(cls, directory: Path | str) -> Replay:
        """Open an existing replay, whatever its sizes.

        Raises:
            ReplayError: There is none, it is damaged, or it belongs to another process.
        """
        replay = cls.__new__(cls)
        replay._open(Path(directory))
        return replay

    @property
    def capacity(self) -> int:
        """Frames that can be sampled."""
        return self.layout.capacity

    @property
    def size(self) -> int:
        """Transitions that can be sampled."""
        return self._record.size

    @property
    def count(self) -> int:
        """Transitions appended so far."""
        return self._record.transitions

    @property
    def head(self) -> int:
        """Slots written so far."""
        return self._record.head

    def received(self) -> dict[str, int]:
        """Return, by stream, the highest sequence that was appended or skipped."""
        return {name: lane.received for name, lane in self._streams.lanes.items()}

    def durable(self) -> dict[str, int]:
        """Return, by stream, the highest sequence that a power failure cannot take."""
        return self._streams.durable()

    def mark(self) -> ReplayMark:
        """Return the present moment; call it in the thread that appends, or while it rests."""
        now = self._record
        return ReplayMark(now.head, now.transitions, now.size, self.received())

    def holds(self, mark: ReplayMark) -> bool:
        """Return whether everything that could be sampled at ``mark`` is still here."""
        return mark.head <= self.head and self.head + 2 <= mark.head + self.layout.reserve

    def append(self, stream: str, transition: ReplayTransition) -> int:
        """Store the next transition of ``stream`` and return its position.

        The observation is stored again only where it is not the stream's newest frame. Of a
        step whose first image never came, the last frame is kept and the step is not.

        Raises:
            ReplayError: The sequence was dealt with before, or sizes are wrong. Nothing changed.
            ReplayFullDiskError: There is no room. Nothing changed.
            OverflowError: The reward is beyond float32. Nothing changed.
        """
        lane = self._streams.lanes.get(stream) or self._streams.lane(stream)
        check_sequence(stream, transition.sequence, lane.received)
        check_sizes(transition, self.layout)
        head = self._record.head
        self._ring.make_room(head)
        if head + 2 > self._durability.head + self.layout.reserve:
            self.flush()  # what was flushed last must never be overwritten by what was not
        new = store(self._ring, lane, transition, self._record)
        self._state.publish(new)
        self._record = new
        self._streams.advance(lane, new.head - 1, transition)
        return new.head - 1

    def skip(self, stream: str, sequence: int) -> None:
        """Remember that everything of ``stream`` up to ``sequence`` is dealt with.

        For steps that are not stored, such as those of an evaluation.

        Raises:
            ReplayError: The sequence was dealt with before.
        """
        lane = self._streams.lane(stream)
        check_sequence(stream, sequence, lane.received)
        self._streams.skip(lane, sequence)

    def relabel(
        self,
        stream: str,
        sequences: int | Sequence[int] | NDArray[Any],
        reward: ArrayLike,
        terminated: ArrayLike | None = None,
    ) -> int:
        """Give stored transitions new labels and return how many were still there.

        Args:
            stream: Their stream.
            sequences: One or more of its sequences, (N,).
            reward: New rewards, (N,) or one for all.
            terminated: New flags, (N,) or one for all; None keeps them.
        """
        lane = self._streams.lanes.get(stream)
        if lane is None:
            return 0
        found = self._ring.relabel(self.positions(), lane.index, sequences, reward, terminated)
        self._durability.relabelled()
        return found

    def flush(self) -> None:
        """Wait until everything appended so far is on the disk; only what is new is written."""
        self._durability.flush(lambda: self._record)

    def rewind(self, mark: ReplayMark) -> None:
        """Forget everything after ``mark``, to repeat a run exactly from there.

        Raises:
            ReplayError: Frames of that moment have been overwritten since.
        """
        if not self.holds(mark):
            raise ReplayError(
                f'cannot go back from slot {self.head} to {mark.head}: about '
                f'{self.layout.reserve} slots are kept; save checkpoints more often'
            )
        unknown = sorted(set(mark.streams) - set(self._streams.lanes))
        if unknown:
            raise ReplayError(f'the replay has no streams {unknown}, it is not the one marked')
        with self._durability.lock:
            self._streams.rewind(mark.streams)
            self._record = record = Record(mark.head, mark.count, mark.size)
            self._state.publish(record)
            self._durability.rewind(record)
            find_lanes(self._ring, record, self._streams)

    def sample(
        self,
        batch_size: int,
        rng: np.random.Generator,
        *,
        n_step: int = 1,
        discount: float = 0.99,
        out: ReplayBatch | None = None,
        mark: ReplayMark | None = None,
    ) -> ReplayBatch:
        """Return transitions drawn uniformly, with replacement.

        Args:
            batch_size: B.
            rng: Where the randomness comes from.
            n_step: Steps of the return, at least 1.
            discount: Per control step, in [0, 1].
            out: Arrays to fill and return; None for new ones.
            mark: Sample as at that moment; None for now.

        Raises:
            ReplayError: There is nothing to sample, or the moment is gone.
        """
        batch = ReplayBatch.empty(batch_size, self.layout) if out is None else out
        while True:
            now = self._record
            head, size = (now.head, now.size) if mark is None else (mark.head, mark.size)
            if size < 1:
                raise ReplayError('the replay is empty: append transitions before sampling')
            if mark is not None and not self.holds(mark):
                raise ReplayError(f'frames from before slot {mark.head} have been overwritten')
            positions, origins = self._sampler.draw(
                rng, batch_size, self.layout.window_start(head), head
            )
            self._sampler.gather(positions, origins, head, n_step, discount, batch)
            # The writer may have reached the oldest frames of that window by now.
            if self.head + 2 <= head + self.layout.reserve:
                return batch

    def positions(self) -> Index:
        """Return the positions of all transitions that can be sampled, oldest first."""
        return self._sampler.valid(self.layout.window_start(self.head), self.head)

    def gather(
        self, positions: ArrayLike, *, n_step: int = 1, discount: float = 0.99
    ) -> ReplayBatch:
        """Return the transitions at ``positions``, which must be valid."""
        wanted = np.asarray(positions, np.int64)
        batch = ReplayBatch.empty(len(wanted), self.layout)
        origins = self._sampler.origins(wanted, self.head)
        self._sampler.gather(wanted, origins, self.head, n_step, discount, batch)
        return batch

    def identities(self, positions: ArrayLike) -> list[tuple[str, int]]:
        """Return stream and sequence of the transitions at ``positions``."""
        names = list(self._streams.lanes)
        meta = self._ring.meta[np.asarray(positions, np.int64) % self._ring.slots]
        return [(names[stream], int(sequence)) for sequence, stream, _ in meta.tolist()]

    def transitions_hash(self) -> str:
        """Return a hash of all that can be sampled; equal contents of all streams, equal hash."""
        streams = {name: lane.index for name, lane in self._streams.lanes.items()}
        return fingerprint(self._ring, streams, self.layout.window_start(self.head), self.head)

    def close(self) -> None:
        """Flush and let go of the files."""
        self.flush()
        del self._sampler
        self._storage.close()

    def _open(self, directory: Path) -> None:
        self.directory = directory
        self._storage = storage = Storage(directory)
        self.layout, self._record = storage.layout, storage.record
        self._ring, self._state, self._streams = storage.ring, storage.state, storage.streams
        self._sampler = Sampler(self.layout, self._ring.arrays)
        self._durability = Durability(self._ring, self._state, self._streams)
        if not same_boot(directory):
            self.flush()
            note_boot(directory)
