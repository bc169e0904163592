"""Wall clocks that can be stepped, one per host; see clock_step.c."""

from __future__ import annotations

import mmap
from pathlib import Path
import shutil
import struct
import subprocess

SOURCE = Path(__file__).with_name('clock_step.c')


class NoCompilerError(RuntimeError):
    """The preloaded library cannot be made here."""


def build(directory: Path) -> Path:
    """Compile the library into a directory and return it.

    Raises:
        NoCompilerError: There is no C compiler, or it fails.
    """
    compiler = shutil.which('cc') or shutil.which('gcc')
    if compiler is None:
        raise NoCompilerError('clock steps need a C compiler')
    library = directory / 'clock_step.so'
    command = [compiler, '-O2', '-shared', '-fPIC', '-o', str(library), str(SOURCE), '-ldl']
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise NoCompilerError(f'clock steps: {result.stderr.strip()[-300:]}')
    return library


class SteppedClock:
    """The wall clock of the processes that are started with `environment`."""

    def __init__(self, library: Path, path: Path) -> None:
        """Begin at the true time."""
        path.write_bytes(struct.pack('q', 0))
        self.environment = {'LD_PRELOAD': str(library), 'CHAOS_CLOCK': str(path)}
        self._offset = 0
        with path.open('r+b') as file:
            self._map = mmap.mmap(file.fileno(), 8)

    def step(self, seconds: float) -> None:
        """Move the clock, forth or back."""
        self._offset += round(seconds * 1e9)
        struct.pack_into('q', self._map, 0, self._offset)
