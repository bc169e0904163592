"""Exactly once: which transition enters the replay, and what is acknowledged.

Each stream is accepted in the order of its sequence, without gaps. What came before is a
duplicate, what comes too early waits. All that must outlast the process is kept by the replay.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum
import math

import numpy as np

from sac_learner.replay import Replay, ReplayError, ReplayFullDiskError, ReplayTransition
from sac_learner.replay.checks import check_sizes, LARGEST_SEQUENCE

LONGEST_NAME = 256
_ACTION_BOUND = 1.0 + 1e-4  # room for rounding on the agent's side


class Verdict(Enum):
    """What became of a transition."""

    ACCEPTED = 'accepted'
    DUPLICATE = 'duplicate'
    WAITING = 'waiting'  # kept in memory until the ones before it come
    AHEAD = 'ahead'  # too far ahead to be kept; it will come again
    POSTPONED = 'postponed'  # no room on the disk; it will come again
    REJECTED = 'rejected'  # malformed


@dataclass(frozen=True)
class Ack:
    """How far the learner has one stream."""

    stream: str
    received: int  # nothing is missing up to here
    durable: int  # nor can be lost


@dataclass(frozen=True, slots=True)
class _Offer:
    transition: ReplayTransition
    evaluation: bool


class Intake:
    """The only way into the replay for what comes over the network; for one thread."""

    def __init__(self, replay: Replay, *, window: int = 1024, max_streams: int = 256) -> None:
        """Go on where the replay is.

        Args:
            replay: Where accepted transitions go.
            window: Transitions per stream that are kept while earlier ones are missing.
            max_streams: Streams beyond which new ones are refused.

        Raises:
            ValueError: A number is out of range.
        """
        if window < 0 or max_streams < 1:
            raise ValueError(
                f'window must be >= 0 and max_streams >= 1, got {window} and {max_streams}'
            )
        self._replay = replay
        self._window = window
        self._max_streams = max_streams
        self._received = replay.received()
        self._waiting: dict[str, dict[int, _Offer]] = {stream: {} for stream in self._received}
        self.counts: Counter[Verdict] = Counter()
        self.reasons: Counter[str] = Counter()  # of rejections, by kind
        self.last_reason = ''  # of the newest rejection or postponement, in full

    @property
    def duplicates(self) -> int:
        """Transitions that came again."""
        return self.counts[Verdict.DUPLICATE]

    @property
    def rejected(self) -> int:
        """Malformed transitions."""
        return self.counts[Verdict.REJECTED]

    @property
    def waiting(self) -> int:
        """Transitions kept until earlier ones come."""
        return sum(len(offers) for offers in self._waiting.values())

    def offer(
        self, stream: str, transition: ReplayTransition, *, evaluation: bool = False
    ) -> Verdict:
        """Take a transition as it comes from the network, in any order and any number of times.

        Args:
            stream: Who recorded it, unique for ever.
            transition: Its content; may be malformed.
            evaluation: Acknowledge and remember it, and keep it out of the replay.
        """
        problem = self._problem(stream, transition)
        if problem is not None:
            return self.reject(*problem)
        sequence, received = transition.sequence, self._received.get(stream, 0)
        if sequence <= received or sequence in self._waiting.get(stream, ()):
            return self._count(Verdict.DUPLICATE)
        if sequence > received + 1 + self._window:
            return self._count(Verdict.AHEAD)
        waiting = self._waiting.setdefault(stream, {})
        waiting[sequence] = _Offer(transition, evaluation)
        try:
            self._drain(stream, waiting)
        except ReplayFullDiskError as error:
            self.last_reason = str(error)
            waiting.pop(sequence, None)
            return self._count(Verdict.POSTPONED)
        if sequence in waiting:
            return self._count(Verdict.WAITING)
        return self._count(Verdict.ACCEPTED)

    def reject(self, kind: str, reason: str) -> Verdict:
        """Count a malformed transition, also one that could not even be read."""
        self.reasons[kind] += 1
        self.last_reason = reason
        return self._count(Verdict.REJECTED)

    def adopt(self, stream: str, first_sequence: int) -> None:
        """Begin a stream at ``first_sequence``: whoever recorded it has no earlier ones.

        For an agent whose earlier transitions went to another run.

        Raises:
            ReplayError: Later ones were accepted before.
        """
        if first_sequence > self._received.get(stream, 0) + 1:
            self._replay.skip(stream, first_sequence - 1)
            self._received[stream] = first_sequence - 1
            waiting = self._waiting.setdefault(stream, {})
            for sequence in [key for key in waiting if key < first_sequence]:
                del waiting[sequence]
            self._drain(stream, waiting)

    def acks(self) -> list[Ack]:
        """Return how far each stream is."""
        durable = self._replay.durable()
        return [
            Ack(stream, received, durable.get(stream, 0))
            for stream, received in self._received.items()
        ]

    def _drain(self, stream: str, waiting: dict[int, _Offer]) -> None:
        """Move everything into the replay that is next in its stream."""
        while (offer := waiting.get(self._received.get(stream, 0) + 1)) is not None:
            sequence = offer.transition.sequence
            if offer.evaluation:
                self._replay.skip(stream, sequence)
            else:
                self._replay.append(stream, offer.transition)
            self._received[stream] = sequence
            del waiting[sequence]

    def _count(self, verdict: Verdict) -> Verdict:
        self.counts[verdict] += 1
        return verdict

    def _problem(self, stream: str, transition: ReplayTransition) -> tuple[str, str] | None:
        """Return kind and full text of what is wrong with a transition; None if it is sound."""
        if not 0 < len(stream) <= LONGEST_NAME or not stream.isprintable():
            return 'stream', (
                f'a stream needs a printable name of 1 to {LONGEST_NAME} characters, '
                f'got {stream[:32]!r}'
            )
        if stream not in self._waiting and len(self._waiting) >= self._max_streams:
            return 'stream', f'{stream!r} is one stream more than {self._max_streams}'
        if not 1 <= transition.sequence <= LARGEST_SEQUENCE:
            return 'sequence', (
                f'a sequence must lie in [1, {LARGEST_SEQUENCE}], got {transition.sequence}'
            )
        try:
            check_sizes(transition, self._replay.layout)
        except ReplayError as error:
            return 'shape', str(error)
        arrays = {name: getattr(transition, name) for name in ('vector', 'next_vector', 'action')}
        for name, array in arrays.items():
            if array.dtype != np.float32:
                return 'type', f'{name} must be float32, got {array.dtype}'
            if not np.isfinite(array).all():
                return 'finite', f'{name} must be finite, got {array}'
        if not math.isfinite(transition.reward) or abs(transition.reward) > 3e38:
            return 'finite', f'the reward must be a finite float32, got {transition.reward}'
        if np.abs(transition.action).max() > _ACTION_BOUND:
            return 'range', f'actions must lie in [-1, 1], got {transition.action}'
        return None
