"""Replay side by side: ours and, where it is installed, that of Stable-Baselines3.

``python bench/replay.py [--rows N] [--image-rows N] [--directory DIR]`` prints one table. Slices
of both take turns, so that what else the machine does meets both alike; medians are shown.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
import platform
import statistics
import tempfile
import time
from typing import Any

import numpy as np

from sac_learner.replay import Replay, ReplayTransition

BATCH = 256
MANY = 16
EPISODE = 1000
SLICES = 9


@dataclass(frozen=True)
class Case:
    """Sizes of one comparison."""

    name: str
    vector: int
    action: int
    image: tuple[int, int, int] | None
    rows: int


@dataclass
class Contestant:
    """One replay, filled, and what was measured of it."""

    name: str
    append_block: Callable[[], float]  # appends EPISODE transitions and returns seconds
    sample: dict[str, tuple[Callable[[], Any], int]]  # and how many batches one call draws
    bytes_per_transition: float
    open_time: float = float('nan')
    append: list[float] = field(default_factory=list)
    sampled: dict[str, list[float]] = field(default_factory=dict)


class Data:
    """One episode of random transitions, used again and again."""

    def __init__(self, case: Case) -> None:
        """Make the frames of ``case``."""
        rng = np.random.default_rng(0)
        self.vector = rng.standard_normal((EPISODE + 1, case.vector), np.float32)
        self.action = rng.uniform(-1.0, 1.0, (EPISODE, case.action)).astype(np.float32)
        shape = None if case.image is None else (EPISODE + 1, *case.image)
        self.image = None if shape is None else rng.integers(0, 256, shape, np.uint8)


def ours(case: Case, directory: Path) -> Contestant:
    """Return our replay."""
    data = Data(case)
    replay = Replay(directory, case.rows, case.vector, case.image, case.action)
    rng = np.random.default_rng(0)

    def append_block() -> float:
        first = replay.received().get('bench', 0) + 1
        steps = [
            ReplayTransition(
                sequence=first + k,
                vector=data.vector[k],
                action=data.action[k],
                reward=0.5,
                next_vector=data.vector[k + 1],
                truncated=k == EPISODE - 1,
                image=data.image[0] if data.image is not None and k == 0 else None,
                next_image=None if data.image is None else data.image[k + 1],
            )
            for k in range(EPISODE)
        ]
        start = time.perf_counter()
        for step in steps:
            replay.append('bench', step)
        return time.perf_counter() - start

    while replay.count < case.rows:
        append_block()
    replay.close()
    start = time.perf_counter()
    replay = Replay.open(directory)
    open_time = time.perf_counter() - start
    out, many = replay.sample(BATCH, rng), replay.sample(MANY * BATCH, rng)
    return Contestant(
        'ours',
        append_block,
        {
            '1-step': (lambda: replay.sample(BATCH, rng, out=out), 1),
            f'{MANY} x 1': (lambda: replay.sample(MANY * BATCH, rng, out=many), MANY),
            '3-step': (lambda: replay.sample(BATCH, rng, n_step=3, out=out), 1),
        },
        replay.layout.slot_bytes * replay.layout.slots / case.rows,
        open_time,
    )


def stable_baselines3(case: Case) -> Contestant | None:
    """Return the replay of Stable-Baselines3, or None where it is not installed."""
    try:
        from gymnasium import spaces
        from stable_baselines3.common.buffers import DictReplayBuffer, ReplayBuffer
    except ImportError:
        return None
    data = Data(case)
    vector = spaces.Box(-np.inf, np.inf, (case.vector,), np.float32)
    action = spaces.Box(-1.0, 1.0, (case.action,), np.float32)
    buffer: Any
    if data.image is None:
        buffer = ReplayBuffer(case.rows, vector, action, device='cpu')
        frames: list[Any] = [frame[None] for frame in data.vector]
        parts = [buffer.observations, buffer.next_observations]
    else:
        image = spaces.Box(0, 255, case.image, np.uint8)
        space = spaces.Dict({'vector': vector, 'image': image})
        buffer = DictReplayBuffer(case.rows, space, action, device='cpu')
        frames = [
            {'vector': v[None], 'image': i[None]}
            for v, i in zip(data.vector, data.image, strict=True)
        ]
        parts = [*buffer.observations.values(), *buffer.next_observations.values()]
    parts += [buffer.actions, buffer.rewards, buffer.dones, buffer.timeouts]
    reward, done = np.array([0.5], np.float32), np.array([False])

    def append_block() -> float:
        start = time.perf_counter()
        for k in range(EPISODE):
            buffer.add(frames[k], frames[k + 1], data.action[k][None], reward, done, [{}])
        return time.perf_counter() - start

    for _ in range(0, case.rows, EPISODE):
        append_block()
    return Contestant(
        'SB3',
        append_block,
        {'1-step': (lambda: buffer.sample(BATCH), 1)},
        sum(part.nbytes for part in parts) / case.rows,
    )


def measure(contestants: list[Contestant]) -> None:
    """Fill in the times, slice by slice in turn."""
    for _ in range(SLICES):
        for contestant in contestants:
            contestant.append.append(contestant.append_block() / EPISODE)
            for name, (sample, batches) in contestant.sample.items():
                sample()
                calls, start = 0, time.perf_counter()
                while time.perf_counter() - start < 0.15:
                    sample()
                    calls += 1
                seconds = (time.perf_counter() - start) / (calls * batches)
                contestant.sampled.setdefault(name, []).append(seconds)


def report(case: Case, contestants: list[Contestant]) -> None:
    """Print the lines of one case."""
    sizes = f'{case.name} x {case.rows:,}'
    for contestant in contestants:
        append = statistics.median(contestant.append) * 1e6
        size, opened = contestant.bytes_per_transition, contestant.open_time * 1e3
        for name, times in contestant.sampled.items():
            sample = statistics.median(times) * 1e6
            print(
                f'{sizes:<28}{contestant.name:<6}{name:<8}{append:10.1f}{sample:12.1f}'
                f'{size:12.1f}{opened:10.1f}'
            )
    if len(contestants) > 1:
        mine, theirs = contestants
        ratio = statistics.median(
            b / a for a, b in zip(mine.sampled['1-step'], theirs.sampled['1-step'], strict=True)
        )
        append = statistics.median(b / a for a, b in zip(mine.append, theirs.append, strict=True))
        size = mine.bytes_per_transition / theirs.bytes_per_transition
        print(
            f'{"":<28}ours: append {append:.1f}x and sampling {ratio:.1f}x as fast, '
            f'{size:.2f}x the bytes'
        )


def main() -> None:
    """Run all cases."""
    parser = argparse.ArgumentParser(description='Replay, side by side.')
    parser.add_argument('--rows', type=int, default=1_000_000, help='transitions of vectors')
    parser.add_argument('--image-rows', type=int, default=100_000, help='transitions with images')
    parser.add_argument('--directory', type=Path, help='where our files lie; default: temporary')
    arguments = parser.parse_args()
    cases = [
        Case('17 + 6', 17, 6, None, arguments.rows),
        Case('30 + 9', 30, 9, None, arguments.rows),
        Case('32x32x3 + 18 + 9', 18, 9, (32, 32, 3), arguments.image_rows),
    ]
    print(f'{platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}')
    print(
        f'{"vector + action x rows":<28}{"":<6}{"return":<8}{"append us":>10}'
        f'{"sample us":>12}{"bytes/step":>12}{"open ms":>10}'
    )
    for case in cases:
        with tempfile.TemporaryDirectory(dir=arguments.directory) as directory:
            contestants = [ours(case, Path(directory) / 'replay')]
            peer = stable_baselines3(case)
            if peer is not None:
                contestants.append(peer)
            measure(contestants)
            report(case, contestants)


if __name__ == '__main__':
    main()
