"""Writes rosbag2 bags that are readable at any time, also after SIGKILL or a full disk."""

from collections.abc import Mapping
import fcntl
import os
from pathlib import Path
import re
from types import TracebackType
from typing import NamedTuple

from sac_core.bag import metadata
from sac_core.bag.definitions import Definitions
from sac_core.bag.errors import BagError
from sac_core.bag.messages import FileInfo, Topic
from sac_core.bag.recover import file_topics, recover_file
from sac_core.bag.storage import bag_files, BagFile, create, NAMES, STORAGES


class Location(NamedTuple):
    """Where reading begins to meet a message: file name, and a position in it."""

    file: str
    position: int


class BagWriter:
    """A bag, new or continued; one process at a time. Not thread-safe.

    Messages are safe once `commit` returned. When the disk is full `commit` raises OSError, keeps
    everything in memory, and the next one tries again: nothing is torn or lost while the process
    lives. ``metadata.yaml`` names the finished files only, so any reader of rosbag2 opens the bag
    while it grows; `recover_bag` finishes the last file of a killed process, and so does opening
    the bag for writing again.
    """

    def __init__(
        self,
        directory: Path,
        *,
        storage: str = 'mcap',
        compression: str = 'none',
        split_bytes: int = 64 << 20,
        definitions: Definitions | None = None,
        custom: Mapping[str, str] | None = None,
    ) -> None:
        """Open a bag for writing.

        Args:
            directory: The bag, made if needed; a bag that is there is recovered and continued.
            storage: ``mcap`` or ``sqlite3``.
            compression: ``none``, ``zstd`` or ``lz4`` of chunks (MCAP only).
            split_bytes: A file that has grown to this size is finished and another begun.
            definitions: Where message definitions come from; default the installed packages.
            custom: Texts for the metadata's ``custom_data``.

        Raises:
            BagError: Another process writes the bag, it has another storage, or is damaged.
            OSError: The directory cannot be written.
        """
        if storage not in STORAGES:
            raise BagError(f'storage must be one of {sorted(STORAGES)}, got {storage!r}')
        self.directory = directory
        self.definitions = definitions or Definitions()
        self.files: list[FileInfo] = []
        self._storage = storage
        self._compression = compression
        self._split_bytes = split_bytes
        self._custom = dict(custom or {})
        self._topics: dict[str, Topic] = {}
        self._file: BagFile | None = None
        self._ending: list[BagFile] = []
        self._listed = False
        directory.mkdir(parents=True, exist_ok=True)
        self._lock = self._acquire()
        try:
            self._continue()
        except BaseException:
            os.close(self._lock)
            raise

    @property
    def size(self) -> int:
        """Length of all files with everything taken so far [bytes]."""
        return sum(f.size for f in (*self.files, *self._open_files()))

    @property
    def between_files(self) -> bool:
        """Whether the next message begins a file."""
        return self._file is None

    @property
    def pending(self) -> int:
        """What the next commit hands to the operating system, about [bytes]."""
        return sum(f.pending for f in self._open_files())

    def add_topic(self, name: str, type_name: str, *, latched: bool = False) -> None:
        """Describe a topic; a topic already described with this type stays as it is.

        Raises:
            BagError: The type is unknown, or the topic has another one.
        """
        known = self._topics.get(name)
        if known is None:
            known = Topic(name, self.definitions.get(type_name), latched)
            self._topics[name] = known
            if self._file is not None:
                self._file.add_topic(known)
        elif known.definition.digest != self.definitions.get(type_name).digest:
            raise BagError(
                f'topic {name} of {self.directory} holds {known.definition.name} '
                f'{known.definition.digest}, not {type_name} '
                f'{self.definitions.get(type_name).digest}; begin another bag'
            )

    def write(self, topic: str, stamp: int, data: bytes) -> Location:
        """Take a message; it is safe once committed.

        Args:
            topic: A name given to `add_topic`.
            stamp: Time of recording [ns].
            data: The message serialised with its encapsulation header (CDR).

        Raises:
            BagError: The topic is unknown.
        """
        if topic not in self._topics:
            raise BagError(f'topic {topic} is not described; there are {sorted(self._topics)}')
        if self._file is None:
            self._file = self._begin()
        location = Location(self._file.info.name, self._file.position)
        self._file.write(topic, stamp, data)
        return location

    def commit(self, *, sync: bool = False) -> None:
        """Make everything taken so far survive the process, with `sync` also the computer.

        Raises:
            OSError: The disk does not take it; a later commit tries again.
        """
        self._end_files()
        if self._file is None:
            return
        self._file.commit(sync=sync)
        if self._file.size >= self._split_bytes:
            self.split()

    def split(self) -> None:
        """Finish the current file; the next message begins another.

        Raises:
            OSError: The disk does not take it; a later commit tries again.
        """
        if self._file is not None:
            self._ending.append(self._file)
            self._file = None
        self._end_files()

    def delete(self, name: str) -> None:
        """Delete a finished file.

        Raises:
            BagError: There is no such finished file.
            OSError: It cannot be deleted.
        """
        kept = [item for item in self.files if item.name != name]
        if len(kept) == len(self.files):
            raise BagError(f'{self.directory} has no finished file {name!r}')
        self.files = kept
        # Listed files must exist, so the list goes first.
        metadata.write(self.directory, self._information())
        (self.directory / name).unlink(missing_ok=True)

    def close(self) -> None:
        """Finish the bag; on an error the next opening recovers what was committed.

        Raises:
            OSError: The disk did not take the rest.
        """
        try:
            self.split()
        finally:
            for file in self._open_files():
                file.close()
            self._ending.clear()
            self._file = None
            if self._lock >= 0:
                os.close(self._lock)
                self._lock = -1

    def __enter__(self) -> 'BagWriter':
        """Return the open bag."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the bag."""
        self.close()

    def _open_files(self) -> list[BagFile]:
        return [*self._ending, *([self._file] if self._file is not None else [])]

    def _acquire(self) -> int:
        lock = os.open(self.directory / '.lock', os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise BagError(
                f'another process writes {self.directory}; end it, or choose another directory'
            ) from error
        return lock

    def _continue(self) -> None:
        paths = bag_files(self.directory)
        others = {NAMES[path.suffix] for path in paths} - {self._storage}
        if others:
            raise BagError(
                f'{self.directory} is a {others.pop()} bag and cannot go on as {self._storage}; '
                'choose that storage or another directory'
            )
        for path in paths:
            info = recover_file(path)
            if info is not None:
                self.files.append(info)
                if not self._topics_known(info):
                    for topic in file_topics(path):
                        self._topics.setdefault(topic.name, topic)
        if self.files:
            metadata.write(self.directory, self._information())

    def _topics_known(self, info: FileInfo) -> bool:
        return all(name in self._topics for name in info.counts)

    def _begin(self) -> BagFile:
        names = [item.name for item in self.files]
        names += [file.info.name for file in self._ending]
        numbers = [int(m[1]) for n in names if (m := re.search(r'_(\d+)\.', n))]
        suffix = STORAGES[self._storage].suffix
        name = f'{self.directory.name}_{max(numbers, default=-1) + 1}{suffix}'
        file = create(self.directory / name, self._storage, self._compression)
        for topic in self._topics.values():
            file.add_topic(topic)
        return file

    def _end_files(self) -> None:
        while self._ending:
            file = self._ending[0]
            own = metadata.information(
                self._storage, list(self._topics.values()), [file.info], self._custom
            )
            file.finish(metadata.text(own))
            file.close()
            self.files.append(file.info)
            del self._ending[0]
            self._listed = False
        if not self._listed and self.files:
            metadata.write(self.directory, self._information())
            self._listed = True

    def _information(self) -> dict[str, object]:
        return metadata.information(
            self._storage, list(self._topics.values()), self.files, self._custom
        )
