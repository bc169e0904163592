"""How long a checkpoint of a run with a million transitions keeps training waiting.

    ./ros2w exec python bench/save_pause.py --transitions 1000000

Fills a replay, then learns for a while and saves again and again. `pause` is the time that
training itself spends on a save (a snapshot of everything but the replay, which is on the disk
already); beside it, how long single updates take while the save is written in the background, and
while none is.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
import sys
import tempfile
import time

import numpy as np

from sac_core.spec import AgentSpec, ObservationSpec
from sac_learner.replay import ReplayTransition
from sac_learner.run.directory import RunDirectory
from sac_learner.run.metrics import Metrics
from sac_learner.sac.config import SacConfig
from sac_learner.settings import LearnerSettings
from sac_learner.training.training import Training

OBSERVATION, ACTION = 43, 9  # D'Claw


def fill(training: Training, count: int) -> float:
    """Append transitions and return the time it took [s]."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((4096, OBSERVATION), dtype=np.float32)
    actions = np.tanh(rng.standard_normal((4096, ACTION), dtype=np.float32))
    begin = time.perf_counter()
    for number in range(1, count + 1):
        training.replay.append(
            'claw/1',
            ReplayTransition(
                sequence=number,
                vector=vectors[number % 4096],
                next_vector=vectors[(number + 1) % 4096],
                action=actions[number % 4096],
                reward=float(number % 7),
                truncated=number % 100 == 0,
            ),
        )
    return time.perf_counter() - begin


def main() -> int:
    """Measure, print, return 0 if no pause is longer than 50 ms."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n')[0])
    parser.add_argument('--transitions', type=int, default=1_000_000)
    parser.add_argument('--saves', type=int, default=20)
    parser.add_argument('--directory', type=Path, help='on the disk to measure')
    options = parser.parse_args()
    print(f'load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores')
    spec = AgentSpec(
        'claw', '1', 'bench', 0.1, ObservationSpec(tuple(f'o{i}' for i in range(OBSERVATION))),
        tuple(f'a{i}' for i in range(ACTION)),
    )  # fmt: skip
    with tempfile.TemporaryDirectory(dir=options.directory, prefix='save-') as directory:
        run = RunDirectory(Path(directory))
        metrics = Metrics(run.path, tensorboard=False)
        config = SacConfig(replay_capacity=max(options.transitions, 1000))
        settings = LearnerSettings(run_dir=str(run.path), threads=1)
        training = Training(spec, config, settings, run, metrics)
        seconds = fill(training, options.transitions)
        size = sum(file.stat().st_blocks * 512 for file in run.path.rglob('*') if file.is_file())
        print(
            f'{training.replay.size} transitions, {size / 1e6:.0f} MB, filled in {seconds:.0f} s'
        )
        training.pacer.rebase(0, 0)
        pauses, during, idle = [], [], []
        for _ in range(options.saves):
            begin = time.perf_counter()
            training.checkpoint()
            pauses.append(time.perf_counter() - begin)
            for updates in (during, idle):
                end = time.perf_counter() + 1.0
                while time.perf_counter() < end:
                    begin = time.perf_counter()
                    training.learn(1)
                    updates.append(time.perf_counter() - begin)
                    if updates is during and training._checkpoints.wait(0.0):
                        break
                training._checkpoints.wait(60.0)
        saved = training._checkpoints.saved
        training.close()
    for name, values in (('pause', pauses), ('update while saving', during), ('update', idle)):
        milliseconds = 1e3 * np.asarray(values)
        middle, high = np.percentile(milliseconds, [50, 99])
        print(
            f'{name:20} {milliseconds.size:6} times, median {middle:6.2f}, p99 {high:6.2f}, '
            f'largest {milliseconds.max():6.2f} ms'
        )
    print(f'{saved} checkpoints saved')
    return 0 if max(pauses) <= 0.05 else 1


if __name__ == '__main__':
    sys.exit(main())
