"""Writes and reads the sqlite3 storage of rosbag2 (schema version 4)."""

from collections.abc import Iterator
from pathlib import Path
import sqlite3

from sac_core.bag.errors import BagError, DamagedError
from sac_core.bag.mcap_scan import Channel
from sac_core.bag.messages import FileInfo, RawMessage, Topic

SCHEMA = """
CREATE TABLE schema(schema_version INTEGER PRIMARY KEY, ros_distro TEXT NOT NULL);
CREATE TABLE metadata(
  id INTEGER PRIMARY KEY, metadata_version INTEGER NOT NULL, metadata TEXT NOT NULL);
CREATE TABLE topics(
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL,
  serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL,
  type_description_hash TEXT NOT NULL);
CREATE TABLE message_definitions(
  id INTEGER PRIMARY KEY, topic_type TEXT NOT NULL, encoding TEXT NOT NULL,
  encoded_message_definition TEXT NOT NULL, type_description_hash TEXT NOT NULL);
CREATE TABLE messages(
  id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL, timestamp INTEGER NOT NULL,
  data BLOB NOT NULL);
CREATE INDEX timestamp_idx ON messages (timestamp ASC);
INSERT INTO schema(schema_version, ros_distro) VALUES (4, 'kilted');
"""


class SqliteFile:
    """One file of a bag. A message is safe once committed. Not thread-safe."""

    suffix = '.db3'

    def __init__(self, path: Path, compression: str = 'none', chunk_bytes: int = 0) -> None:
        """Begin a file; the last two arguments are those of `McapFile` and mean nothing here."""
        if compression != 'none':
            raise BagError(f'sqlite3 bags are not compressed, got compression={compression!r}')
        self.info = FileInfo(path.name)
        self._path = path
        self._topics: dict[str, Topic] = {}
        self._pending: list[tuple[str, int, bytes]] = []
        self._written = 0
        self._connection: sqlite3.Connection | None = None
        self._identities: dict[str, int] = {}
        self._finished = False

    @property
    def size(self) -> int:
        """Length of all messages so far [bytes]."""
        return self.info.size + self.pending

    @property
    def pending(self) -> int:
        """Bytes not committed."""
        return sum(len(data) for _, _, data in self._pending)

    @property
    def position(self) -> int:
        """Where reading begins to meet the next message: its row."""
        return self._written + len(self._pending) + 1

    def add_topic(self, topic: Topic) -> None:
        """Describe a topic before its first message."""
        self._topics[topic.name] = topic

    def write(self, topic: str, stamp: int, data: bytes) -> None:
        """Take a message; it is safe once committed."""
        self._pending.append((topic, stamp, data))
        self.info.add(topic, stamp)

    def commit(self, *, sync: bool) -> None:
        """Make everything taken so far survive the process, with `sync` also the computer.

        Raises:
            OSError: The disk does not take it; a later commit tries again.
        """
        try:
            connection = self._open()
            connection.execute(f'PRAGMA synchronous={"FULL" if sync else "OFF"}')
            with connection:
                self._describe(connection)
                connection.executemany(
                    'INSERT INTO messages (topic_id, timestamp, data) VALUES (?, ?, ?)',
                    [(self._identities[t], stamp, data) for t, stamp, data in self._pending],
                )
        except sqlite3.Error as error:
            self._identities.clear()
            raise OSError(f'{self._path}: {error}') from error
        self._written += len(self._pending)
        self.info.size += sum(len(data) for _, _, data in self._pending)
        self._pending.clear()

    def finish(self, metadata: str) -> None:
        """Write the metadata; may be repeated after an error.

        Raises:
            OSError: The disk does not take it.
        """
        self.commit(sync=True)
        if not self._finished:
            try:
                with self._open() as connection:
                    connection.execute(
                        'INSERT INTO metadata(metadata_version, metadata) VALUES (9, ?)',
                        (metadata,),
                    )
            except sqlite3.Error as error:
                raise OSError(f'{self._path}: {error}') from error
            self._finished = True
        self.close()
        self.info.size = self._path.stat().st_size

    def close(self) -> None:
        """Give the file back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            fresh = not self._path.exists()
            self._connection = sqlite3.connect(self._path, check_same_thread=False)
            if fresh:
                self._connection.executescript('BEGIN;' + SCHEMA + 'COMMIT;')
        return self._connection

    def _describe(self, connection: sqlite3.Connection) -> None:
        known = {
            row[0] for row in connection.execute('SELECT topic_type FROM message_definitions')
        }
        self._identities = dict(connection.execute('SELECT name, id FROM topics'))
        for topic in self._topics.values():
            if topic.name in self._identities:
                continue
            name, digest = topic.definition.name, topic.definition.digest
            if name not in known:
                known.add(name)
                connection.execute(
                    'INSERT INTO message_definitions (topic_type, encoding, '
                    'encoded_message_definition, type_description_hash) VALUES (?, ?, ?, ?)',
                    (name, 'ros2msg', topic.definition.text, digest),
                )
            cursor = connection.execute(
                'INSERT INTO topics (name, type, serialization_format, offered_qos_profiles, '
                'type_description_hash) VALUES (?, ?, ?, ?, ?)',
                (topic.name, name, 'cdr', topic.qos_text(), digest),
            )
            self._identities[topic.name] = int(cursor.lastrowid or 0)


class SqliteScan:
    """The messages of one file in the order in which they were written."""

    def __init__(self, path: Path) -> None:
        """Prepare to read; nothing is opened yet."""
        self.path = path
        self.channels: dict[int, Channel] = {}

    def finished(self) -> bool:
        """Return whether the file was closed."""
        if Path(f'{self.path}-journal').exists():
            return False
        try:
            with sqlite3.connect(f'file:{self.path}?mode=ro', uri=True) as connection:
                return bool(connection.execute('SELECT count(*) FROM metadata').fetchone()[0])
        except sqlite3.Error:
            return False

    def messages(self, position: int | None = None) -> Iterator[RawMessage]:
        """Yield messages, beginning at row `position`.

        Raises:
            DamagedError: The database is damaged.
            BagError: It is no bag file.
        """
        try:
            connection = sqlite3.connect(self.path)  # may roll back what a kill left half done
            try:
                yield from self._messages(connection, position or 0)
            finally:
                connection.close()
        except sqlite3.DatabaseError as error:
            raise DamagedError(
                f'{self.path} is no sqlite3 bag file, or damaged: {error}; restore it from a copy',
                0,
            ) from error

    def _messages(self, connection: sqlite3.Connection, position: int) -> Iterator[RawMessage]:
        tables = {row[0] for row in connection.execute('SELECT name FROM sqlite_master')}
        if 'messages' not in tables:
            return
        texts: dict[str, str] = {}
        if 'message_definitions' in tables:
            query = 'SELECT topic_type, encoded_message_definition FROM message_definitions'
            texts = dict(connection.execute(query))
        for identity, name, kind in connection.execute('SELECT id, name, type FROM topics'):
            self.channels[identity] = Channel(name, kind, texts.get(kind, ''), {})
        rows = connection.execute(
            'SELECT id, topic_id, timestamp, data FROM messages WHERE id >= ? ORDER BY id',
            (position,),
        )
        for row, identity, stamp, data in rows:
            channel = self.channels[identity]
            yield RawMessage(channel.topic, channel.type, stamp, bytes(data), row)


def check_sqlite(path: Path) -> None:
    """Check the structure of a database; it has no checksums over its content.

    Raises:
        DamagedError: The structure is broken.
        BagError: The file is not finished.
    """
    if not SqliteScan(path).finished():
        raise BagError(f'{path} is not finished; the process that wrote it was killed')
    try:
        with sqlite3.connect(f'file:{path}?mode=ro', uri=True) as connection:
            answer = connection.execute('PRAGMA integrity_check').fetchone()[0]
    except sqlite3.Error as error:
        answer = str(error)
    if answer != 'ok':
        raise DamagedError(f'{path} is damaged: {answer}', 0)
