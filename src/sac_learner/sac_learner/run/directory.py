"""The directory a run leaves behind: what is needed to read, repeat and continue it.

config.yaml            parameters of the learner, and of every agent (agents/<id>.yaml)
environment.json       versions, git revision, machine, seed, command line
metrics.jsonl          one JSON object per line: training, episodes, evaluations, events
episodes.csv           one line per episode
tensorboard/           the same curves for TensorBoard
checkpoints/           what an exact resume needs; best policy
replay/                every transition, memory-mapped
learning_curve.png, summary.txt, policy.gif
"""

from collections.abc import Mapping
from importlib import metadata
import json
import os
from pathlib import Path
import platform
import subprocess
import sys
import time
from typing import Any

import yaml

PACKAGES = (
    'numpy', 'torch', 'ros-rclpy', 'ros-fastdds', 'mujoco', 'gymnasium', 'safetensors', 'rosbags',
)  # fmt: skip


class RunDirectoryError(ValueError):
    """A directory that cannot hold this run."""


class RunDirectory:
    """Paths and records of one run."""

    def __init__(self, path: Path) -> None:
        """Create the directory, or open it to continue the run in it.

        Raises:
            RunDirectoryError: The directory cannot be made or written.
        """
        self.path = path.expanduser().absolute()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunDirectoryError(f'{self.path} cannot be made: {error.strerror}') from error
        if not os.access(self.path, os.W_OK):
            raise RunDirectoryError(f'{self.path} cannot be written')

    def record_environment(self, seed: int, config: Mapping[str, Any]) -> None:
        """Write seed, versions, revision and configuration; a resumed run appends its start."""
        path = self.path / 'environment.json'
        previous = json.loads(path.read_text()) if path.exists() else None
        environment = previous or environment_record(seed)
        environment.setdefault('starts', []).append(
            {'time': time.strftime('%Y-%m-%dT%H:%M:%S%z'), 'command': sys.argv}
        )
        write_text(path, json.dumps(environment, indent=2))
        write_text(self.path / 'config.yaml', yaml.safe_dump(dict(config), sort_keys=False))

    def record_agent(self, agent_id: str, config: str) -> None:
        """Keep an agent's configuration, YAML text."""
        name = ''.join(c if c.isalnum() or c in '-_' else '_' for c in agent_id) or 'agent'
        directory = self.path / 'agents'
        directory.mkdir(exist_ok=True)
        write_text(directory / f'{name}.yaml', config)


def changed_values(before: str, after: str) -> dict[str, Any]:
    """Return what differs between two configurations, YAML text: new values by dotted name."""
    try:
        old, new = (_flat(yaml.safe_load(text)) for text in (before, after))
    except yaml.YAMLError:
        return {'configuration': 'not readable'}
    names = sorted(old.keys() | new.keys())
    return {name: new.get(name) for name in names if old.get(name) != new.get(name)}


def _flat(value: Any, prefix: str = '') -> dict[str, Any]:
    if not isinstance(value, dict):
        return {prefix: value}
    found: dict[str, Any] = {}
    for name, item in value.items():
        found |= _flat(item, f'{prefix}.{name}' if prefix else str(name))
    return found


def environment_record(seed: int) -> dict[str, Any]:
    """Return what a repetition of the run needs to know."""
    return {
        'seed': seed,
        'git_revision': git_revision(),
        'python': platform.python_version(),
        'platform': platform.platform(),
        'cpu_count': os.cpu_count(),
        'packages': {name: version for name in PACKAGES if (version := _version(name))},
    }


def git_revision() -> str:
    """Return the revision the code was built from, `-dirty` if changed, or `unknown`.

    Installed code lies outside its repository, so the working directory is asked, unless
    `SAC_GIT_REVISION` says it.
    """
    if revision := os.environ.get('SAC_GIT_REVISION'):
        return revision
    for directory in (Path(__file__).resolve().parent, Path.cwd()):
        try:
            described = subprocess.run(
                ['git', '-C', str(directory), 'describe', '--always', '--dirty', '--abbrev=40'],
                capture_output=True,
                text=True,
                timeout=5,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            continue
        return described.stdout.strip()
    return 'unknown'


def write_text(path: Path, text: str) -> None:
    """Write a file beside and rename it, so that a reader never sees half of it."""
    beside = path.with_name(f'.{path.name}.{os.getpid()}')
    try:
        beside.write_text(text)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
