"""Exactly once: which transition enters the replay, and what is acknowledged.

Each stream is accepted in the order of its sequence, without gaps. What came before is a
duplicate, what comes too early waits. A number whose transition is malformed is passed over once
that is certain, so that one bad step does not hold up all that follow. All that must outlast the
process is kept by the replay.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
import math

import numpy as np

from sac_learner.replay import Replay, ReplayError, ReplayFullDiskError, ReplayTransition
from sac_learner.replay.checks import check_sizes, LARGEST_SEQUENCE

LONGEST_NAME = 256
CERTAIN = 3
"""Arrivals of a malformed transition, the next of its stream, after which it is passed over: an
agent sends again what is not acknowledged, so a message damaged on its way comes whole then."""

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


@dataclass(frozen=True)
class Passed:
    """A transition that was acknowledged although it is not in the replay."""

    stream: str
    sequence: int
    kind: str  # of what is wrong with it, one word
    reason: str  # in full


@dataclass(slots=True)
class _Malformed:
    """The malformed transition that is next in its stream."""

    passed: Passed
    arrivals: int = 0


class Intake:
    """The only way into the replay for what comes over the network; for one thread."""

    def __init__(
        self,
        replay: Replay,
        *,
        window: int = 1024,
        max_streams: int = 256,
        on_passed: Callable[[Passed], None] = lambda passed: None,
    ) -> None:
        """Go on where the replay is.

        Args:
            replay: Where accepted transitions go.
            window: Transitions per stream that are kept while earlier ones are missing.
            max_streams: Streams beyond which new ones are refused.
            on_passed: Called for each transition that is passed over.

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
        self._on_passed = on_passed
        self._received = replay.received()
        # What waits: None stands for a step that is dealt with, but kept out of the replay.
        self._waiting: dict[str, dict[int, ReplayTransition | None]] = {
            stream: {} for stream in self._received
        }
        self._malformed: dict[str, _Malformed] = {}
        self.counts: Counter[Verdict] = Counter()
        self.reasons: Counter[str] = Counter()  # of rejections, by kind
        self.last_reason = ''  # of the newest rejection or postponement, in full
        self.postponed = ''  # why transitions have to wait for the disk, empty if they need not
        self.passed = 0  # malformed transitions that were acknowledged

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

    def received(self, stream: str) -> int:
        """Return the highest sequence of a stream below which nothing is missing."""
        return self._received.get(stream, 0)

    def offer(
        self, stream: str, transition: ReplayTransition, *, evaluation: bool = False
    ) -> Verdict:
        """Take a transition as it comes from the network, in any order and any number of times.

        Args:
            stream: Who recorded it, unique for ever.
            transition: Its content; may be malformed.
            evaluation: Acknowledge and remember it, and keep it out of the replay.
        """
        problem = self._identity_problem(stream, transition.sequence)
        if problem is not None:
            return self.reject(*problem)
        problem = self._problem(transition)
        if problem is not None:
            return self.reject(*problem, stream=stream, sequence=transition.sequence)
        sequence, received = transition.sequence, self._received.get(stream, 0)
        if sequence <= received or sequence in self._waiting.get(stream, ()):
            return self._count(Verdict.DUPLICATE)
        if sequence > received + 1 + self._window:
            return self._count(Verdict.AHEAD)
        waiting = self._waiting.setdefault(stream, {})
        waiting[sequence] = None if evaluation else transition
        try:
            self._drain(stream, waiting)
            self._pass_if_certain(stream)
            self.postponed = ''
        except ReplayFullDiskError as error:
            self.last_reason = self.postponed = str(error)
            waiting.pop(sequence, None)
            return self._count(Verdict.POSTPONED)
        if sequence in waiting:
            return self._count(Verdict.WAITING)
        return self._count(Verdict.ACCEPTED)

    def reject(self, kind: str, reason: str, *, stream: str = '', sequence: int = 0) -> Verdict:
        """Count a malformed transition, also one that could not even be read.

        Args:
            kind: What is wrong, one word.
            reason: In full.
            stream: Who recorded it, if that much is known.
            sequence: Its number. If it is the next of its stream and comes again and again, or
                many that follow it wait, it is passed over.
        """
        self.reasons[kind] += 1
        self.last_reason = reason
        known = self._identity_problem(stream, sequence) is None
        if known and sequence == self._received.get(stream, 0) + 1:
            malformed = self._malformed.get(stream)
            if malformed is None or malformed.passed.sequence != sequence:
                passed = Passed(stream, sequence, kind, reason)
                malformed = self._malformed[stream] = _Malformed(passed)
            malformed.arrivals += 1
            self._waiting.setdefault(stream, {})
            try:
                self._pass_if_certain(stream)
            except ReplayFullDiskError as error:
                self.last_reason = str(error)  # what waits behind it is taken later
        return self._count(Verdict.REJECTED)

    def pass_over(self, stream: str, sequence: int, kind: str, reason: str) -> None:
        """Acknowledge the next transition of a stream without storing it.

        Raises:
            ReplayFullDiskError: There is no room for those that waited for it; it is passed over
                all the same.
        """
        self.passed += 1
        self._malformed.pop(stream, None)
        waiting = self._waiting.setdefault(stream, {})
        waiting[sequence] = None
        self._on_passed(Passed(stream, sequence, kind, reason))
        self._drain(stream, waiting)

    def adopt(self, stream: str, first_sequence: int) -> int:
        """Begin a stream at ``first_sequence``: whoever recorded it has no earlier ones any more.

        Returns:
            How many transitions will therefore never come.

        Raises:
            ReplayFullDiskError: There is no room for those that waited.
        """
        missing = first_sequence - 1 - self._received.get(stream, 0)
        if missing < 1 or self._identity_problem(stream, first_sequence) is not None:
            return 0
        self._replay.skip(stream, first_sequence - 1)
        self._received[stream] = first_sequence - 1
        waiting = self._waiting.setdefault(stream, {})
        for sequence in [key for key in waiting if key < first_sequence]:
            del waiting[sequence]
        self._drain(stream, waiting)
        return missing

    def acks(self) -> list[Ack]:
        """Return how far each stream is."""
        durable = self._replay.durable()
        return [
            Ack(stream, received, durable.get(stream, 0))
            for stream, received in self._received.items()
        ]

    def _pass_if_certain(self, stream: str) -> None:
        malformed = self._malformed.get(stream)
        if malformed is None:
            return
        passed = malformed.passed
        if passed.sequence <= self._received.get(stream, 0):
            del self._malformed[stream]  # a sound one came
        elif (
            malformed.arrivals >= CERTAIN
            or len(self._waiting[stream]) > self._window // 2  # nobody sends again
        ):
            self.pass_over(stream, passed.sequence, passed.kind, passed.reason)

    def _drain(self, stream: str, waiting: dict[int, ReplayTransition | None]) -> None:
        """Move everything into the replay that is next in its stream."""
        while (sequence := self._received.get(stream, 0) + 1) in waiting:
            transition = waiting[sequence]
            if transition is None:
                self._replay.skip(stream, sequence)
            else:
                self._replay.append(stream, transition)
            self._received[stream] = sequence
            del waiting[sequence]

    def _count(self, verdict: Verdict) -> Verdict:
        self.counts[verdict] += 1
        return verdict

    def _identity_problem(self, stream: str, sequence: int) -> tuple[str, str] | None:
        """Return kind and full text of why a transition cannot be told from others, or None."""
        if not 0 < len(stream) <= LONGEST_NAME or not stream.isprintable():
            return 'stream', (
                f'a stream needs a printable name of 1 to {LONGEST_NAME} characters, '
                f'got {stream[:32]!r}'
            )
        if stream not in self._waiting and len(self._waiting) >= self._max_streams:
            return 'stream', f'{stream!r} is one stream more than {self._max_streams}'
        if not 1 <= sequence <= LARGEST_SEQUENCE:
            return 'sequence', f'a sequence must lie in [1, {LARGEST_SEQUENCE}], got {sequence}'
        return None

    def _problem(self, transition: ReplayTransition) -> tuple[str, str] | None:
        """Return kind and full text of what is wrong with a transition; None if it is sound."""
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
