"""What happens in the courier's thread: what came is written, committed, and only then sent."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
import logging
import time
from typing import NamedTuple

from sac_agent.journal.errors import JournalError
from sac_agent.journal.journal import Journal, TOPICS
from sac_agent.journal.outbox import Outbox
from sac_core.bag import BagError
from sac_core.bag.transitions import TRANSITION

SAVE_PERIOD = 1.0  # [s] between two notes of the durable mark
RETRY_PERIOD = 0.5  # [s] between two attempts on a full disk
LOG = logging.getLogger(__name__)


class Entry(NamedTuple):
    """A message to record; a transition where there is no topic."""

    topic: str | None
    payload: bytes
    evaluation: bool
    stamp: int


class Topic(NamedTuple):
    """A further topic of the bag."""

    name: str
    type_name: str
    latched: bool


class Ack(NamedTuple):
    """What the learner has."""

    received: int
    durable: int


Item = Entry | Topic | Ack


@dataclass(frozen=True)
class CourierStatus:
    """What there is to report.

    Attributes:
        first: Lowest number in the journal.
        recorded: Highest number in the journal.
        received: Highest number below which the learner misses nothing.
        durable: The same, on the learner's disk.
        waiting: Transitions that wait for the disk.
        resends: Transitions sent once more.
        problem: What a person has to know, empty if all is well.
    """

    first: int = 1
    recorded: int = 0
    received: int = 0
    durable: int = 0
    waiting: int = 0
    resends: int = 0
    problem: str = ''


class Dispatcher:
    """Journal and outbox, worked by one thread.

    Attributes:
        status: The newest account, replaced as a whole, so that any thread may read it.
        disk_problem: Why nothing can be written at present, '' if all is well.
    """

    def __init__(self, journal: Journal, publish: Callable[[bytes], None]) -> None:
        """Begin where the journal ends.

        Args:
            journal: Where transitions are kept; this object finishes it.
            publish: Sends one serialised transition.
        """
        self._journal, self._publish = journal, publish
        config = journal.config
        self._outbox = Outbox(
            journal.read,
            last=journal.last_sequence,
            received=min(journal.durable, journal.last_sequence),
            window=config.window,
            resend_after=config.resend_after,
        )
        self._topics = {name: type_name for name, (type_name, _) in TOPICS.items()}
        self.disk_problem = ''
        self._failure = self._learner_problem = self._send_problem = ''
        self._uncommitted: list[tuple[int, bytes]] = []
        self._dirty = False
        self._retry = 0.0
        self._saved = 0.0
        self._saved_mark = self._outbox.durable
        self._report()

    def step(self, items: Iterable[Item], *, last: bool = False) -> None:
        """Do what is due.

        Args:
            items: What came since the last step.
            last: No further step follows: write the rest, send nothing, finish the bag.
        """
        now = time.monotonic()
        for item in items:
            if isinstance(item, Entry):
                self._write(item)
            elif isinstance(item, Ack):
                self._on_ack(item, now)
            else:
                self._topics[item.name] = item.type_name
                self._journal.add_topic(item.name, item.type_name, latched=item.latched)
        if self._dirty and (now >= self._retry or last):
            self._commit(now)
        if not last:
            self._send(now)
        self._save(now)
        self._report()
        if last:
            self._finish()

    def fail(self, reason: str) -> None:
        """Report what ended the thread."""
        self._failure = reason
        self._report()

    def _write(self, entry: Entry) -> None:
        self._dirty = True
        if entry.topic is not None:
            try:
                kind = self._topics[entry.topic]
                payload = self._journal.definitions.canonical(entry.payload, kind)
            except BagError as error:
                LOG.warning('a message on %s is not recorded: %s', entry.topic, error)
                return
            self._journal.write(entry.topic, entry.stamp, payload)
            return
        payload = self._journal.definitions.canonical(entry.payload, TRANSITION)
        found = self._journal.write_transition(entry.stamp, payload, evaluation=entry.evaluation)
        self._uncommitted.append((found.sequence, payload))

    def _commit(self, now: float) -> None:
        try:
            self._journal.commit()
        except OSError as error:
            self.disk_problem = f'the journal cannot be written: {error}'
            self._retry = now + RETRY_PERIOD
            return
        self.disk_problem = ''
        self._dirty = False
        for sequence, payload in self._uncommitted:
            self._outbox.add(sequence, payload)
        self._uncommitted.clear()

    def _on_ack(self, ack: Ack, now: float) -> None:
        try:
            self._outbox.on_ack(ack.received, ack.durable, now)
            self._journal.durable = self._outbox.durable
            self._learner_problem = ''
        except ValueError as error:
            self._learner_problem = str(error)

    def _send(self, now: float) -> None:
        try:
            payloads = self._outbox.due(now)
        except JournalError as error:
            self._learner_problem = str(error)
            return
        try:
            for payload in payloads:
                self._publish(payload)
            if payloads:
                self._send_problem = ''
        except Exception as error:  # of the middleware; what it did not take is sent again
            self._send_problem = f'transitions cannot be sent: {error}'

    def _save(self, now: float) -> None:
        if self._outbox.durable != self._saved_mark and now - self._saved >= SAVE_PERIOD:
            self._saved = now
            try:
                self._journal.save(self._outbox.durable)
                self._saved_mark = self._outbox.durable
            except OSError as error:
                self.disk_problem = f'the journal cannot be written: {error}'

    def _report(self) -> None:
        self.status = CourierStatus(
            first=self._journal.first_sequence,
            recorded=self._outbox.last,
            received=self._outbox.received,
            durable=self._outbox.durable,
            waiting=len(self._uncommitted),
            resends=self._outbox.resends,
            problem=self._failure
            or self.disk_problem
            or self._learner_problem
            or self._send_problem,
        )

    def _finish(self) -> None:
        try:
            self._journal.close()
        except OSError as error:
            self.disk_problem = f'the journal could not be finished: {error}'
            self._report()
