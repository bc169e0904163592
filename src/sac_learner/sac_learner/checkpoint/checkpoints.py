"""The checkpoints of a run: saved in the background, loaded only if whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
import shutil
import threading

import numpy.typing as npt

from sac_core.policy_format import Architecture
from sac_learner.checkpoint.errors import CheckpointError
from sac_learner.checkpoint.snapshot import PolicySnapshot, Snapshot
from sac_learner.checkpoint.stored import (
    Checkpoint,
    POLICY,
    read_checkpoint,
    sync,
    write_checkpoint,
    write_policy,
)

_NAME = 'checkpoint_'
_SAVING, _DELETING = '.saving', '.deleting'


class Checkpoints:
    """A directory of checkpoints, one process at a time.

    A checkpoint is written beside the others and appears by a rename, so at any moment the
    directory holds complete ones only, whatever is killed.
    """

    def __init__(
        self, directory: Path, keep: int = 3, before: Callable[[], None] | None = None
    ) -> None:
        """Use ``directory``, which is made if need be.

        Args:
            directory: Where the checkpoints lie.
            keep: Newest checkpoints that are kept, at least 1; the best policy is kept apart.
            before: Called in the saving thread before anything is written, such as the
                replay's flush, so that no checkpoint refers to what may yet be lost.

        Raises:
            ValueError: ``keep`` is below 1.
        """
        if keep < 1:
            raise ValueError(f'keep must be at least 1, got {keep}')
        self._directory = directory
        self._keep = keep
        self._before = before
        directory.mkdir(parents=True, exist_ok=True)
        self._files_lock = threading.Lock()
        self._changed = threading.Condition()
        self._snapshot: Snapshot | None = None
        self._best: PolicySnapshot | None = None
        self._busy = False
        self._closing = False
        self._failure = ''
        self._saved = 0
        self._thread: threading.Thread | None = None

    @property
    def failure(self) -> str:
        """Why the newest attempt to save in the background failed; empty if it did not."""
        return self._failure

    @property
    def saved(self) -> int:
        """Checkpoints this object has saved."""
        return self._saved

    def paths(self) -> list[Path]:
        """Return the checkpoints, oldest first."""
        found = (path for path in self._directory.glob(f'{_NAME}*') if _serial(path) >= 0)
        return sorted(found, key=_serial)

    def save(self, snapshot: Snapshot) -> Path:
        """Save now and return where.

        Raises:
            CheckpointError: It could not be written; the ones before it are untouched.
        """
        with self._files_lock:
            temporary = self._directory / _SAVING
            try:
                if self._before is not None:
                    self._before()
                _remove(temporary)
                temporary.mkdir()
                write_checkpoint(temporary, snapshot)
                serial = 1 + max((_serial(path) for path in self.paths()), default=0)
                path = self._directory / f'{_NAME}{serial:06d}'
                temporary.rename(path)
                sync(self._directory)
            except OSError as error:
                shutil.rmtree(temporary, ignore_errors=True)
                raise CheckpointError(
                    f'cannot save a checkpoint in {self._directory}: {error}; '
                    f'earlier ones are untouched, free some space or mend the permissions'
                ) from error
            self._saved += 1
            self._prune()
            return path

    def save_soon(self, snapshot: Snapshot) -> None:
        """Save in the background; a snapshot that still waits there is dropped for this one."""
        with self._changed:
            self._snapshot = snapshot
            self._wake()

    def save_best(
        self,
        architecture: Architecture,
        arrays: Mapping[str, npt.ArrayLike],
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Keep this policy as the best one, in the background: ``best/policy.safetensors``."""
        policy = PolicySnapshot.take(architecture, arrays, metadata)
        with self._changed:
            self._best = policy
            self._wake()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing is left to save; False if that took longer than ``timeout`` [s]."""
        with self._changed:
            return self._changed.wait_for(self._is_idle, timeout)

    def close(self) -> None:
        """Save what waits and end the saving thread."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def load_latest(self, check: Callable[[Checkpoint], None] | None = None) -> Checkpoint | None:
        """Return the newest checkpoint that is whole; None where there has never been one.

        Args:
            check: Raises a ValueError, KeyError or RuntimeError if a checkpoint does not fit
                this run, such as one whose replay is gone.

        Raises:
            CheckpointError: There are checkpoints, and none of them can be used. A run must
                not begin anew by itself then.
        """
        refused: list[str] = []
        for path in reversed(self.paths()):
            try:
                checkpoint = read_checkpoint(path)
                if check is not None:
                    check(checkpoint)
            except (ValueError, KeyError, RuntimeError) as error:
                refused.append(f'{path.name}: {error}')
            else:
                return replace(checkpoint, refused=tuple(refused))
        if refused:
            raise CheckpointError(
                f'none of the {len(refused)} checkpoints in {self._directory} can be used: '
                f'{"; ".join(refused)}. Restore one, or start a new run directory'
            )
        return None

    def _is_idle(self) -> bool:
        return self._snapshot is None and self._best is None and not self._busy

    def _wake(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name='checkpoints', daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._closing or self._snapshot is not None or self._best is not None
                )
                snapshot, self._snapshot = self._snapshot, None
                best, self._best = self._best, None
                if snapshot is None and best is None:
                    return
                self._busy = True
            failure = ''
            try:
                if best is not None:
                    self._write_best(best)
                if snapshot is not None:
                    self.save(snapshot)
            except Exception as error:  # training must go on; the owner reads and reports it
                failure = f'{error}' if isinstance(error, CheckpointError) else f'{error!r}'
            with self._changed:
                self._failure = failure
                self._busy = False
                self._changed.notify_all()

    def _write_best(self, policy: PolicySnapshot) -> None:
        path = self._directory / 'best' / POLICY
        temporary = path.with_name('.new')
        try:
            path.parent.mkdir(exist_ok=True)
            write_policy(temporary, policy)
            temporary.replace(path)
            sync(path.parent)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise CheckpointError(f'cannot keep the best policy in {path}: {error}') from error

    def _prune(self) -> None:
        """Delete old checkpoints; each vanishes by a rename, never half of it."""
        rubbish = self._directory / _DELETING
        _remove(rubbish)
        for path in self.paths()[: -self._keep]:
            path.rename(rubbish)
            _remove(rubbish)


def _remove(path: Path) -> None:
    if path.exists():
        shutil.rmtree(path)


def _serial(path: Path) -> int:
    digits = path.name.removeprefix(_NAME)
    return int(digits) if digits.isdecimal() else -1
