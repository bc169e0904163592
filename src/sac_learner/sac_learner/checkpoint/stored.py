"""One checkpoint on the disk: a directory whose manifest lists all that must be in it.

``manifest.json`` has the values and, for each file, size and SHA-256; it has a digest itself.
``sac.safetensors`` has the arrays, ``policy.safetensors`` the policy as agents load it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, UTC
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from sac_core.policy_format import save_policy
from sac_learner.checkpoint.errors import CheckpointError
from sac_learner.checkpoint.snapshot import Arrays, PolicySnapshot, Snapshot

FORMAT = 'sac_ros2 checkpoint'
VERSION = 1
MANIFEST = 'manifest.json'
ARRAYS = 'sac.safetensors'
POLICY = 'policy.safetensors'


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read and found complete."""

    path: Path
    arrays: Arrays
    values: dict[str, Any]
    refused: tuple[str, ...] = ()  # why newer checkpoints were not used


def write_checkpoint(directory: Path, snapshot: Snapshot) -> None:
    """Write all files into an empty directory and wait until they are on the disk.

    Raises:
        OSError: There is no room, or no permission.
    """
    write_file(directory / ARRAYS, save_arrays(snapshot.arrays))
    if snapshot.policy is not None:
        write_policy(directory / POLICY, snapshot.policy)
    files = {path.name: _fingerprint(path.read_bytes()) for path in sorted(directory.iterdir())}
    content = {
        'format': FORMAT,
        'version': VERSION,
        'saved': datetime.now(UTC).isoformat(timespec='seconds'),
        'files': files,
        'values': snapshot.values,
    }
    # Once through JSON first, so that the digest is of what a reader will see.
    content = json.loads(json.dumps(content, default=_to_json))
    content['digest'] = _digest(content)
    write_file(directory / MANIFEST, json.dumps(content, indent=1).encode() + b'\n')
    sync(directory)


def read_checkpoint(directory: Path) -> Checkpoint:
    """Read a checkpoint and verify every byte.

    Raises:
        CheckpointError: Something is missing or damaged.
    """
    path = directory / MANIFEST
    try:
        content = json.loads(path.read_bytes())
        digest = content.pop('digest')
        complete = digest == _digest(content)
        kind, files, values = content['format'], content['files'], content['values']
        version = content['version']
    except FileNotFoundError as error:
        raise CheckpointError(f'{MANIFEST} is missing') from error
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise CheckpointError(f'{MANIFEST} is damaged: {error!r}') from error
    if not complete:
        raise CheckpointError(f'{MANIFEST} is damaged: its digest does not match')
    if (kind, version) != (FORMAT, VERSION):
        raise CheckpointError(
            f'{MANIFEST} is {kind!r} version {version}, '
            f'this program reads {FORMAT!r} version {VERSION}'
        )
    data = {name: _verified(directory / name, expected) for name, expected in files.items()}
    if ARRAYS not in data:
        raise CheckpointError(f'{MANIFEST} lists no {ARRAYS}')
    try:
        return Checkpoint(directory, load_arrays(data[ARRAYS]), values)
    except (SafetensorError, ValueError, KeyError) as error:
        raise CheckpointError(f'{ARRAYS} is damaged: {error}') from error


def write_policy(path: Path, policy: PolicySnapshot) -> None:
    """Write a policy file and wait until it is on the disk."""
    try:
        save_policy(path, policy.arrays, policy.architecture, policy.metadata)
    except SafetensorError as error:  # how safetensors reports a full disk
        raise OSError(f'cannot write {path}: {error}') from error
    with path.open('rb') as file:
        os.fsync(file.fileno())


def write_file(path: Path, content: bytes) -> None:
    """Write a file and wait until it is on the disk."""
    with path.open('wb') as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync(directory: Path) -> None:
    """Wait until the names in a directory are on the disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _verified(path: Path, expected: dict[str, Any]) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f'{path.name} is missing: {error.strerror}') from error
    found = _fingerprint(data)
    for name in ('size', 'sha256'):
        if found[name] != expected.get(name):
            raise CheckpointError(
                f'{path.name} is damaged: its {name} is {found[name]} '
                f'instead of {expected.get(name)}'
            )
    return data


def _fingerprint(data: bytes) -> dict[str, Any]:
    return {'size': len(data), 'sha256': hashlib.sha256(data).hexdigest()}


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _to_json(value: Any) -> Any:
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f'a checkpoint holds JSON values, got {value!r}')
