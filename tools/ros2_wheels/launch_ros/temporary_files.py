"""Parameter files that live as long as the launch."""

import atexit
import os
from pathlib import Path
import tempfile

_written: list[Path] = []


def write(text: str) -> Path:
    """Write a parameter file that is removed when the launch ends."""
    if not _written:
        atexit.register(_remove)
    handle, name = tempfile.mkstemp(prefix='launch_params_')
    with os.fdopen(handle, 'w') as file:
        file.write(text)
    _written.append(Path(name))
    return _written[-1]


def _remove() -> None:
    for path in _written:
        path.unlink(missing_ok=True)
