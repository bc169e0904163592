"""Replay, random state and checkpoint together: a resumed run repeats what the first one did."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sac_learner.checkpoint import Checkpoints, generator_state, restore_generator, Snapshot
from sac_learner.replay import Replay, ReplayMark, ReplayTransition


class Learner:
    """Appends a step, draws a batch and moves its one weight by it."""

    def __init__(self, directory: Path) -> None:
        self.replay = Replay(directory / 'replay', 300, 2, None, 1)
        self.store = Checkpoints(directory / 'checkpoints', before=self.replay.flush)
        self.rng = np.random.default_rng(1)
        self.weight = np.zeros(2, np.float32)
        self.done = 0

    def advance(self) -> None:
        self.done += 1
        k = self.done
        step = ReplayTransition(
            sequence=k,
            vector=np.full(2, np.sin(k - 1), np.float32),
            action=np.full(1, np.cos(k), np.float32),
            reward=float(np.sin(3 * k)),
            next_vector=np.full(2, np.sin(k), np.float32),
            truncated=k % 50 == 0,
            terminated=k % 70 == 0,
        )
        self.replay.append('robot', step)
        batch = self.replay.sample(32, self.rng, n_step=3)
        self.weight += 0.1 * (batch.reward @ batch.next_vector - self.weight)

    def snapshot(self) -> Snapshot:
        values = {
            'done': self.done,
            'rng': generator_state(self.rng),
            'replay': self.replay.mark().to_json(),
        }
        return Snapshot.take({'weight': self.weight}, values)

    def resume(self) -> None:
        checkpoint = self.store.load_latest()
        self.weight = checkpoint.arrays['weight']
        self.done = checkpoint.values['done']
        restore_generator(self.rng, checkpoint.values['rng'])
        self.replay.rewind(ReplayMark.from_json(checkpoint.values['replay']))


@pytest.mark.parametrize('saved_at', [10, 500, 990])
def test_a_resumed_run_is_byte_identical(tmp_path: Path, saved_at: int) -> None:
    first = Learner(tmp_path)
    for _ in range(saved_at):
        first.advance()
    first.store.save_soon(first.snapshot())
    for _ in range(200):
        first.advance()
    first.store.close()
    expected, content = first.weight.tobytes(), first.replay.transitions_hash()
    first.replay.close()

    second = Learner(tmp_path)
    second.resume()
    assert second.done == saved_at
    for _ in range(200):
        second.advance()
    assert second.weight.tobytes() == expected
    assert second.replay.transitions_hash() == content
