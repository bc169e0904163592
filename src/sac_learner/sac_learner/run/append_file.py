"""A file that only grows, on a disk that may be full for a while."""

import os
from pathlib import Path

HELD = 16 << 20  # [bytes] kept in memory while the disk takes nothing


class AppendFile:
    """Appends lines; what the disk does not take yet is kept and written before the next ones.

    Attributes:
        problem: Why the newest lines are not on the disk, empty if they are.
        left_out: Lines that neither disk nor memory had room for.
    """

    def __init__(self, path: Path) -> None:
        """Open to append, behind a line that a killed process left unfinished.

        Raises:
            OSError: The file cannot be made.
        """
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._path = path
        self._pending = b''
        self.problem = ''
        self.left_out = 0
        size = os.fstat(self._file).st_size
        self.empty = size == 0
        if size and os.pread(self._file, 1, size - 1) != b'\n':
            self._pending = b'\n'

    def write(self, line: str) -> None:
        """Append a line, which the operating system has afterwards, or `problem` says why."""
        self.empty = False
        data = f'{line}\n'.encode()
        if len(self._pending) + len(data) > HELD:
            self.left_out += 1
        else:
            self._pending += data
        try:
            while self._pending:
                self._pending = self._pending[os.write(self._file, self._pending) :]
            self.problem = ''
        except OSError as error:
            self.problem = f'{self._path} cannot be written: {error.strerror}'

    def close(self) -> None:
        """Close; what the disk has not taken is gone."""
        os.close(self._file)
