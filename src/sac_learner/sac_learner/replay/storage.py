"""All files of a replay, opened together by one process."""

from __future__ import annotations

import fcntl
from pathlib import Path

from sac_learner.replay.errors import ReplayError
from sac_learner.replay.files import MappedArray, sync_directory
from sac_learner.replay.layout import HEADER, Layout, read_layout
from sac_learner.replay.recovery import note_boot, recover
from sac_learner.replay.ring import Ring
from sac_learner.replay.state import STATE, State
from sac_learner.replay.streams import StreamTable, TABLE


def create(directory: Path, layout: Layout) -> None:
    """Make the files of an empty replay; the header, written last, makes them one.

    Raises:
        ReplayError: There is a replay without its header.
    """
    directory.mkdir(parents=True, exist_ok=True)
    if (directory / STATE).exists() and State(directory, create=False).published().head:
        raise ReplayError(
            f'the replay in {directory} holds data but has lost its {HEADER}; '
            f'restore that file, or start a new run directory'
        )
    for name in (*layout.arrays(), STATE, TABLE):
        (directory / name).unlink(missing_ok=True)
    for name, (dtype, shape) in layout.arrays().items():
        MappedArray(directory / name, dtype, shape, create=True).close()
    State(directory, create=True).close()
    StreamTable(directory, create=True).mapped.close()
    note_boot(directory)
    layout.write(directory)
    sync_directory(directory)


class Storage:
    """The opened files, and what of them counts."""

    def __init__(self, directory: Path) -> None:
        """Open, lock and recover.

        Raises:
            ReplayError: There is no replay, it is damaged, or it belongs to another process.
        """
        self.layout = read_layout(directory)
        self._lock_file = (directory / HEADER).open('rb')
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.state = State(directory, create=False)
            self.streams = StreamTable(directory, create=False)
            self.ring = Ring(directory, self.layout)
            self.record = recover(directory, self.ring, self.state, self.streams)
        except BlockingIOError as error:
            self._lock_file.close()
            raise ReplayError(
                f'the replay in {directory} is in use by another process; end it first'
            ) from error
        except BaseException:
            self._lock_file.close()
            raise

    def close(self) -> None:
        """Unmap all files and let another process have them."""
        self.ring.close()
        self.streams.mapped.close()
        self.state.close()
        self._lock_file.close()
