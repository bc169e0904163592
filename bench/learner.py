"""Updates per second: this learner, SB3 and SBX, in interleaved slices of one run.

    PYTHONPATH=src/sac_core:src/sac_learner python3 bench/learner.py --peer-python PEERS/bin/python

Each contestant lives in a process of its own (learner_contestant.py) and idles between its
slices, so that drift of the machine hits all alike. Slices during which other work took part of
the machine are left out, as long as three remain; figures are medians. Peers run where
`--peer-python` has them and are left out where it does not. `sgemm` is the rate at which products
of 256x256 matrices would make up updates.
"""

import argparse
import contextlib
from dataclasses import dataclass, field
import importlib.util
import multiprocessing
import os
from pathlib import Path
import statistics
import subprocess
import sys
import time

CONTESTANT = Path(__file__).with_name('learner_contestant.py')
CASES = {
    'state-17x6': ['--obs', '17', '--act', '6'],
    'state-31x9': ['--obs', '31', '--act', '9'],
    'image': ['--obs', '18', '--act', '9', '--image'],
}
LABELS = {
    'native': 'ours, compiled',
    'torch': 'ours, torch only',
    'sb3': 'SB3',
    'sbx': 'SBX',
    'sbx-64': 'SBX, 64 updates per call',
    'roof': 'sgemm',
}
OURS = ('native', 'torch')
TICK = os.sysconf('SC_CLK_TCK')
FOREIGN = 0.25  # cores of other work above which a slice does not count
KEPT = 3  # slices that always count: the cleanest


def busy_time() -> float:
    """Return the seconds that all cores have worked."""
    ticks = Path('/proc/stat').read_text(encoding='ascii').split('\n', 1)[0].split()[1:9]
    return (sum(map(int, ticks)) - int(ticks[3]) - int(ticks[4])) / TICK


def own_time(pid: int) -> float:
    """Return the seconds that a process has worked."""
    fields = Path(f'/proc/{pid}/stat').read_text(encoding='ascii').rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def prefer(pid: int) -> None:
    """Take the cores from other work for a process."""
    for task in Path(f'/proc/{pid}/task').iterdir():
        os.sched_setscheduler(int(task.name), os.SCHED_RR, os.sched_param(1))


def release(pid: int) -> None:
    """Undo `prefer`."""
    for task in Path(f'/proc/{pid}/task').iterdir():
        os.sched_setscheduler(int(task.name), os.SCHED_OTHER, os.sched_param(0))


@dataclass
class Rates:
    """Updates per second of some slices, each beside the cores that other work took."""

    slices: list[tuple[float, float]] = field(default_factory=list)

    def kept(self) -> list[float]:
        """Return the rates that count."""
        ordered = sorted(self.slices)
        clean = [rate for foreign, rate in ordered if foreign <= FOREIGN]
        return clean if len(clean) >= KEPT else [rate for _, rate in ordered[:KEPT]]

    @property
    def median(self) -> float:
        """The figure."""
        return statistics.median(self.kept())

    def __str__(self) -> str:
        """Return the figure with its range."""
        kept = self.kept()
        return f'{self.median:.1f} ({min(kept):.0f}-{max(kept):.0f})'


class Contestant:
    """A worker process; `threads` 0 is its own default."""

    def __init__(self, name: str, threads: int, case: str, options: argparse.Namespace) -> None:
        """Start it; `ready` waits until it is warm."""
        self.name, self.threads = name, threads
        self.idle, self.beside = Rates(), Rates()
        self._exclusive: bool = options.exclusive
        self._verbose: bool = options.verbose
        python = options.peer_python if name.startswith('sb') else sys.executable
        environment = dict(os.environ)
        pin: list[str] = []
        if threads:
            environment['OMP_NUM_THREADS'] = str(threads)
            if name.startswith('sbx'):  # XLA takes as many threads as there are cores to run on
                pin = ['taskset', '-c', f'0-{threads - 1}']
        command = [*pin, python, str(CONTESTANT), name, '--threads', str(threads), *CASES[case]]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if options.verbose else subprocess.DEVNULL,
            text=True,
            env=environment,
        )

    def ready(self) -> bool:
        """Return whether it came up."""
        return self._answer() == 'ready'

    def slice(self, seconds: float, rates: Rates, busy: int = 0) -> None:
        """Run for a while beside `busy` busy processes and note the rate."""
        assert self._process.stdin is not None
        pid = self._process.pid
        if self._exclusive:
            prefer(pid)
        start, before, own = time.perf_counter(), busy_time(), own_time(pid)
        self._process.stdin.write(f'{seconds}\n')
        self._process.stdin.flush()
        rate = float(self._answer())
        wall = time.perf_counter() - start
        worked = busy_time() - before - (own_time(pid) - own)
        if self._exclusive:
            release(pid)
        rates.slices.append((max(0.0, worked / wall - busy), rate))
        if self._verbose:
            beside = f' beside {busy} busy cores' if busy else ''
            print(f'{self.name}, {self.threads} threads{beside}: {rate:.1f}', flush=True)

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()

    def _answer(self) -> str:
        return self._process.stdout.readline().strip() if self._process.stdout else ''


def spin() -> None:
    """Keep a core busy."""
    while True:
        sum(range(10_000))


def main() -> None:
    """Run all cases and print a table for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--cases', nargs='+', choices=CASES, default=list(CASES))
    parser.add_argument('--threads', nargs='+', type=int, default=[1, 2, 4])
    parser.add_argument('--busy', type=int, default=2, help='busy cores of the second part')
    parser.add_argument('--slices', type=int, default=7)
    parser.add_argument('--seconds', type=float, default=0.6, help='length of a slice')
    parser.add_argument('--rest', type=float, default=0.0, help='seconds between slices')
    parser.add_argument('--pause', action='store_true', help='start measuring at a line on stdin')
    parser.add_argument(
        '--exclusive',
        action='store_true',
        help='real-time priority during a slice, so that other work waits (privileged)',
    )
    parser.add_argument('--peer-python', default=sys.executable)
    parser.add_argument('--only', nargs='+', choices=LABELS, help='contestants to run')
    parser.add_argument('--verbose', action='store_true', help='show every slice, and complaints')
    options = parser.parse_args()
    if not Path(options.peer_python).is_file():
        parser.error(f'--peer-python {options.peer_python} does not exist')
    if importlib.util.find_spec('sac_learner') is None:
        parser.error('sac_learner not found: build the workspace, or set PYTHONPATH (see the top)')
    for case in options.cases:
        with contextlib.ExitStack() as stack:
            contestants = start(case, options, stack)
            if options.pause:
                print('ready', flush=True)
                sys.stdin.readline()
            if options.exclusive:
                os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(2))
            measure(contestants, options, stack)
            if options.exclusive:
                os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        report(case, contestants, options)


def start(case: str, options: argparse.Namespace, stack: contextlib.ExitStack) -> list[Contestant]:
    """Return the contestants of a case that came up."""
    names = ['native', 'torch', 'sb3', *([] if case == 'image' else ['sbx', 'roof'])]
    names = options.only or names
    entries = [(name, threads) for name in names for threads in options.threads]
    entries += [(name, 0) for name in names if name in OURS]
    contestants: list[Contestant] = []
    started = [Contestant(name, threads, case, options) for name, threads in entries]
    for contestant in started:
        stack.callback(contestant.stop)
    for contestant in started:
        if contestant.ready():
            contestants.append(contestant)
        else:
            print(f'{contestant.name} left out: it did not start (see --verbose)')
    return contestants


def measure(
    contestants: list[Contestant], options: argparse.Namespace, stack: contextlib.ExitStack
) -> None:
    """Let the contestants take turns, on idle cores and then beside busy ones."""
    for contestant in contestants:  # one by one: teams of threads that meet do not get on
        contestant.slice(0.1, Rates())
    for _ in range(options.slices):
        for contestant in contestants:
            time.sleep(options.rest)
            contestant.slice(options.seconds, contestant.idle)
    if not options.busy:
        return
    for _ in range(options.busy):
        process = multiprocessing.Process(target=spin, daemon=True)
        process.start()
        stack.callback(process.kill)
        if options.exclusive and process.pid:
            prefer(process.pid)
    # Ours as shipped; a peer with whatever number of threads is its best.
    shipped = [c for c in contestants if c.threads == 0 or c.name not in (*OURS, 'roof')]
    for _ in range(options.slices):
        for contestant in shipped:
            time.sleep(options.rest)
            contestant.slice(options.seconds, contestant.beside, options.busy)


def report(case: str, contestants: list[Contestant], options: argparse.Namespace) -> None:
    """Print the table of a case."""
    cores = len(os.sched_getaffinity(0))
    print(f'\n{case}: batch 256, {cores} cores, load {os.getloadavg()[0]:.1f} at the end\n')
    columns = [*options.threads, 0]
    titles = [f'{n} thread{"s"[: n > 1]}' if n else 'default' for n in columns]
    if options.busy:
        titles.append(f'beside {options.busy} busy cores')
    print(f'| updates/s | {" | ".join(titles)} |')
    print(f'|---|{"---|" * len(titles)}')
    found = {(c.name, c.threads): c for c in contestants}
    names = list(dict.fromkeys(c.name for c in contestants))
    best: dict[str, Contestant] = {}
    for name in names:
        loaded = [c for c in contestants if c.name == name and c.beside.slices]
        if loaded:
            best[name] = max(loaded, key=lambda c: c.beside.median)
    for name in names:
        cells = [str(found[name, n].idle) if (name, n) in found else '' for n in columns]
        if options.busy:
            cells.append(beside(best[name]) if name in best else '')
        print(f'| {LABELS[name]} | {" | ".join(cells)} |')
    for name, other, factor, unit in (
        ('native', 'sb3', 1, 'x SB3'),
        ('native', 'sbx', 1, 'x SBX'),
        ('native', 'sbx-64', 1, 'x SBX, 64 per call'),
        ('native', 'roof', 100, '% of sgemm'),
        ('torch', 'sb3', 1, 'x SB3'),
    ):
        if name not in names or other not in names:
            continue
        cells = []
        for n in columns:
            ours, theirs = found.get((name, n)), found.get((other, n))
            known = ours and theirs
            cells.append(f'{factor * ours.idle.median / theirs.idle.median:.3g}' if known else '')
        if options.busy:
            known = name in best and other in best
            ratio = best[name].beside.median / best[other].beside.median if known else 0.0
            cells.append(f'{factor * ratio:.3g}' if known else '')
        print(f'| {LABELS[name]}: {unit} | {" | ".join(cells)} |')


def beside(contestant: Contestant) -> str:
    """Return the rate beside busy cores and the number of threads that gave it."""
    return f'{contestant.beside}, threads: {contestant.threads or "default"}'


if __name__ == '__main__':
    main()
