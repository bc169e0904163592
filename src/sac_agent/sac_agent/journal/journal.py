"""The append-only record of a run: a rosbag2 bag whose transitions are numbered without gaps.

A transition is sent only after it is in the journal, so a number that was ever on the wire is
found again after a crash and never given to another transition. If the journal lost its end all
the same (power cut without `sync`, a file taken away), a new stream begins instead, in which every
number is new.
"""

from pathlib import Path
import uuid

from sac_agent.journal.contents import Contents
from sac_agent.journal.errors import JournalError
from sac_agent.journal.settings import JournalConfig
from sac_agent.journal.state import boot, State
from sac_core.bag import BagError, BagWriter, Definitions
from sac_core.bag.storage import bag_files
from sac_core.bag.transitions import (
    AGENT_SPEC,
    EPISODE,
    EVALUATION,
    Key,
    key,
    POLICY,
    TRANSITION,
)

TOPICS = {
    '/agent_spec': (AGENT_SPEC, True),
    '/policy': (POLICY, True),
    '/episode': (EPISODE, False),
    '/evaluation': (EVALUATION, False),
}
"""What every journal may hold besides transitions."""

HEAD = ('/agent_spec', '/policy')
"""Of these the newest message stands again at the beginning of every file, so that each file can
be read by itself and the oldest ones can be deleted."""


class Journal:
    """The journal of one run directory. Not thread-safe; `Courier` owns one in its thread.

    Attributes:
        last_sequence: Highest number of the stream.
        durable: What the learner had on its disk when `save` was last called.
    """

    def __init__(
        self,
        directory: Path,
        agent_id: str,
        config: JournalConfig | None = None,
        *,
        transition_topic: str = '/transition',
        definitions: Definitions | None = None,
    ) -> None:
        """Open a journal, recovering what a killed process left.

        Args:
            directory: The bag, e.g. ``RUN_DIR/bags/<agent_id>``; made if needed.
            agent_id: Name of the robot; a journal belongs to one.
            config: Parameters.
            transition_topic: Topic of the transitions in the bag.
            definitions: Where message definitions come from; default the installed packages.

        Raises:
            JournalError: The directory belongs to another agent or process, or is damaged.
            OSError: The disk does not take it.
        """
        self.config = config or JournalConfig()
        self._directory = directory
        self._agent_id = agent_id
        self._topic = transition_topic
        self._contents = Contents(directory, transition_topic)
        self.durable = 0
        self.last_sequence = 0
        self._committed = 0
        self._newest: dict[str, bytes] = {}  # payloads of HEAD
        try:
            self._bag = BagWriter(
                directory,
                storage=self.config.storage,
                compression=self.config.compression,
                split_bytes=self.config.split_bytes,
                definitions=definitions,
                custom={'agent_id': agent_id},
            )
            self._bag.add_topic(transition_topic, TRANSITION)
            for name, (type_name, latched) in TOPICS.items():
                self._bag.add_topic(name, type_name, latched=latched)
            self._recover()
        except BagError as error:
            raise JournalError(str(error)) from error

    @property
    def stream_id(self) -> str:
        """Identity of the numbers: made once, and anew when numbers may be lost."""
        return self._contents.stream_id

    @property
    def next_episode(self) -> int:
        """Number of the episode that begins after this opening."""
        return max((span.episode for span in self._contents.own()), default=-1) + 1

    @property
    def first_sequence(self) -> int:
        """Lowest number that is still there; the next one while there is none."""
        return min((span.first for span in self._contents.own()), default=self.last_sequence + 1)

    @property
    def training_steps(self) -> int:
        """Transitions of the stream that are no evaluation steps."""
        return sum(span.training for span in self._contents.own())

    @property
    def definitions(self) -> Definitions:
        """Where message definitions come from."""
        return self._bag.definitions

    @property
    def size(self) -> int:
        """Length of the bag [bytes]."""
        return self._bag.size

    def add_topic(self, name: str, type_name: str, *, latched: bool = False) -> None:
        """Describe a further topic of the bag.

        Raises:
            JournalError: Its type is unknown.
        """
        try:
            self._bag.add_topic(name, type_name, latched=latched)
        except BagError as error:
            raise JournalError(str(error)) from error

    def write(self, topic: str, stamp: int, payload: bytes) -> None:
        """Take a message of a further topic; it is safe once committed."""
        if topic in HEAD:
            self._newest[topic] = payload
        self._begin_file(stamp, topic)
        self._bag.write(topic, stamp, payload)

    def write_transition(self, stamp: int, payload: bytes, *, evaluation: bool = False) -> Key:
        """Take a transition; it is safe, and may be sent, once committed.

        Raises:
            JournalError: It is of another agent or stream, or its number is not the next one.
        """
        found = key(payload)
        expected = (self._agent_id, self.stream_id, self.last_sequence + 1)
        if found[:3] != expected:
            raise JournalError(
                f'agent, stream and sequence of a transition must be {expected}, got {found[:3]}'
            )
        self._begin_file(stamp)
        location = self._bag.write(self._topic, stamp, payload)
        self._contents.note(location.file, location.position, found, training=not evaluation)
        self.last_sequence = found.sequence
        return found

    def commit(self) -> None:
        """Make everything taken so far survive the process, with `config.sync` also the computer.

        Raises:
            OSError: The disk does not take it; nothing is lost, a later commit tries again.
        """
        try:
            self._bag.commit(sync=self.config.sync)
        except OSError:
            # Whoever set a limit prefers new data to old ones that the learner has.
            if self.config.max_bytes and self._delete_oldest():
                self._bag.commit(sync=self.config.sync)
            else:
                raise
        self._committed = self.last_sequence
        while self.config.max_bytes and self._bag.size > self.config.max_bytes:
            if not self._delete_oldest():
                break

    def read(self, first: int, count: int) -> list[bytes]:
        """Return the committed transitions `first .. first + count - 1` of the stream.

        Raises:
            JournalError: One is not there.
        """
        payloads: list[bytes] = []
        while len(payloads) < count:
            sequence = first + len(payloads)
            before = len(payloads)
            payloads += self._contents.read(sequence, count - before)
            if len(payloads) == before:
                raise JournalError(
                    f'transition {sequence} is no longer in {self._directory}, and the learner '
                    'asks for it although it had acknowledged it as durable; feed the learner '
                    'this bag, then move the bag away and start the agent again'
                )
        return payloads

    def save(self, durable: int) -> None:
        """Note what the learner has on its disk, so that the next run sends only the rest.

        Raises:
            OSError: The disk does not take it; only comfort is lost.
        """
        self.durable = durable
        self._save(clean=False)

    def close(self) -> None:
        """Finish the bag.

        Raises:
            OSError: The disk did not take the rest.
        """
        self._bag.close()
        self._committed = self.last_sequence
        self._save(clean=True)

    def _begin_file(self, stamp: int, topic: str = '') -> None:
        """Let a new file begin with what its reader needs first, unless `topic` brings it."""
        if not self._bag.between_files:
            return
        for name in HEAD:
            payload = self._newest.get(name)
            # What would fill a good part of each file stays where it was first.
            if payload is None or name == topic or 4 * len(payload) > self.config.split_bytes:
                continue
            if name == HEAD[0]:
                spec = self.definitions.decode(payload, AGENT_SPEC)
                # Whoever plays this file has no earlier ones.
                spec.first_sequence = self.last_sequence + 1
                payload = self.definitions.encode(spec, AGENT_SPEC)
            self._bag.write(name, stamp, payload)

    def _delete_oldest(self) -> bool:
        for info in self._bag.files:
            if self._contents.holds_none_after(info.name, self.durable):
                self._bag.delete(info.name)
                self._contents.forget(info.name)
                return True
        return False

    def _recover(self) -> None:
        state = State.load(self._directory)
        if state.agent_id not in ('', self._agent_id):
            raise JournalError(
                f'{self._directory} is the journal of agent {state.agent_id!r}, not of '
                f'{self._agent_id!r}; choose another run directory'
            )
        contents = self._contents
        contents.stream_id = state.stream_id
        for path in bag_files(self._directory):
            if path.name in state.files:
                contents.recall(path.name, state.files[path.name])
            else:
                contents.scan(path, self.definitions)
        contents.stream_id = state.stream_id or contents.newest_stream() or uuid.uuid4().hex
        self.durable = state.durable
        last = max((span.last for span in contents.own()), default=0)
        # Numbers beyond the end that is left may be used.
        if state.end_may_be_missing or last < max(state.durable, state.last):
            contents.stream_id = uuid.uuid4().hex
            self.durable = last = 0
        self.last_sequence = self._committed = last
        self._save(clean=False)

    def _save(self, *, clean: bool) -> None:
        State(
            agent_id=self._agent_id,
            stream_id=self.stream_id,
            durable=self.durable,
            last=self._committed,
            sync=self.config.sync,
            boot=boot(),
            clean=clean,
            files=self._contents.plain(info.name for info in self._bag.files),
        ).save(self._directory)
