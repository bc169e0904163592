"""Try seeds and settings: ``ros2 run sac_learner sweep --env Pendulum-v1 --study sweep.yaml``."""

import argparse
from collections.abc import Callable, Iterator, Sequence
import contextlib
import csv
from dataclasses import dataclass, field
import fcntl
import io
import os
from pathlib import Path
import sys
import time
from typing import Any

from sac_learner.command_line import (
    arguments,
    CommandError,
    CommandParser,
    interruptible,
    run,
    say,
)
from sac_learner.run.directory import write_text
from sac_learner.sweep.config import read, SweepConfig
from sac_learner.sweep.pool import Pool
from sac_learner.sweep.runs import GymRunner, LaunchRunner, Run, RunError, Runner, runs_of
from sac_learner.sweep.study import Study

LOOK = 0.2  # [s] between two looks at the runs
JUDGE = 2.0  # [s] between two looks at their curves
ATTEMPTS = 2  # of one run
HOPELESS = 3  # settings that fail one after the other
FAILURE = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Sweep, or go on with a sweep; return 0 when it is complete or was interrupted."""
    args = _parser().parse_args(arguments(argv))
    return run(lambda: _sweep(args), 'sweep')


def _parser() -> CommandParser:
    parser = CommandParser(
        'sweep',
        'Try seeds and settings side by side with Optuna; the same command again goes on.',
        '--env Pendulum-v1 --study sweep.yaml --workers 4\n'
        '--launch sac_agent dclaw_valve.launch.py --study sweep.yaml',
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument('--env', help='Gymnasium environment, as for train')
    what.add_argument(
        '--launch', nargs=2, metavar=('PACKAGE', 'FILE'), help='launch file, as for ros2 launch'
    )
    parser.add_argument(
        '--study', type=Path, required=True, metavar='YAML', help='what to try (docs/sweeps.md)'
    )
    parser.add_argument('--dir', type=Path, help='where it is kept; default runs/NAME of the file')
    parser.add_argument('--workers', type=int, default=1, help='runs side by side (1)')
    parser.add_argument(
        '--register', default='', metavar='MODULE:FUNCTION', help='makes more environments known'
    )
    return parser


def _sweep(args: argparse.Namespace) -> int:
    config = read(args.study)
    runner = _runner(args)
    runner.check(config)
    if args.workers < 1:
        raise CommandError(f'--workers must be at least 1, got {args.workers}')
    directory = (args.dir or Path('runs') / args.study.stem).absolute()
    with _locked(directory), interruptible() as stopped:
        _keep(directory, args.study, ' '.join(args.launch or [args.env]))
        sweep = Sweep(directory, config, runner, args.workers)
        complete = sweep.run(stopped)
        sweep.tell()
    if sweep.hopeless:
        raise CommandError(f'{HOPELESS} settings failed one after the other: {sweep.hopeless}')
    if not complete:
        say('interrupted and saved; the same command goes on')
    return 0


def _runner(args: argparse.Namespace) -> Runner:
    if args.env:
        return GymRunner(args.env, args.register)
    package, file = args.launch
    return LaunchRunner(package, file, int(os.environ.get('ROS_DOMAIN_ID') or 0) + 1)


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Let one process at a time work on a sweep."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / 'lock').open('a') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(f'{directory} is being worked on by another process') from None
        yield


def _keep(directory: Path, study: Path, task: str) -> None:
    """Keep what is swept; another file or task is another sweep.

    Raises:
        CommandError: The directory holds another sweep.
    """
    for name, text in (('sweep.yaml', study.read_text()), ('task', f'{task}\n')):
        kept = directory / name
        if not kept.exists():
            write_text(kept, text)
        elif kept.read_text() != text:
            raise CommandError(
                f'{directory} holds a sweep with another {name}; give another --dir, or the same '
                f'{name} as in {kept}'
            )


@dataclass
class _Open:
    """A setting under way."""

    trial: Any
    runs: list[Run]
    waiting: list[Run]
    attempts: dict[Path, int] = field(default_factory=dict)
    reported: set[int] = field(default_factory=set)


class Sweep:
    """Keeps all slots busy until every setting is tried.

    Attributes:
        hopeless: Last words of the last of several runs that failed, or ''.
    """

    def __init__(self, directory: Path, config: SweepConfig, runner: Runner, workers: int) -> None:
        """Open the study, and take up again what was under way."""
        self._directory, self._config, self._runner = directory, config, runner
        self._study = Study(directory, config)
        self._pool = Pool(workers)
        self._open: dict[int, _Open] = {}
        self._failures = 0
        self._judged = time.monotonic()
        self.hopeless = ''
        for trial in self._study.unfinished():
            self._begin(trial)

    def run(self, stopped: Callable[[], bool]) -> bool:
        """Work until all is done, or until `stopped`; return whether all is done."""
        try:
            while not stopped() and not self.hopeless:
                for path, status in self._pool.ended():
                    self._on_end(path, status)
                for known in list(self._open.values()):
                    self._conclude(known)
                if self._config.prune and time.monotonic() - self._judged > JUDGE:
                    self._judged = time.monotonic()
                    for known in list(self._open.values()):
                        self._judge(known)
                if not self._fill() and not self._open:
                    return True
                time.sleep(LOOK)
        finally:
            self._pool.close()
        return False

    def tell(self) -> None:
        """Write results.csv and say what was best."""
        rows = self._study.results()
        names = ['trial', 'state', 'value', *self._config.settings]
        text = io.StringIO()
        writer = csv.DictWriter(text, names, restval='')
        writer.writeheader()
        writer.writerows(rows)
        write_text(self._directory / 'results.csv', text.getvalue())
        finished = [row for row in rows if row['value'] is not None]
        say(f'{len(finished)} of {self._config.wanted} settings tried: {self._directory}')
        for row in finished[:5]:
            settings = ', '.join(f'{name} {_short(row[name])}' for name in self._config.varying)
            say(f'  trial {row["trial"]}: {self._config.metric} {row["value"]:.4g}  {settings}')

    def _begin(self, trial: Any) -> None:
        settings = self._study.settings(trial)
        runs = runs_of(self._directory, trial.number, settings, self._config.seeds)
        waiting = [run for run in runs if not run.finished]
        self._open[trial.number] = _Open(trial, runs, waiting)

    def _fill(self) -> bool:
        """Give every free slot a run; return whether there was one to give."""
        given = False
        for slot in self._pool.free:
            known = next((o for o in self._open.values() if o.waiting), None)
            if known is None:
                trial = self._study.ask()
                if trial is None:
                    break
                self._begin(trial)
                known = self._open[trial.number]
                if not known.waiting:  # all of it was done before
                    continue
            run = known.waiting.pop(0)
            command = self._runner.command(run, self._config)
            self._pool.start(run.path, command, self._runner.environment(slot), slot)
            say(f'trial {known.trial.number}, seed {run.seed}: {"on" if run.begun else "begun"}')
            given = True
        return given

    def _on_end(self, path: Path, status: int) -> None:
        known = next((o for o in self._open.values() if any(r.path == path for r in o.runs)), None)
        if known is None:
            return  # of a setting that was given up
        run = next(run for run in known.runs if run.path == path)
        if run.finished:
            return
        known.attempts[path] = known.attempts.get(path, 0) + 1
        if known.attempts[path] < ATTEMPTS:
            known.waiting.insert(0, run)
        else:
            self._give_up(known, f'seed {run.seed} ended with {status}: {run.last_words()}')

    def _conclude(self, known: _Open) -> None:
        """Tell the study the value of a setting whose runs have all ended."""
        if known.waiting or any(self._pool.runs(run.path) for run in known.runs):
            return
        config = self._config
        if config.prune:
            self._report(known)  # what it evaluated last is a measure for others, too
        sign = 1.0 if config.direction == 'maximise' else -1.0
        try:
            values = [run.value(config.metric, config.value, sign) for run in known.runs]
        except RunError as error:
            self._give_up(known, str(error))
            return
        mean = sum(values) / len(values)
        self._study.complete(known.trial, mean)
        self._failures = 0
        say(f'trial {known.trial.number}: {config.metric} {mean:.4g}')
        del self._open[known.trial.number]

    def _judge(self, known: _Open) -> None:
        """Stop a setting that is poor already."""
        if not self._report(known):
            return
        self._pool.interrupt([run.path for run in known.runs])
        self._study.pruned(known.trial)
        say(f'trial {known.trial.number}: stopped, below the median')
        del self._open[known.trial.number]

    def _report(self, known: _Open) -> bool:
        """Tell the study what all seeds that have begun have evaluated; return whether to stop."""
        curves = [curve for run in known.runs if (curve := run.curve(self._config.metric))]
        if not curves:
            return False
        common = set.intersection(*(set(curve) for curve in curves)) - known.reported
        for steps in sorted(common):
            known.reported.add(steps)
            mean = sum(curve[steps] for curve in curves) / len(curves)
            if self._study.report(known.trial, steps, mean):
                return True
        return False

    def _give_up(self, known: _Open, reason: str) -> None:
        self._pool.interrupt([run.path for run in known.runs])
        self._study.failed(known.trial, reason)
        say(f'trial {known.trial.number} failed: {reason}')
        del self._open[known.trial.number]
        self._failures += 1
        if self._failures >= HOPELESS:
            self.hopeless = reason


def _short(value: Any) -> str:
    return f'{value:.4g}' if isinstance(value, float) else str(value)


if __name__ == '__main__':
    sys.exit(main())
