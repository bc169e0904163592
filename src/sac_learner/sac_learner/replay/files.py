"""A NumPy array in a file, shared with the page cache."""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
import errno
import mmap
import os
from pathlib import Path
from typing import Any

import numpy as np

from sac_learner.replay.errors import ReplayError, ReplayFullDiskError


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn the system's errors about ``path`` into the replay's."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ReplayFullDiskError(
                f'no room for {path}: {error.strerror}; free some space, the replay goes on then'
            ) from error
        raise ReplayError(f'cannot write {path}: {error.strerror}') from error


class MappedArray:
    """A memory-mapped array: what is stored in it survives the process at once."""

    def __init__(self, path: Path, dtype: Any, shape: tuple[int, ...], *, create: bool) -> None:
        """Map ``path``; with ``create`` make it first, as a sparse file of zeros.

        Raises:
            ReplayError: The file is missing or its size is wrong.
        """
        self.path = path
        self._dtype = np.dtype(dtype)
        size = int(np.prod(shape)) * self._dtype.itemsize
        self._row = size // shape[0]
        try:
            self._file = path.open('x+b' if create else 'r+b', buffering=0)
        except OSError as error:
            raise ReplayError(f'cannot open {path}: {error.strerror}') from error
        if create:
            os.truncate(self._file.fileno(), size)
        found = os.fstat(self._file.fileno()).st_size
        if found != size:
            self._file.close()
            raise ReplayError(f'{path} is damaged: it has {found} bytes instead of {size}')
        self.buffer = mmap.mmap(self._file.fileno(), size)
        self.array: np.ndarray[Any, Any] = np.frombuffer(self.buffer, self._dtype).reshape(shape)

    def allocate(self, start: int, stop: int) -> None:
        """Reserve disk blocks for rows ``start`` to ``stop``.

        Storing into a hole of a full disk would kill the process (SIGBUS); this raises instead.

        Raises:
            ReplayFullDiskError: The disk is full.
        """
        with explained(self.path):
            os.posix_fallocate(
                self._file.fileno(), start * self._row, max(1, (stop - start) * self._row)
            )

    def sync(self) -> None:
        """Wait until everything stored so far is on the disk.

        Raises:
            ReplayError: The disk does not take it.
        """
        with explained(self.path):
            os.fdatasync(self._file.fileno())

    def close(self) -> None:
        """Unmap; views that are still held elsewhere stay valid."""
        self.array = np.empty(0, self._dtype)
        with contextlib.suppress(BufferError):  # a view is held; the map goes with the last one
            self.buffer.close()
        self._file.close()


def sync_directory(directory: Path) -> None:
    """Wait until the names in ``directory`` are on the disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_synced(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content`` so that a crash leaves the old or the new one.

    Raises:
        ReplayFullDiskError: The disk is full; the old content is untouched.
    """
    temporary = path.with_name(path.name + '.new')
    with explained(path), temporary.open('wb') as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_directory(path.parent)
