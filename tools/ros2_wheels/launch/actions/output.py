"""Where the lines of a process go: screen, log file, files of its own."""

from __future__ import annotations

from collections.abc import Mapping
import os

from ..logging import LOG

# For each value of ``output``: the targets of standard output and of standard error.
ROUTES: dict[str, tuple[set[str], set[str]]] = {
    'log': ({'log'}, {'log', 'screen'}),
    'screen': ({'screen'}, {'screen'}),
    'both': ({'screen', 'log'}, {'screen', 'log'}),
    'own_log': ({'own_log'}, {'own_log'}),
    'full': ({'screen', 'log', 'own_log'}, {'screen', 'log', 'own_log'}),
}
STREAMS = {1: 'stdout', 2: 'stderr'}


def targets(output: str | Mapping[str, str]) -> dict[int, set[str]]:
    """Return the targets per stream, 1 for standard output and 2 for standard error.

    Raises:
        ValueError: ``output`` is no known place.
    """
    output = os.environ.get('OVERRIDE_LAUNCH_PROCESS_OUTPUT', output)
    if isinstance(output, str):
        if output not in ROUTES:
            raise ValueError(f"output '{output}' is not valid; choose one of {sorted(ROUTES)}")
        return {1: set(ROUTES[output][0]), 2: set(ROUTES[output][1])}
    found: dict[int, set[str]] = {1: set(), 2: set()}
    for name, place in output.items():
        if name not in ('stdout', 'stderr', 'both') or place not in (
            'screen',
            'log',
            'own_log',
            'full',
            'both',
        ):
            raise ValueError(f"output {{'{name}': '{place}'}} is not valid")
        streams = (1, 2) if name == 'both' else (1,) if name == 'stdout' else (2,)
        for stream in streams:
            found[stream] |= ROUTES[place][0]
    return found


class LineWriter:
    """Cuts what a process writes into lines and sends them to their targets."""

    def __init__(self, label: str, stream: int, places: set[str]) -> None:
        """Take the label of the process, the stream and its targets."""
        self._label = label
        self._stream = STREAMS[stream]
        self._places = places
        self._rest = b''

    def write(self, data: bytes) -> None:
        """Write the complete lines, keep the rest."""
        *lines, self._rest = (self._rest + data).split(b'\n')
        for line in lines:
            self._line(line)

    def flush(self) -> None:
        """Write the unfinished line."""
        if self._rest:
            self._line(self._rest)
            self._rest = b''

    def _line(self, raw: bytes) -> None:
        line = raw.decode(errors='replace').removesuffix('\r')
        if 'screen' in self._places:
            LOG.screen(f'[{self._label}] {line}')
        if 'log' in self._places:
            LOG.file('launch.log', f'[{self._label}] {line}')
        if 'own_log' in self._places:
            LOG.file(f'{self._label}-{self._stream}.log', line)
            LOG.file(f'{self._label}.log', line)
