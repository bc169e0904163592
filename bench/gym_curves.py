"""Learning curves beside Stable-Baselines3 on the paper's Gymnasium tasks, seeds in parallel.

    python3 bench/gym_curves.py --directory runs/curves --jobs 4 --peer-python PEERS/bin/python
    ... --algorithms sac sb3-sac sb3-td3 sb3-ddpg sb3-ppo --envs Humanoid-v5 --steps 1e6
    ... --report                        table and figure of what there is, no training
    ... --report --steps 5e4            the same as of 50 000 steps

The presets of docs/sac.md by their names (`sac` is `default`), peers as `sb3-NAME`. Every run is
a process with one thread and leaves its result in a directory of its own. Called again, finished
runs are kept and others go on, ours from their checkpoints, peers from their last evaluation. Each
is evaluated alike: deterministic episodes every so many steps, in an environment of its own.
"""

import argparse
from collections.abc import Iterable
import contextlib
from dataclasses import dataclass, field
import json
import os
from pathlib import Path
import signal
import subprocess
import sys
import time
from typing import Any

import numpy as np

from sac_learner.gym.plot import band_of, Curve, draw
from sac_learner.run import metrics
from sac_learner.run.directory import environment_record

PEERS = ('sb3-sac', 'sb3-td3', 'sb3-ddpg', 'sb3-ppo')
OURS = {'sac': 'default', **{name: name for name in ('light', 'paper', 'droq', 'redq', 'crossq')}}
ENVS = ('Hopper-v5', 'HalfCheetah-v5', 'Walker2d-v5')
WARMUP = 1000  # random steps before learning, for all that take some
PERIOD = 30.0  # [s] between two lines of progress
BASELINE = 'sb3-sac'


@dataclass(frozen=True)
class Run:
    """One algorithm on one environment with one seed."""

    algorithm: str
    env: str
    seed: int
    limit: int
    arguments: argparse.Namespace = field(compare=False)

    @property
    def name(self) -> str:
        """Name of its directory."""
        return f'{self.algorithm}-{self.env.replace("/", "-")}-seed{self.seed}'

    @property
    def directory(self) -> Path:
        """Where it keeps everything."""
        found: Path = self.arguments.directory / self.name
        return found

    def command(self) -> list[str]:
        """Return what starts it, or goes on with it."""
        a = self.arguments
        common = ['--seed', str(self.seed), '--steps', str(self.limit), '--env', self.env]
        common += ['--eval-every', str(a.eval_every), '--eval-episodes', str(a.eval_episodes)]
        if self.algorithm in PEERS:
            script = Path(__file__).with_name('gym_peer.py')
            options = ['--warmup', str(WARMUP), '--output', str(self.directory / 'peer.json')]
            return [a.peer_python, str(script), self.algorithm[4:], *common, *options]
        train = [sys.executable, '-m', 'sac_learner.gym.train', *common]
        if (self.directory / 'environment.json').exists():
            return [*train, '--resume', str(self.directory)]
        options = ['--run-dir', str(self.directory), '--preset', OURS[self.algorithm], '--set']
        fixed = [f'warmup_steps={WARMUP}', f'learning_starts={WARMUP}']
        return [*train, *options, 'threads=1', 'tensorboard=false', *fixed]

    def steps(self) -> int:
        """Return how far it is."""
        evaluations = self.evaluations()
        steps = evaluations[-1][0] if evaluations else 0
        if self.algorithm in PEERS:
            return int(self._peer().get('steps', steps))
        with contextlib.suppress(OSError, IndexError):
            training = metrics.read(self.directory / 'metrics.jsonl', 'training')
            steps = max(steps, int(training[-1]['steps']))
        return steps

    def evaluations(self) -> list[tuple[int, float]]:
        """Return steps and mean return of each evaluation."""
        records: Iterable[dict[str, Any]] = []
        if self.algorithm in PEERS:
            records = self._peer().get('evaluations', [])
        else:
            with contextlib.suppress(OSError):
                records = metrics.read(self.directory / 'metrics.jsonl', 'evaluation')
        return sorted({int(r['steps']): float(r['return']) for r in records}.items())

    def finished(self) -> bool:
        """Return whether the last evaluation is there."""
        evaluations = self.evaluations()
        return bool(evaluations) and evaluations[-1][0] >= self.limit

    def _peer(self) -> dict[str, Any]:
        try:
            record: dict[str, Any] = json.loads((self.directory / 'peer.json').read_text())
        except (OSError, ValueError):
            return {}
        return record


class Crew:
    """Runs in processes of their own, a few at a time."""

    def __init__(self, waiting: list[Run], arguments: argparse.Namespace) -> None:
        """Begin with nothing running."""
        self._waiting = waiting
        self._arguments = arguments
        self._all = list(waiting)
        self._running: dict[Run, subprocess.Popen[bytes]] = {}
        self._begun = time.monotonic()
        self._before = {run: run.steps() for run in waiting}
        self.failed: list[Run] = []

    def work(self) -> None:
        """Run everything; show progress now and then."""
        shown = 0.0
        while self._waiting or self._running:
            while self._waiting and len(self._running) < self._arguments.jobs:
                self._start(self._waiting.pop(0))
            time.sleep(1.0)
            for run, process in list(self._running.items()):
                if process.poll() is not None:
                    self._end(run, process.returncode)
            if time.monotonic() - shown >= PERIOD:
                shown = time.monotonic()
                print(self._progress(), flush=True)

    def stop(self) -> None:
        """Let what runs save itself and end."""
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            process.wait()

    def _start(self, run: Run) -> None:
        run.directory.mkdir(parents=True, exist_ok=True)
        threads = dict.fromkeys(('OMP_NUM_THREADS', 'MKL_NUM_THREADS'), '1')
        with (run.directory / 'output.log').open('ab') as log:
            self._running[run] = subprocess.Popen(
                run.command(), stdout=log, stderr=log, env={**os.environ, **threads}
            )

    def _end(self, run: Run, status: int) -> None:
        del self._running[run]
        if run.finished():
            steps, value = run.evaluations()[-1]
            print(f'{run.name}: {value:.0f} after {steps} steps', flush=True)
        else:
            self.failed.append(run)
            print(f'{run.name}: ended with {status}, see {run.directory}/output.log', flush=True)

    def _progress(self) -> str:
        now = {run: min(run.steps(), run.limit) for run in self._all}
        new = sum(max(0, now[run] - self._before[run]) for run in self._all)
        rate = new / (time.monotonic() - self._begun)
        left = sum(run.limit - steps for run, steps in now.items())
        parts = [f'{run.name} {now[run] / run.limit:.0%}' for run in self._running]
        eta = f'{left / rate / 60:.0f} min' if rate > 0 else 'unknown'
        done = len(self._all) - len(self._waiting) - len(self._running)
        return f'{done}/{len(self._all)} runs | ETA {eta} | {", ".join(parts)}'


def report(runs: list[Run], arguments: argparse.Namespace) -> None:
    """Print the table and draw the figure."""
    groups: dict[str, dict[str, list[Curve]]] = {}
    unfinished = []
    for run in runs:
        points = run.evaluations()
        if not run.finished():
            unfinished.append(f'{run.name} ({points[-1][0] if points else 0} steps)')
            continue
        steps, values = np.array([p for p in points if p[0] <= run.limit], float).T
        curve = Curve(run.env, run.algorithm, run.seed, steps, values)
        groups.setdefault(run.env, {}).setdefault(run.algorithm, []).append(curve)
    known = environment_record(0)['packages']
    print(f'{os.cpu_count()} processors, {", ".join(f"{k} {v}" for k, v in known.items())}')
    print(
        '| task | algorithm | seeds | steps | return at the end, mean (least to largest) '
        f'| mean of the last fifth | steps to the final return of {BASELINE} |'
    )
    print('|---|---|---|---|---|---|---|')
    for env, members in groups.items():
        goal = final(members[BASELINE]) if BASELINE in members else None
        for algorithm, curves in members.items():
            ends = [curve.values[-1] for curve in curves]
            late = [c.values[c.steps > 0.8 * c.steps[-1]].mean() for c in curves]
            cells = [
                f'{curves[0].steps[-1]:.0f}',
                f'{np.mean(ends):.0f} ({min(ends):.0f} to {max(ends):.0f})',
                f'{np.mean(late):.0f} ({min(late):.0f} to {max(late):.0f})',
                steps_to(curves, goal),
            ]
            print(f'| {env} | {algorithm} | {len(curves)} | {" | ".join(cells)} |')
    if unfinished:
        print(f'not finished and left out: {", ".join(unfinished)}')
    if groups:
        bands = {
            env: {label: band_of(curves) for label, curves in members.items()}
            for env, members in groups.items()
        }
        draw(bands, 'return').savefig(arguments.figure, dpi=150)
        print(f'figure: {arguments.figure}')


def final(curves: list[Curve]) -> float:
    """Return the mean over seeds of the last evaluation."""
    return float(np.mean([curve.values[-1] for curve in curves]))


def steps_to(curves: list[Curve], goal: float | None) -> str:
    """Return when the mean over seeds first was at least `goal`."""
    if goal is None:
        return '-'
    band = band_of(curves)
    reached = band.steps[band.mean >= goal]
    return f'{reached[0]:.0f}' if reached.size else 'not reached'


def algorithm(text: str) -> tuple[str, int]:
    """Read NAME or NAME:STEPS.

    Raises:
        argparse.ArgumentTypeError: There is no such algorithm, or STEPS is no number.
    """
    name, _, steps = text.partition(':')
    try:
        if name in (*OURS, *PEERS):
            return name, int(float(steps or 0))
    except ValueError:
        pass
    names = ', '.join((*OURS, *PEERS))
    raise argparse.ArgumentTypeError(f'must be NAME or NAME:STEPS of {names}, got {text!r}')


def main() -> int:
    """Run what is missing and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--directory', type=Path, required=True, help='where runs are kept')
    parser.add_argument(
        '--algorithms', nargs='+', type=algorithm, default=[('sac', 0), ('sb3-sac', 0)],
        metavar='NAME[:STEPS]', help=f'of {", ".join((*OURS, *PEERS))}; steps other than --steps',
    )  # fmt: skip
    parser.add_argument('--envs', nargs='+', default=list(ENVS))
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    parser.add_argument('--steps', type=lambda text: int(float(text)), default=100_000)
    parser.add_argument('--eval-every', type=int, default=5000, help='steps')
    parser.add_argument('--eval-episodes', type=int, default=10)
    parser.add_argument('--jobs', type=int, default=1, help='runs at a time')
    parser.add_argument('--peer-python', default=sys.executable, help='Python that has SB3')
    parser.add_argument('--report', action='store_true', help='only report what there is')
    parser.add_argument('--figure', type=Path, help='default: DIRECTORY/curves.png')
    arguments = parser.parse_args()
    arguments.figure = arguments.figure or arguments.directory / 'curves.png'
    if not Path(arguments.peer_python).is_file():
        parser.error(f'--peer-python {arguments.peer_python} does not exist')
    runs = [
        Run(name, env, seed, limit or arguments.steps, arguments)
        for env in arguments.envs
        for seed in arguments.seeds
        for name, limit in arguments.algorithms
    ]
    if any(run.limit % arguments.eval_every for run in runs):
        parser.error('steps must be a multiple of --eval-every, so that the end is evaluated')
    failed: list[Run] = []
    if not arguments.report:
        crew = Crew([run for run in runs if not run.finished()], arguments)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        try:
            crew.work()
        finally:
            crew.stop()
        failed = crew.failed
    report(runs, arguments)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
