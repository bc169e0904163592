"""Journal and outbox in their own thread, so that the control thread only ever hands over."""

from collections.abc import Callable
from dataclasses import dataclass
import logging
from pathlib import Path
import queue
import threading
import time
from typing import NamedTuple

from sac_agent.journal.errors import JournalError, JournalFullError
from sac_agent.journal.journal import Journal, TOPICS
from sac_agent.journal.outbox import Outbox
from sac_agent.journal.settings import JournalConfig
from sac_core.bag import BagError, Definitions
from sac_core.bag.transitions import TRANSITION

SAVE_PERIOD = 1.0  # [s] between two notes of the durable mark
RETRY_PERIOD = 0.5  # [s] between two attempts on a full disk
LOG = logging.getLogger(__name__)


class _Entry(NamedTuple):
    topic: str | None
    payload: bytes
    evaluation: bool
    stamp: int


class _Topic(NamedTuple):
    name: str
    type_name: str
    latched: bool


class _Ack(NamedTuple):
    received: int
    durable: int


_Item = _Entry | _Topic | _Ack


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


class Courier:
    """Records a run and brings its transitions to the learner.

    The control thread calls `transition`, `record` and `on_ack`, none of which waits for disk or
    network. The courier's thread writes what came, commits, and only then sends; it calls
    `publish`, which rclpy publishers allow from any thread.

    On a full disk it holds up to `config.hold` transitions in memory, tries again twice a second
    and sends none of them; then `transition` raises JournalFullError and `status().problem` says
    so. The robot may go on acting, but those steps leave no data.
    """

    def __init__(
        self,
        directory: Path,
        agent_id: str,
        publish: Callable[[bytes], None],
        config: JournalConfig | None = None,
        *,
        transition_topic: str = '/transition',
        definitions: Definitions | None = None,
    ) -> None:
        """Open the journal and start the thread.

        Args:
            directory: The bag, e.g. ``RUN_DIR/bags/<agent_id>``.
            agent_id: Name of the robot.
            publish: Sends one serialised transition.
            config: Parameters.
            transition_topic: Topic of the transitions in the bag.
            definitions: Where message definitions come from; default the installed packages.

        Raises:
            JournalError: The journal belongs to another agent or process, or is damaged.
            OSError: The disk does not take it.
        """
        self._config = config or JournalConfig()
        self._publish = publish
        self._journal = Journal(
            directory,
            agent_id,
            self._config,
            transition_topic=transition_topic,
            definitions=definitions,
        )
        self._definitions = self._journal.definitions
        self._topics = {name: type_name for name, (type_name, _) in TOPICS.items()}
        self.stream_id = self._journal.stream_id
        self.next_sequence = self._journal.last_sequence + 1
        self.next_episode = self._journal.next_episode
        self.training_steps = self._journal.training_steps
        self._outbox = Outbox(
            self._journal.read,
            last=self._journal.last_sequence,
            received=min(self._journal.durable, self._journal.last_sequence),
            window=self._config.window,
            resend_after=self._config.resend_after,
        )
        self._entries: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._clock = _RecordingClock()
        self._status = CourierStatus(
            self._journal.first_sequence,
            self._outbox.last,
            self._outbox.received,
            self._outbox.durable,
        )
        self._failure = self._disk_problem = self._learner_problem = self._send_problem = ''
        self._uncommitted: list[tuple[int, bytes]] = []
        self._dirty = False
        self._retry = 0.0
        self._saved = 0.0
        self._saved_mark = self._outbox.durable
        self._closed = False
        self._thread = threading.Thread(target=self._run, name='courier', daemon=True)
        self._thread.start()

    def add_topic(self, name: str, type_name: str, *, latched: bool = False) -> None:
        """Announce a further topic of the bag; those of `TOPICS` are known already.

        Args:
            name: Absolute name.
            type_name: Its message type.
            latched: Whether a player of the bag has to publish it latched.

        Raises:
            JournalError: The type is unknown, the courier is closed, or its thread has failed.
        """
        self._check()
        try:
            self._definitions.get(type_name)
        except BagError as error:
            raise JournalError(str(error)) from error
        self._topics[name] = type_name
        self._entries.put(_Topic(name, type_name, latched))

    def transition(self, payload: bytes, *, evaluation: bool = False) -> None:
        """Hand over the serialised transition that carries number `next_sequence`.

        Args:
            payload: ``rclpy.serialization.serialize_message(transition)``; what is recorded and
                sent is its canonical form, see `Definitions.canonical`.
            evaluation: The value of its field.

        Raises:
            JournalFullError: Disk and memory are full; the transition is not recorded and its
                number is still free.
            JournalError: The courier is closed or its thread has failed.
        """
        self._check()
        if self.next_sequence - 1 - self._status.recorded >= self._config.hold:
            raise JournalFullError(
                f'{self._config.hold} transitions wait for the disk and no more are kept '
                f'({self._status.problem or "the disk is too slow"}); make room on it'
            )
        self._entries.put(_Entry(None, payload, evaluation, self._clock.now()))
        self.next_sequence += 1
        self.training_steps += not evaluation

    def record(self, topic: str, payload: bytes) -> None:
        """Hand over a message of a further topic; while the disk is full it is left out.

        Raises:
            JournalError: The topic was not announced, the courier is closed, or its
                thread has failed.
        """
        self._check()
        if topic not in self._topics:
            raise JournalError(
                f'topic {topic!r} is not recorded; there are {sorted(self._topics)}'
            )
        if not self._disk_problem:
            self._entries.put(_Entry(topic, payload, False, self._clock.now()))

    def on_ack(self, received: int, durable: int) -> None:
        """Take an acknowledgement of this stream from the learner."""
        self._entries.put(_Ack(received, durable))

    def status(self) -> CourierStatus:
        """Return the newest account."""
        return self._status

    def close(self, timeout: float = 10.0) -> None:
        """Write the rest, finish the bag, end the thread; what is not sent waits for the next run.

        Args:
            timeout: Time the disk may take [s].
        """
        if not self._closed:
            self._closed = True
            self._entries.put(None)
            self._thread.join(timeout)

    def _check(self) -> None:
        if self._closed or not self._thread.is_alive():
            raise JournalError(
                'the journal is closed' if self._closed else f'the journal failed: {self._failure}'
            )

    def _run(self) -> None:
        try:
            while self._step():
                pass
        except Exception as error:
            # The control thread finds the thread dead and the reason here.
            LOG.exception('the journal failed')
            self._failure = f'{type(error).__name__}: {error}'
            self._report()

    def _step(self) -> bool:
        entries = self._take()
        going_on = None not in entries
        now = time.monotonic()
        for entry in entries:
            if isinstance(entry, _Entry):
                self._write(entry)
            elif isinstance(entry, _Ack):
                self._on_ack(entry, now)
            elif isinstance(entry, _Topic):
                self._journal.add_topic(*entry[:2], latched=entry.latched)
        if self._dirty and (now >= self._retry or not going_on):
            self._commit(now)
        if going_on:
            self._send(now)
        self._save(now)
        self._report()
        if not going_on:
            self._finish()
        return going_on

    def _take(self) -> list[_Item | None]:
        # Wakes for the next resend at the latest.
        entries: list[_Item | None] = []
        try:
            entries.append(self._entries.get(timeout=min(0.1, self._config.resend_after)))
            while len(entries) < 4096:
                entries.append(self._entries.get_nowait())
        except queue.Empty:
            pass
        return entries

    def _write(self, entry: _Entry) -> None:
        self._dirty = True
        if entry.topic is not None:
            try:
                kind = self._topics[entry.topic]
                payload = self._definitions.canonical(entry.payload, kind)
            except BagError as error:
                LOG.warning('a message on %s is not recorded: %s', entry.topic, error)
                return
            self._journal.write(entry.topic, entry.stamp, payload)
            return
        payload = self._definitions.canonical(entry.payload, TRANSITION)
        found = self._journal.write_transition(entry.stamp, payload, evaluation=entry.evaluation)
        self._uncommitted.append((found.sequence, payload))

    def _commit(self, now: float) -> None:
        try:
            self._journal.commit()
        except OSError as error:
            self._disk_problem = f'the journal cannot be written: {error}'
            self._retry = now + RETRY_PERIOD
            return
        self._disk_problem = ''
        self._dirty = False
        for sequence, payload in self._uncommitted:
            self._outbox.add(sequence, payload)
        self._uncommitted.clear()

    def _on_ack(self, ack: _Ack, now: float) -> None:
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
                self._disk_problem = f'the journal cannot be written: {error}'

    def _report(self) -> None:
        self._status = CourierStatus(
            first=self._journal.first_sequence,
            recorded=self._outbox.last,
            received=self._outbox.received,
            durable=self._outbox.durable,
            waiting=len(self._uncommitted),
            resends=self._outbox.resends,
            problem=self._failure
            or self._disk_problem
            or self._learner_problem
            or self._send_problem,
        )

    def _finish(self) -> None:
        try:
            self._journal.close()
        except OSError as error:
            self._disk_problem = f'the journal could not be finished: {error}'
            self._report()


class _RecordingClock:
    """Wall time that never goes back while the process lives, even when the clock is set."""

    def __init__(self) -> None:
        self._offset = time.time_ns() - time.monotonic_ns()

    def now(self) -> int:
        """Return the time [ns]."""
        return self._offset + time.monotonic_ns()
