"""The control thread's end of the journal: it only ever hands over."""

from collections.abc import Callable
import logging
from pathlib import Path
import queue
import threading
import time

from sac_agent.journal.dispatcher import Ack, CourierStatus, Dispatcher, Entry, Item, Topic
from sac_agent.journal.errors import JournalError, JournalFullError
from sac_agent.journal.journal import Journal, TOPICS
from sac_agent.journal.settings import JournalConfig
from sac_core.bag import BagError, Definitions

LOG = logging.getLogger(__name__)


class Courier:
    """Records a run and brings its transitions to the learner.

    The control thread calls `transition`, `record` and `on_ack`, none of which waits for disk or
    network. The courier's thread works the `Dispatcher`, which writes what came, commits, and only
    then sends; it calls `publish`, which rclpy publishers allow from any thread.

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
        journal = Journal(
            directory,
            agent_id,
            self._config,
            transition_topic=transition_topic,
            definitions=definitions,
        )
        self._definitions = journal.definitions
        self._topics = {name: type_name for name, (type_name, _) in TOPICS.items()}
        self.stream_id = journal.stream_id
        self.next_sequence = journal.last_sequence + 1
        self.next_episode = journal.next_episode
        self.training_steps = journal.training_steps
        self._dispatcher = Dispatcher(journal, publish)
        self._failure = ''
        self._items: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._clock = _RecordingClock()
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
        self._items.put(Topic(name, type_name, latched))

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
        status = self.status()
        if self.next_sequence - 1 - status.recorded >= self._config.hold:
            raise JournalFullError(
                f'{self._config.hold} transitions wait for the disk and no more are kept '
                f'({status.problem or "the disk is too slow"}); make room on it'
            )
        self._items.put(Entry(None, payload, evaluation, self._clock.now()))
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
        if not self._dispatcher.disk_problem:
            self._items.put(Entry(topic, payload, False, self._clock.now()))

    def on_ack(self, received: int, durable: int) -> None:
        """Take an acknowledgement of this stream from the learner."""
        self._items.put(Ack(received, durable))

    def status(self) -> CourierStatus:
        """Return the newest account."""
        return self._dispatcher.status

    def close(self, timeout: float = 10.0) -> None:
        """Write the rest, finish the bag, end the thread; what is not sent waits for the next run.

        Args:
            timeout: Time the disk may take [s].
        """
        if not self._closed:
            self._closed = True
            self._items.put(None)
            self._thread.join(timeout)

    def _check(self) -> None:
        if self._closed or not self._thread.is_alive():
            raise JournalError(
                'the journal is closed' if self._closed else f'the journal failed: {self._failure}'
            )

    def _run(self) -> None:
        going_on = True
        try:
            while going_on:
                items = self._take()
                going_on = None not in items
                self._dispatcher.step((i for i in items if i is not None), last=not going_on)
        except Exception as error:
            # The control thread finds the thread dead and the reason here.
            LOG.exception('the journal failed')
            self._failure = f'{type(error).__name__}: {error}'
            self._dispatcher.fail(self._failure)

    def _take(self) -> list[Item | None]:
        # Wakes for the next resend at the latest.
        items: list[Item | None] = []
        try:
            items.append(self._items.get(timeout=min(0.1, self._config.resend_after)))
            while len(items) < 4096:
                items.append(self._items.get_nowait())
        except queue.Empty:
            pass
        return items


class _RecordingClock:
    """Wall time that never goes back while the process lives, even when the clock is set."""

    def __init__(self) -> None:
        self._offset = time.time_ns() - time.monotonic_ns()

    def now(self) -> int:
        """Return the time [ns]."""
        return self._offset + time.monotonic_ns()
