"""Sliding window between journal and learner: what to send now, first or again.

Pure: no clock, no disk, no thread. Together with a receiver that ignores numbers it knows, every
transition arrives exactly once, whatever is dropped, doubled, reordered or restarted.
"""

from collections.abc import Callable, Sequence

Read = Callable[[int, int], Sequence[bytes]]

FIRST_BURST = 32
SILENCE = 4  # an acknowledgement should come within this many times `resend_after`


class Outbox:
    """The transitions of one stream on their way to one learner.

    Invariants: only journalled transitions are added; a number, once added, means one payload for
    ever; nothing beyond `received + window` is under way.
    """

    def __init__(
        self,
        read: Read,
        *,
        last: int = 0,
        received: int = 0,
        window: int = 512,
        resend_after: float = 0.5,
    ) -> None:
        """Begin with an empty window.

        Args:
            read: Returns payloads `first .. first + count - 1` from the journal.
            last: Highest number in the journal.
            received: What is known to need no sending, e.g. the durable mark of an earlier run.
            window: Transitions under way at most.
            resend_after: Send again what is not acknowledged after this time [s].

        Raises:
            ValueError: More is received than there is.
        """
        if not 0 <= received <= last:
            raise ValueError(f'received must lie in [0, last={last}], got {received}')
        self._read = read
        self._window = window
        self._resend_after = resend_after
        self.last = last
        self.received = received
        self.durable = received
        self._payloads: dict[int, bytes] = {}
        self._sent: dict[int, float] = {}
        self._next = received + 1
        self._burst = FIRST_BURST
        self._heard: float | None = None
        self._resent = float('-inf')
        self.resends = 0

    @property
    def unacknowledged(self) -> int:
        """Transitions that are not durable at the learner."""
        return self.last - self.durable

    def add(self, sequence: int, payload: bytes) -> None:
        """Take a transition that the journal holds.

        Raises:
            ValueError: The number does not follow the last one.
        """
        if sequence != self.last + 1:
            raise ValueError(f'sequence must be {self.last + 1}, got {sequence}')
        self.last = sequence
        # What does not fit the window is read back from the journal when its turn comes.
        if sequence <= self.received + self._window:
            self._payloads[sequence] = payload

    def on_ack(self, received: int, durable: int, now: float) -> None:
        """Take an acknowledgement; one that says less than before means a restarted learner.

        Args:
            received: Highest number below which the learner misses nothing.
            durable: The same, on its disk.
            now: Any monotonic time [s].

        Raises:
            ValueError: The learner has more than was ever sent, or the numbers contradict.
        """
        if not 0 <= durable <= received <= self.last:
            raise ValueError(
                f'acknowledged {durable} durable and {received} received transitions of '
                f'{self.last}; the learner knows another journal with the same stream id: begin '
                'a new stream'
            )
        self._heard = now
        self.durable = durable
        if received > self.received:
            for kept in (self._payloads, self._sent):
                for sequence in [s for s in kept if s <= received]:
                    del kept[sequence]
            self.received = received
            self._next = max(self._next, received + 1)
            if self._stale(now):
                # The learner is taking what was missing: go on at once, and faster.
                self._burst = min(2 * self._burst, self._window)
                self._resent = float('-inf')
            else:
                self._burst = FIRST_BURST
        elif received < self.received:
            self.received = received
            self._sent.clear()
            self._next = received + 1
            for sequence in [s for s in self._payloads if s > received + self._window]:
                del self._payloads[sequence]
            self._burst = FIRST_BURST

    def due(self, now: float) -> list[bytes]:
        """Return what to send now, oldest first; the caller sends all of it.

        Args:
            now: The monotonic time of `on_ack` [s].
        """
        sequences = self._missing(now)
        end = min(self.last, self.received + self._window)
        while self._next <= end:
            sequences.append(self._next)
            self._next += 1
        for sequence in sequences:
            self._sent[sequence] = now
        return self._load(sequences)

    def _missing(self, now: float) -> list[int]:
        # Acknowledgements are cumulative, so only the oldest are known to be missing. When nobody
        # listens, one is enough to find out when somebody does again.
        if now - self._resent < self._resend_after:
            return []
        silent = self._heard is None or now - self._heard > SILENCE * self._resend_after
        sequences = self._stale(now)[: 1 if silent else self._burst]
        if sequences:
            self._resent = now
            self.resends += len(sequences)
        return sequences

    def _stale(self, now: float) -> list[int]:
        stale = []
        for sequence in range(self.received + 1, self._next):
            if now - self._sent[sequence] < self._resend_after:
                break
            stale.append(sequence)
        return stale

    def _load(self, sequences: list[int]) -> list[bytes]:
        first = 0
        while first < len(sequences):
            if sequences[first] in self._payloads:
                first += 1
                continue
            count = 1
            while (
                first + count < len(sequences)
                and sequences[first + count] == sequences[first] + count
                and sequences[first + count] not in self._payloads
            ):
                count += 1
            for offset, payload in enumerate(self._read(sequences[first], count)):
                self._payloads[sequences[first] + offset] = payload
            first += count
        return [self._payloads[sequence] for sequence in sequences]
