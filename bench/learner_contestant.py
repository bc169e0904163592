"""One contestant of learner.py, in a process of its own; not to be called by hand.

For each line with seconds on standard input it answers updates per second. One update: sample 256
transitions from a replay, then a step of the critics, the policy, the temperature and the targets.
"""

import argparse
from collections.abc import Callable
import sys
import time

import numpy as np

MEGAFLOP = {(17, 6): 577.0, (31, 9): 605.0}  # of one update, matrix products only
ROWS, IMAGE_ROWS = 20_000, 2000
BATCH = 256
Burst = Callable[[], int]  # makes some updates and returns how many


def data(task: argparse.Namespace) -> dict[str, np.ndarray]:
    """Return random transitions, the same for every contestant."""
    rng = np.random.default_rng(0)
    rows = IMAGE_ROWS if task.image else ROWS
    shape = {'vector': task.obs, 'next_vector': task.obs, 'action': task.act}
    columns = {k: rng.standard_normal((rows, n), dtype=np.float32) for k, n in shape.items()}
    columns['action'] = np.tanh(columns['action'])
    columns['reward'] = rng.standard_normal(rows, dtype=np.float32)
    columns['discount'] = np.full(rows, 0.99, np.float32)
    if task.image:
        for name in ('image', 'next_image'):
            columns[name] = rng.integers(0, 256, (rows, 32, 32, 3), dtype=np.uint8)
    return columns


def ours(task: argparse.Namespace, backend: str) -> Burst:
    """Return a burst of our learner."""
    from sac_learner.sac import Batch, Sac, SacConfig

    columns = data(task)
    rng = np.random.default_rng(1)
    learner = Sac(
        task.obs,
        (32, 32, 3) if task.image else None,
        task.act,
        SacConfig(),
        seed=0,
        threads=task.threads or None,
        backend=backend,
    )

    def sample() -> Batch:
        index = rng.integers(0, len(columns['reward']), BATCH)
        return Batch(**{name: column.take(index, axis=0) for name, column in columns.items()})

    count = 4 if task.image else 20

    def burst() -> int:
        learner.update(sample, count)
        return count

    return burst


def peer(task: argparse.Namespace, name: str) -> Burst:
    """Return a burst of SB3 or SBX, by their own training loops."""
    import gymnasium
    from stable_baselines3.common.logger import configure
    import torch

    if task.threads:
        torch.set_num_threads(task.threads)
    space: gymnasium.Space = gymnasium.spaces.Box(-10, 10, (task.obs,), np.float32)
    if task.image:
        picture = gymnasium.spaces.Box(0, 255, (3, 32, 32), np.uint8)
        space = gymnasium.spaces.Dict({'image': picture, 'vector': space})

    class Idle(gymnasium.Env):
        observation_space = space
        action_space = gymnasium.spaces.Box(-1, 1, (task.act,), np.float32)

        def reset(self, *, seed=None, options=None):
            return self.observation_space.sample(), {}

        def step(self, action):
            return self.observation_space.sample(), 0.0, False, False, {}

    if name == 'sb3':
        from stable_baselines3 import SAC
    else:
        from sbx import SAC
    columns = data(task)
    rows = len(columns['reward'])
    settings: dict = {'buffer_size': rows, 'learning_starts': 0, 'seed': 0, 'device': 'cpu'}
    if task.image:
        settings['policy_kwargs'] = {'features_extractor_class': paper_encoder()}
    else:
        settings['policy_kwargs'] = {'net_arch': [256, 256]}
    model = SAC('MultiInputPolicy' if task.image else 'MlpPolicy', Idle(), **settings)
    model.set_logger(configure(None, []))
    for i in range(rows):
        here, there = columns['vector'][i], columns['next_vector'][i]
        if task.image:
            seen, next_seen = (columns[k][i].transpose(2, 0, 1) for k in ('image', 'next_image'))
            here = {'vector': here[None], 'image': seen[None]}
            there = {'vector': there[None], 'image': next_seen[None]}
        reward, done = columns['reward'][i : i + 1], np.zeros(1)
        model.replay_buffer.add(here, there, columns['action'][i][None], reward, done, [{}])
    count = {'sb3': 1 if task.image else 3, 'sbx': 1, 'sbx-64': 64}[name]

    def burst() -> int:
        model.train(gradient_steps=count, batch_size=BATCH)
        return count

    return burst


def paper_encoder() -> type:
    """Return the paper's encoder as a features extractor of SB3."""
    from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
    import torch
    from torch import nn

    class Encoder(BaseFeaturesExtractor):
        def __init__(self, space):
            super().__init__(space, 36 + space['vector'].shape[0])
            layers: list[nn.Module] = []
            for channels in (3, 4):
                layers += [nn.Conv2d(channels, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 3)]
            self.net = nn.Sequential(*layers, nn.Flatten())

        def forward(self, seen):
            return torch.cat((self.net(seen['image']), seen['vector']), dim=1)

    return Encoder


def roof(task: argparse.Namespace) -> Burst:
    """Return products of 256x256 matrices, counted as the updates that they would make up."""
    import torch

    torch.set_num_threads(task.threads)
    a, b, c = torch.randn(256, 256), torch.randn(256, 256), torch.empty(256, 256)
    count = round(10 * MEGAFLOP[task.obs, task.act] / (2 * 256**3 / 1e6))

    def burst() -> int:
        for _ in range(count):
            torch.mm(a, b, out=c)
        return 10

    return burst


def main() -> None:
    """Warm up, then serve slices until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('name', help='native, torch, sb3, sbx, sbx-64 or roof')
    parser.add_argument('--threads', type=int, default=0, help="0: the contestant's default")
    parser.add_argument('--obs', type=int, default=17)
    parser.add_argument('--act', type=int, default=6)
    parser.add_argument('--image', action='store_true')
    task = parser.parse_args()
    if task.name == 'roof':
        burst = roof(task)
    elif task.name in ('native', 'torch'):
        burst = ours(task, task.name)
    else:
        burst = peer(task, task.name)
    if task.name.startswith('sbx'):
        burst()  # compiles, which takes long
    sys.stdout.write('ready\n')
    sys.stdout.flush()
    for line in sys.stdin:
        start, done = time.perf_counter(), 0
        while time.perf_counter() - start < float(line):
            done += burst()
        sys.stdout.write(f'{done / (time.perf_counter() - start)}\n')
        sys.stdout.flush()


if __name__ == '__main__':
    main()
