"""One run of a sweep: where it is kept, how it is started or gone on with, what came of it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import json
from pathlib import Path
import shutil
import sys
from typing import Any

import yaml

from sac_learner.command_line import CommandError, settings_of
from sac_learner.run import metrics
from sac_learner.run.directory import write_text
from sac_learner.sweep.config import Choices, SweepConfig


@dataclass(frozen=True)
class Run:
    """A setting with a seed.

    Attributes:
        path: Its directory; the run itself is in ``path/run``, the output in ``path/output.log``.
    """

    path: Path
    seed: int
    settings: Mapping[str, Any]

    @property
    def directory(self) -> Path:
        """The run directory."""
        return self.path / 'run'

    @property
    def begun(self) -> bool:
        """Whether there is something to go on with."""
        return (self.directory / 'environment.json').exists()

    @property
    def finished(self) -> bool:
        """Whether it came to its end."""
        return any(record['event'] == 'finished' for record in self._records('event'))

    def curve(self, metric: str) -> dict[int, float]:
        """Return the evaluations so far, by steps, in order."""
        values: dict[int, float] = {}
        for record in self._records('evaluation'):
            value = record.get(metric, record['metrics'].get(metric))
            if isinstance(value, (int, float)):
                values[int(record['steps'])] = float(value)
        return dict(sorted(values.items()))

    def value(self, metric: str, what: str, sign: float) -> float:
        """Return what counts of a finished run.

        Args:
            metric: Of the evaluations.
            what: ``last``, ``best`` or ``mean``.
            sign: 1 where large values are good, else -1.

        Raises:
            RunError: No evaluation has that metric.
        """
        curve = list(self.curve(metric).values())
        if not curve:
            records = self._records('evaluation')
            names = {'return', 'success_rate'}.union(*(record['metrics'] for record in records))
            raise RunError(
                f'none of {len(records)} evaluations has {metric!r}; metrics are '
                f'{", ".join(sorted(names))}'
            )
        if what == 'last':
            return curve[-1]
        return sum(curve) / len(curve) if what == 'mean' else sign * max(sign * v for v in curve)

    def last_words(self) -> str:
        """Return the last line it wrote."""
        try:
            lines = (self.path / 'output.log').read_text(errors='replace').strip().splitlines()
        except OSError:
            return 'it wrote nothing'
        return lines[-1][-300:] if lines else 'it wrote nothing'

    def _records(self, kind: str) -> list[dict[str, Any]]:
        path = self.directory / 'metrics.jsonl'
        return metrics.read(path, kind) if path.exists() else []


class RunError(RuntimeError):
    """A run that says nothing about its setting."""


class Runner(ABC):
    """Knows the command line of a run."""

    @abstractmethod
    def check(self, config: SweepConfig) -> None:
        """Refuse settings that no run would take; raises CommandError."""

    @abstractmethod
    def command(self, run: Run, config: SweepConfig) -> list[str]:
        """Return the command that begins a run or goes on with it."""

    def environment(self, slot: int) -> dict[str, str]:
        """Return what the process needs in its environment besides ours."""
        return {'CI': 'true', 'OMP_NUM_THREADS': '1'}


@dataclass(frozen=True)
class GymRunner(Runner):
    """Runs ``train --env``."""

    env: str
    register: str = ''

    def check(self, config: SweepConfig) -> None:
        """Check names and types; the algorithm checks ranges when a run begins."""
        for name, what in config.settings.items():
            values = what.values if isinstance(what, Choices) else (what.low, what.high)
            for value in values:
                settings_of([_assignment(name, value)])

    def command(self, run: Run, config: SweepConfig) -> list[str]:
        """Return the command line of `sac_learner.gym.train`."""
        train = [sys.executable, '-m', 'sac_learner.gym.train']
        if run.begun:
            return [*train, '--resume', str(run.directory)]
        assignments = [_assignment(name, value) for name, value in run.settings.items()]
        return [
            *train,
            *('--env', self.env, '--seed', str(run.seed), '--steps', str(config.steps)),
            *('--run-dir', str(run.directory)),
            *(['--register', self.register] if self.register else []),
            *(['--set', *assignments] if assignments else []),
            *config.arguments,
        ]


@dataclass(frozen=True)
class LaunchRunner(Runner):
    """Runs ``ros2 launch``, every slot in a ROS domain of its own.

    Attributes:
        package: Of the launch file.
        file: Its name; it takes run_dir, resume, seed, steps and settings.
        first_domain: Of the first slot.
    """

    package: str
    file: str
    first_domain: int

    def check(self, config: SweepConfig) -> None:
        """Check that there is a `ros2`; the nodes check the settings."""
        if shutil.which('ros2') is None:
            raise CommandError('--launch needs ros2 on the PATH: source the workspace first')

    def command(self, run: Run, config: SweepConfig) -> list[str]:
        """Write the settings beside the run and return the command."""
        sections: dict[str, Any] = {}
        for name, value in run.settings.items():
            node, _, rest = name.partition('.')
            if node != 'sac_agent':
                node, rest = 'sac_learner', name
            sections.setdefault(f'/**/{node}', {'ros__parameters': {}})
            sections[f'/**/{node}']['ros__parameters'][rest] = value
        settings = run.path / 'settings.yaml'
        if sections:
            run.path.mkdir(parents=True, exist_ok=True)
            write_text(settings, yaml.safe_dump(sections))
        where = 'resume' if run.begun else 'run_dir'
        return [
            *('ros2', 'launch', self.package, self.file, f'{where}:={run.directory}'),
            *(f'seed:={run.seed}', f'steps:={config.steps}'),
            *([f'settings:={settings}'] if sections else []),
            *config.arguments,
        ]

    def environment(self, slot: int) -> dict[str, str]:
        """Keep the runs apart from each other and from every robot in the network."""
        return {
            **super().environment(slot),
            'ROS_DOMAIN_ID': str(self.first_domain + slot),
            'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        }


def runs_of(
    directory: Path, trial: int, settings: Mapping[str, Any], seeds: Sequence[int]
) -> list[Run]:
    """Return the runs of a setting, one per seed, and write down what it is."""
    top = directory / 'trials' / f'{trial:04}'
    top.mkdir(parents=True, exist_ok=True)
    write_text(top / 'settings.json', json.dumps(dict(settings), indent=2))
    return [Run(top / f'seed{seed}', seed, settings) for seed in seeds]


def _assignment(name: str, value: Any) -> str:
    if isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, (list, tuple)):
        text = ','.join(map(str, value))
    else:
        text = str(value)
    return f'{name}={text}'
