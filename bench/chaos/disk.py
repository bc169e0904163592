"""A small disk that can be filled."""

from __future__ import annotations

import os
from pathlib import Path
import subprocess


class NoDiskError(RuntimeError):
    """This machine lets nobody mount a small disk here."""


class Disk:
    """A file system of its own in memory; a context manager.

    Attributes:
        path: Where it is mounted.
    """

    def __init__(self, path: Path, size: int) -> None:
        """Mount it.

        Args:
            path: A directory, made if need be.
            size: [bytes]

        Raises:
            NoDiskError: Not permitted.
        """
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        command = ['mount', '-t', 'tmpfs', '-o', f'size={size}', 'tmpfs', str(path)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            raise NoDiskError(f'a small disk cannot be mounted: {result.stderr.strip()}')

    @property
    def _ballast(self) -> Path:
        return self.path / '.ballast'

    def fill(self) -> None:
        """Take all that is free."""
        with self._ballast.open('ab') as file:
            for piece in (1 << 20, 1 << 12):
                try:
                    while True:
                        begin = os.fstat(file.fileno()).st_size
                        os.posix_fallocate(file.fileno(), begin, piece)
                except OSError:
                    continue

    def empty(self) -> None:
        """Give it back."""
        self._ballast.unlink(missing_ok=True)

    def close(self) -> None:
        """Unmount; what is open stays until it is closed."""
        subprocess.run(['umount', '-l', str(self.path)], capture_output=True, check=False)
