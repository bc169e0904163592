"""Processes that run side by side, and never outlive who started them."""

from collections.abc import Mapping, Sequence
import ctypes
from dataclasses import dataclass
import os
from pathlib import Path
import signal
import subprocess
import time

_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)
PATIENCE = 60.0  # [s] for a run to save


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    slot: int


class Pool:
    """A number of slots for processes, each with a name."""

    def __init__(self, slots: int) -> None:
        """Begin empty."""
        self._slots = slots
        self._workers: dict[Path, _Worker] = {}

    @property
    def free(self) -> list[int]:
        """Slots where nothing runs."""
        taken = {worker.slot for worker in self._workers.values()}
        return [slot for slot in range(self._slots) if slot not in taken]

    def runs(self, path: Path) -> bool:
        """Return whether the process of that name has not ended yet."""
        return path in self._workers

    def start(
        self, path: Path, command: Sequence[str], environment: Mapping[str, str], slot: int
    ) -> None:
        """Run a command in a slot.

        Args:
            path: Directory that names it; output goes to ``output.log`` in it.
            command: What to run.
            environment: Besides ours.
            slot: One that is free.
        """
        path.mkdir(parents=True, exist_ok=True)
        _wait_for_predecessor(path / 'pid')
        with (path / 'output.log').open('ab') as log:
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
                start_new_session=True,  # Ctrl-C reaches us, and we tell them
                preexec_fn=_end_with_parent,
            )
        (path / 'pid').write_text(f'{process.pid}\n')
        self._workers[path] = _Worker(process, slot)

    def ended(self) -> list[tuple[Path, int]]:
        """Return who has ended since the last call, with the exit status."""
        found = [
            (path, status)
            for path, worker in self._workers.items()
            if (status := worker.process.poll()) is not None
        ]
        for path, _ in found:
            del self._workers[path]
            (path / 'pid').unlink(missing_ok=True)
        return found

    def interrupt(self, paths: Sequence[Path]) -> None:
        """Ask processes to save and end."""
        for path in paths:
            if path in self._workers:
                self._workers[path].process.send_signal(signal.SIGINT)

    def close(self) -> None:
        """End all, and wait until they have saved."""
        self.interrupt(list(self._workers))
        end = time.monotonic() + PATIENCE
        while self._workers and time.monotonic() < end:
            self.ended()
            time.sleep(0.05)
        for worker in self._workers.values():
            os.killpg(worker.process.pid, signal.SIGKILL)
        self._workers.clear()


def _end_with_parent() -> None:
    """Let the kernel interrupt this process when the sweep is killed."""
    ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGINT)


def _wait_for_predecessor(pid_file: Path) -> None:
    """Wait for a run that a killed sweep left behind, until it has saved."""
    try:
        pid = int(pid_file.read_text())
        command = Path(f'/proc/{pid}/cmdline').read_bytes().decode(errors='replace')
    except (OSError, ValueError):
        return
    if str(pid_file.parent) not in command:
        return  # the number belongs to somebody else now
    end = time.monotonic() + PATIENCE
    while Path(f'/proc/{pid}/cmdline').exists() and time.monotonic() < end:
        time.sleep(0.1)
