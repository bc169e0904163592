"""Updates per second: this learner, SB3 and SBX, in interleaved slices of one run.

    PYTHONPATH=src/sac_core:src/sac_learner python3 bench/learner.py --threads 1 2 4
    ... --busy 2 --threads default      beside two busy cores, ours with its default thread choice
    ... --image                         32x32x3 images and 18 numbers, the paper's encoder

Each contestant lives in a process of its own and idles between its slices, so that drift of the
machine hits all alike; figures are medians. Peers run where they are installed
(`--peer-python PATH`) and are left out where they are not. One update: sample 256 transitions from
a replay, then a step of the critics, the policy, the temperature and the targets.
"""

import argparse
from collections.abc import Callable
import contextlib
import importlib.util
import multiprocessing
import os
from pathlib import Path
import statistics
import subprocess
import sys
import time

import numpy as np

MEGAFLOP = {(17, 6): 577.0, (30, 9): 603.0, (31, 9): 605.0}  # of one update, products only
ROWS = 20_000
BATCH = 256
Burst = Callable[[], int]  # makes some updates and returns how many


def data(arguments: argparse.Namespace, rows: int = ROWS) -> dict[str, np.ndarray]:
    """Return random transitions, the same for every contestant."""
    rng = np.random.default_rng(0)
    shape = {'vector': arguments.obs, 'next_vector': arguments.obs, 'action': arguments.act}
    columns = {k: rng.standard_normal((rows, n), dtype=np.float32) for k, n in shape.items()}
    columns['action'] = np.tanh(columns['action'])
    columns['reward'] = rng.standard_normal(rows, dtype=np.float32)
    columns['discount'] = np.full(rows, 0.99, np.float32)
    if arguments.image:
        for name in ('image', 'next_image'):
            columns[name] = rng.integers(0, 256, (rows, 32, 32, 3), dtype=np.uint8)
    return columns


def ours(arguments: argparse.Namespace, backend: str) -> Burst:
    """Return a burst of our learner."""
    from sac_learner.sac import Batch, Sac, SacConfig

    columns = data(arguments, 4000 if arguments.image else ROWS)
    rng = np.random.default_rng(1)
    threads = None if arguments.threads == 'default' else int(arguments.threads)
    image = (32, 32, 3) if arguments.image else None
    learner = Sac(
        arguments.obs,
        image,
        arguments.act,
        SacConfig(),
        seed=0,
        threads=threads,
        backend=backend,
    )

    def sample() -> Batch:
        index = rng.integers(0, len(columns['reward']), BATCH)
        return Batch(**{name: column.take(index, axis=0) for name, column in columns.items()})

    count = 2 if arguments.image else 10

    def burst() -> int:
        learner.update(sample, count)
        return count

    return burst


def peer(arguments: argparse.Namespace, name: str) -> Burst:
    """Return a burst of SB3 or SBX (the latter as `train(1)` or, 'sbx-64', `train(64)`)."""
    import gymnasium
    import torch

    if arguments.threads != 'default':
        torch.set_num_threads(int(arguments.threads))
    vector = gymnasium.spaces.Box(-10, 10, (arguments.obs,), np.float32)
    space: gymnasium.Space = vector
    if arguments.image:
        picture = gymnasium.spaces.Box(0, 255, (3, 32, 32), np.uint8)
        space = gymnasium.spaces.Dict({'image': picture, 'vector': vector})

    class Idle(gymnasium.Env):
        observation_space = space
        action_space = gymnasium.spaces.Box(-1, 1, (arguments.act,), np.float32)

        def reset(self, *, seed=None, options=None):
            return self.observation_space.sample(), {}

        def step(self, action):
            return self.observation_space.sample(), 0.0, False, False, {}

    rows = 2000 if arguments.image else ROWS
    settings: dict = {'buffer_size': rows, 'learning_starts': 0, 'seed': 0}
    if name == 'sb3':
        from stable_baselines3 import SAC
    else:
        from sbx import SAC
    policy = 'MlpPolicy'
    if arguments.image:
        policy = 'MultiInputPolicy'
        settings['policy_kwargs'] = {'features_extractor_class': _paper_encoder()}
    else:
        settings['policy_kwargs'] = {'net_arch': [256, 256]}
    model = SAC(policy, Idle(), device='cpu', **settings)
    from stable_baselines3.common.logger import configure

    model.set_logger(configure(None, []))
    c = data(arguments, rows)
    for i in range(rows):
        here, there = c['vector'][i], c['next_vector'][i]
        if arguments.image:
            here = {'vector': here[None], 'image': c['image'][i].transpose(2, 0, 1)[None]}
            there = {'vector': there[None], 'image': c['next_image'][i].transpose(2, 0, 1)[None]}
        reward, done = c['reward'][i : i + 1], np.zeros(1)
        model.replay_buffer.add(here, there, c['action'][i][None], reward, done, [{}])
    count = {'sb3': 2 if arguments.image else 5, 'sbx': 1, 'sbx-64': 64}[name]

    def burst() -> int:
        model.train(gradient_steps=count, batch_size=BATCH)
        return count

    return burst


def _paper_encoder() -> type:
    """Return the paper's encoder as a features extractor of SB3."""
    from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
    import torch
    from torch import nn

    class Encoder(BaseFeaturesExtractor):
        def __init__(self, space):
            super().__init__(space, 36 + space['vector'].shape[0])
            layers = []
            for channels in (3, 4):
                layers += [nn.Conv2d(channels, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 3)]
            self.net = nn.Sequential(*layers, nn.Flatten())

        def forward(self, seen):
            return torch.cat((self.net(seen['image']), seen['vector']), dim=1)

    return Encoder


def roof(arguments: argparse.Namespace) -> Burst:
    """Return products of 256x256 matrices, counted as the updates that they would make up."""
    import torch

    if arguments.threads != 'default':
        torch.set_num_threads(int(arguments.threads))
    a, b, c = torch.randn(256, 256), torch.randn(256, 256), torch.empty(256, 256)
    total = MEGAFLOP.get((arguments.obs, arguments.act), 577.0)
    per_burst = round(10 * total / (2 * 256**3 / 1e6))

    def burst() -> int:
        for _ in range(per_burst):
            torch.mm(a, b, out=c)
        return 10

    return burst


def work(arguments: argparse.Namespace) -> None:
    """Be a contestant: for each line with seconds, answer updates per second."""
    name = arguments.worker
    if name == 'roof':
        burst = roof(arguments)
    elif name in ('native', 'torch', 'auto'):
        burst = ours(arguments, name)
    else:
        burst = peer(arguments, name)
    for _ in range(3):
        burst()
    sys.stdout.write('ready\n')
    sys.stdout.flush()
    for line in sys.stdin:
        start, done = time.perf_counter(), 0
        while time.perf_counter() - start < float(line):
            done += burst()
        sys.stdout.write(f'{done / (time.perf_counter() - start)}\n')
        sys.stdout.flush()


class Contestant:
    """A worker process."""

    def __init__(self, name: str, threads: str, arguments: argparse.Namespace) -> None:
        """Start it; `alive` says whether it came up."""
        python = arguments.peer_python if name.startswith('sb') else sys.executable
        options = ['--worker', name, '--threads', threads, '--obs', str(arguments.obs)]
        options += ['--act', str(arguments.act), *(['--image'] if arguments.image else [])]
        environment = dict(os.environ)
        if threads != 'default':
            # XLA's pool takes as many threads as there are processors to run on.
            environment['OMP_NUM_THREADS'] = threads
        pin = []
        if name.startswith('sbx') and threads != 'default':
            pin = ['taskset', '-c', f'0-{int(threads) - 1}']
        self.name, self.threads = name, threads
        self.rates: list[float] = []
        self._process = subprocess.Popen(
            [*pin, python, str(Path(__file__).resolve()), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if not arguments.verbose else None,
            text=True,
            env=environment,
        )
        self.alive = self._answer() == 'ready'

    def _answer(self) -> str:
        return self._process.stdout.readline().strip() if self._process.stdout else ''

    def slice(self, seconds: float) -> None:
        """Run for a while and note the rate."""
        if self.alive and self._process.stdin:
            self._process.stdin.write(f'{seconds}\n')
            self._process.stdin.flush()
            answer = self._answer()
            self.alive = bool(answer)
            if answer:
                self.rates.append(float(answer))

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()


def spin() -> None:
    """Keep a core busy."""
    while True:
        sum(range(10_000))


def main() -> None:
    """Run all contestants and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--threads', nargs='+', default=['default'], help='numbers, or default')
    parser.add_argument('--obs', type=int, default=17)
    parser.add_argument('--act', type=int, default=6)
    parser.add_argument('--image', action='store_true', help='32x32x3 images beside the vector')
    parser.add_argument('--busy', type=int, default=0, help='processes that keep a core busy')
    parser.add_argument('--slices', type=int, default=7)
    parser.add_argument('--seconds', type=float, default=0.7, help='length of a slice')
    parser.add_argument('--peer-python', default=sys.executable)
    parser.add_argument('--only', nargs='+', help='contestants to run')
    parser.add_argument('--verbose', action='store_true', help='show what contestants complain of')
    parser.add_argument('--worker', help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not Path(arguments.peer_python).is_file():
        parser.error(f'--peer-python {arguments.peer_python} does not exist')
    if arguments.worker:
        arguments.threads = arguments.threads[0]
        work(arguments)
        return
    names = (
        ['auto', 'sb3'] if arguments.image else ['roof', 'native', 'torch', 'sb3', 'sbx', 'sbx-64']
    )
    names = arguments.only or names
    busy = [multiprocessing.Process(target=spin, daemon=True) for _ in range(arguments.busy)]
    field: list[Contestant] = []
    with contextlib.ExitStack() as stack:
        for threads in arguments.threads:
            for name in names:
                contestant = Contestant(name, threads, arguments)
                stack.callback(contestant.stop)
                if contestant.alive:
                    field.append(contestant)
                else:
                    print(f'{name} left out: it did not start (see --verbose)')
        for process in busy:
            process.start()
            stack.callback(process.kill)
        for _ in range(arguments.slices):
            for contestant in field:
                contestant.slice(arguments.seconds)
    report(field, arguments)


def report(field: list[Contestant], arguments: argparse.Namespace) -> None:
    """Print the table."""
    load = os.getloadavg()[0]
    kind = '32x32x3 image + ' if arguments.image else ''
    print(
        f'observation {kind}{arguments.obs}, action {arguments.act}, batch {BATCH}, '
        f'{len(os.sched_getaffinity(0))} cores, {arguments.busy} busy beside, load {load:.1f}'
    )
    print('| threads | contestant | updates/s (low-high) | x SB3 | x SBX | % of sgemm |')
    print('|---|---|---|---|---|---|')
    for threads in arguments.threads:
        group = {c.name: c for c in field if c.threads == threads and c.rates}
        medians = {name: statistics.median(c.rates) for name, c in group.items()}
        for name, contestant in group.items():
            rate = medians[name]
            cells = []
            for other, factor in (('sb3', 1), ('sbx', 1), ('roof', 100)):
                known = other in medians
                cells.append(f'{factor * rate / medians[other]:.3g}' if known else '-')
            low, high = min(contestant.rates), max(contestant.rates)
            row = f'{rate:.1f} ({low:.0f}-{high:.0f})', *cells
            print(f'| {threads} | {name} | {" | ".join(row)} |')


if __name__ == '__main__':
    if importlib.util.find_spec('sac_learner') is None and '--worker' not in sys.argv:
        sys.exit('sac_learner not found: build the workspace, or set PYTHONPATH (see the top)')
    main()
