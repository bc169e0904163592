"""One training run of Stable-Baselines3 for `gym_curves.py`, in the Python that has it.

Evaluates like ours: every so many steps, deterministic episodes in an environment of its own that
is seeded alike. Progress and evaluations go into one JSON file, rewritten as the run goes on; what
is learned is saved with each evaluation, and a run that was killed goes on from there.
"""

from __future__ import annotations

import argparse
import contextlib
import json
from pathlib import Path
import shutil
import statistics
import time
from typing import Any

import gymnasium
import numpy as np
import stable_baselines3
from stable_baselines3.common.callbacks import BaseCallback
import torch

ALGORITHMS = ('sac', 'td3', 'ddpg', 'ppo')
EVERY = 500  # steps between two records of progress
SAVED, MODEL, BUFFER, RECORD = 'saved', 'model.zip', 'replay.pkl', 'record.json'
TESTING = 1  # role of the evaluation's seed, as in sac_learner.gym.loop


class Evaluation(BaseCallback):
    """Plays deterministic episodes now and then, and records them."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        """Make the environment."""
        super().__init__()
        self._arguments = arguments
        self._env = gymnasium.make(arguments.env)
        self._start = time.monotonic()
        self._record: dict[str, Any] = {
            'steps': 0,
            'seconds': 0.0,
            'evaluations': [],
            'versions': {
                'stable-baselines3': stable_baselines3.__version__,
                'torch': torch.__version__,
                'gymnasium': gymnasium.__version__,
            },
        }
        saved = arguments.output.parent / SAVED / RECORD
        with contextlib.suppress(FileNotFoundError):
            self._record = json.loads(saved.read_text())
        self._before = self._record['seconds']
        roles = np.random.SeedSequence([arguments.seed, TESTING, self._record['steps']])
        self._seed: int | None = int(roles.generate_state(1)[0])

    def _on_step(self) -> bool:
        steps = self.num_timesteps
        if steps % self._arguments.eval_every == 0:
            self._evaluate(steps)
            self._save(steps)
        if steps % EVERY == 0:
            self.write(steps)
        return bool(steps < self._arguments.steps)  # ppo would finish its rollout

    def write(self, steps: int) -> None:
        """Replace the record on disk."""
        self._note(steps)
        path: Path = self._arguments.output
        beside = path.with_suffix('.tmp')
        beside.write_text(json.dumps(self._record))
        beside.replace(path)

    def _note(self, steps: int) -> None:
        seconds = self._before + time.monotonic() - self._start
        self._record |= {'steps': steps, 'seconds': seconds}

    def _save(self, steps: int) -> None:
        """Save what is learned; a directory under its final name is complete."""
        self._note(steps)
        final = self._arguments.output.parent / SAVED
        beside = final.with_name(f'{SAVED}.tmp')
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        self.model.save(beside / MODEL)
        if hasattr(self.model, 'save_replay_buffer'):
            self.model.save_replay_buffer(beside / BUFFER)
        (beside / RECORD).write_text(json.dumps(self._record))
        shutil.rmtree(final, ignore_errors=True)
        beside.replace(final)

    def _evaluate(self, steps: int) -> None:
        returns = []
        for _ in range(self._arguments.eval_episodes):
            observation, _ = self._env.reset(seed=self._seed)
            self._seed, total, ended = None, 0.0, False
            while not ended:
                action, _ = self.model.predict(observation, deterministic=True)
                observation, reward, terminated, truncated, _ = self._env.step(action)
                total += float(reward)
                ended = terminated or truncated
            returns.append(total)
        self._record['evaluations'].append(
            {'steps': steps, 'return': statistics.fmean(returns), 'returns': returns}
        )


def main() -> None:
    """Train once."""
    parser = argparse.ArgumentParser(description='Train Stable-Baselines3 once.')
    parser.add_argument('algorithm', choices=ALGORITHMS)
    parser.add_argument('--env', required=True)
    parser.add_argument('--seed', type=int, required=True)
    parser.add_argument('--steps', type=int, required=True)
    parser.add_argument('--eval-every', type=int, required=True)
    parser.add_argument('--eval-episodes', type=int, required=True)
    parser.add_argument('--warmup', type=int, required=True, help='random steps; none for ppo')
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--output', type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    settings: dict[str, Any] = {'device': 'cpu', 'seed': arguments.seed}
    if arguments.algorithm != 'ppo':
        settings['learning_starts'] = arguments.warmup
        # The same arithmetic as SB3's default, in less time: here it is the learning that counts.
        settings['policy_kwargs'] = {'optimizer_kwargs': {'fused': True}}
    if arguments.algorithm in ('td3', 'ddpg'):  # noise of the papers; SB3's default is none
        noise = stable_baselines3.common.noise.NormalActionNoise
        actions = gymnasium.make(arguments.env).action_space.shape
        settings['action_noise'] = noise(np.zeros(actions), np.full(actions, 0.1))
    kind = getattr(stable_baselines3, arguments.algorithm.upper())
    env = gymnasium.make(arguments.env)
    saved = arguments.output.parent / SAVED
    if saved.is_dir():
        model = kind.load(saved / MODEL, env=env, device='cpu')
        if (saved / BUFFER).exists():
            model.load_replay_buffer(saved / BUFFER)
    else:
        model = kind('MlpPolicy', env, **settings)
    evaluation = Evaluation(arguments)
    left = arguments.steps - model.num_timesteps
    if left > 0:
        model.learn(left, callback=evaluation, reset_num_timesteps=False)
    evaluation.write(arguments.steps)


if __name__ == '__main__':
    main()
