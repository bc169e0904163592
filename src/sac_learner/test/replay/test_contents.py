"""The replay against a naive buffer that stores both observations of every transition."""

from __future__ import annotations

from dataclasses import dataclass, field
import os
from pathlib import Path
import shutil

import numpy as np
import pytest

from sac_learner.replay import Replay, ReplayBatch, ReplayTransition

VECTOR, ACTION, IMAGE = 3, 2, (2, 2, 3)
STREAMS = int(os.environ.get('SAC_REPLAY_STREAMS', '300'))


@dataclass
class NaiveStep:
    """One transition, complete."""

    stream: str
    step: ReplayTransition
    image: np.ndarray | None
    position: int
    origin: int
    following: NaiveStep | None = None


@dataclass
class NaiveReplay:
    """What the replay must do, written for clarity: a list of complete transitions."""

    capacity: int
    reserve: int
    head: int = 0
    steps: dict[int, NaiveStep] = field(default_factory=dict)  # by position
    newest: dict[str, NaiveStep] = field(default_factory=dict)

    def append(self, stream: str, step: ReplayTransition, image, continues: bool) -> None:
        """Store a step; ``continues`` says whether its observation is the newest frame."""
        before = self.newest.get(stream)
        # A frame that is about to leave the window is stored again.
        if continues and before.position >= self.head + 1 - self.capacity:
            origin = before.position
        elif continues and image is not None and step.image is None and self.lost(before):
            # Nobody has the pixels any more: the frame stays, the step cannot.
            self.newest[stream] = NaiveStep(stream, step, image, self.head, self.head)
            self.head += 1
            return
        else:
            origin, before, self.head = self.head, None, self.head + 1
        entry = NaiveStep(stream, step, image, self.head, origin)
        self.head += 1
        if step.train:
            self.steps[entry.position] = entry
            if before is not None:
                before.following = entry
        self.newest[stream] = entry

    def lost(self, entry: NaiveStep) -> bool:
        return entry.position <= self.head - self.capacity - self.reserve

    def low(self) -> int:
        return max(0, self.head - self.capacity)

    def valid(self) -> dict[int, NaiveStep]:
        return {p: s for p, s in self.steps.items() if s.origin >= self.low()}

    def batch(self, positions, n_step: int, discount: float) -> ReplayBatch:
        """Return the transitions at ``positions``."""
        entries = [self.steps[int(position)] for position in positions]
        ends, rewards, discounts, totals = [], [], [], []
        for entry in entries:
            reward, weight, total, end = 0.0, 1.0, 0.0, entry
            for k in range(n_step):
                reward += weight * float(np.float32(end.step.reward))
                total += weight
                weight *= discount
                if end.step.terminated:
                    weight = 0.0
                if weight == 0.0 or end.following is None or k == n_step - 1:
                    break
                end = end.following
            ends.append(end)
            rewards.append(reward)
            discounts.append(weight)
            totals.append(total)
        pixels = entries[0].image is not None
        return ReplayBatch(
            vector=np.stack([e.step.vector for e in entries]),
            image=np.stack([e.image for e in entries]) if pixels else None,
            action=np.stack([e.step.action for e in entries]),
            reward=np.array(rewards, np.float32),
            discount=np.array(discounts, np.float32),
            next_vector=np.stack([e.step.next_vector for e in ends]),
            next_image=np.stack([e.step.next_image for e in ends]) if pixels else None,
            reward_weight=np.array(totals, np.float32),
        )


def draw_like_the_replay(naive: NaiveReplay, rng, batch_size: int) -> np.ndarray:
    """Draw slots uniformly, those without a valid transition again."""

    def uniform(count: int) -> np.ndarray:
        low = naive.low()
        return low + (rng.random(count) * (naive.head - low)).astype(np.int64)

    valid = naive.valid()
    positions = uniform(batch_size)
    for _ in range(64):
        refused = [k for k, position in enumerate(positions) if int(position) not in valid]
        if not refused:
            return positions
        positions[refused] = uniform(len(refused))
    every = np.array(sorted(valid))
    refused = [k for k, position in enumerate(positions) if int(position) not in valid]
    positions[refused] = every[rng.integers(0, len(every), len(refused))]
    return positions


def assert_equal(ours: ReplayBatch, theirs: ReplayBatch) -> None:
    for name in ReplayBatch.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), err_msg=name)


class Writer:
    """Agents with random lives: truncations, terminations, breaks, gaps, skipped steps."""

    def __init__(self, rng, images: bool, agents: int) -> None:
        self.rng, self.images = rng, images
        self.last = {f'agent{k}': None for k in range(agents)}
        self.sequence = dict.fromkeys(self.last, 0)

    def frame(self):
        vector = self.rng.standard_normal(VECTOR, dtype=np.float32)
        image = self.rng.integers(0, 256, IMAGE, np.uint8) if self.images else None
        return vector, image

    def step(self) -> tuple[str, ReplayTransition, np.ndarray | None, bool]:
        rng = self.rng
        names = list(self.last)
        # The first agent acts most; the others may fall far behind.
        stream = names[min(int(rng.exponential(0.7)), len(names) - 1)]
        start = self.last[stream] is None or rng.random() < 0.05
        vector, image = self.frame() if start else self.last[stream]
        next_vector, next_image = self.frame()
        end = rng.random()
        terminated, truncated = end < 0.08, 0.05 < end < 0.16
        self.sequence[stream] += 1
        if start and self.last[stream] is not None and rng.random() < 0.3:
            self.sequence[stream] += 3  # an evaluation in between
        step = ReplayTransition(
            sequence=self.sequence[stream],
            vector=vector,
            action=rng.uniform(-1, 1, ACTION).astype(np.float32),
            reward=float(rng.normal()),
            next_vector=next_vector,
            terminated=bool(terminated),
            truncated=bool(truncated),
            segment_start=bool(start),
            image=image if start or rng.random() < 0.3 else None,
            next_image=next_image,
            train=bool(rng.random() > 0.05),
        )
        self.last[stream] = None if terminated or truncated else (next_vector, next_image)
        return stream, step, image, not start


@pytest.mark.parametrize('group', range(10))
def test_batches_equal_those_of_a_naive_buffer(tmp_path: Path, group: int) -> None:
    for seed in range(group, STREAMS, 10):
        directory = tmp_path / str(seed)
        compare_with_naive(directory, seed)
        shutil.rmtree(directory)


def compare_with_naive(directory: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    images, agents = bool(rng.random() < 0.5), int(rng.integers(1, 5))
    capacity, reserve = int(rng.integers(4, 60)), int(rng.integers(4, 20))
    shape = IMAGE if images else None
    replay = Replay(directory, capacity, VECTOR, shape, ACTION, reserve=reserve)
    naive, writer = NaiveReplay(capacity, reserve), Writer(rng, images, agents)
    for _ in range(int(rng.integers(1, 150))):
        stream, step, image, continues = writer.step()
        replay.append(stream, step)
        naive.append(stream, step, image, continues)
        if rng.random() < 0.02:
            replay.close()
            replay = Replay.open(directory)
        valid = naive.valid()
        assert replay.size == len(valid)
        assert replay.head == naive.head
        if valid and rng.random() < 0.3:
            n_step, seed_of_draw = int(rng.integers(1, 6)), int(rng.integers(2**31))
            ours = replay.sample(
                16, np.random.default_rng(seed_of_draw), n_step=n_step, discount=0.9
            )
            positions = draw_like_the_replay(naive, np.random.default_rng(seed_of_draw), 16)
            assert_equal(ours, naive.batch(positions, n_step, 0.9))
    np.testing.assert_array_equal(replay.positions(), sorted(naive.valid()))
    replay.close()


def test_numbers_of_other_types_are_stored_as_float32(tmp_path):
    replay = Replay(tmp_path / 'replay', 100, VECTOR, None, ACTION)
    vector, action = np.linspace(0, 1, VECTOR), np.linspace(-1, 1, ACTION)
    replay.append('a', ReplayTransition(1, vector, action, 1, vector + 1))
    replay.append('a', ReplayTransition(2, vector + 1, action, 2, vector + 2))
    assert replay.head == 3, 'the observation of the second step is not stored again'
    batch = replay.gather(replay.positions())
    np.testing.assert_array_equal(batch.vector[1], (vector + 1).astype(np.float32))
    np.testing.assert_array_equal(batch.action[0], action.astype(np.float32))
    replay.close()


def test_reward_beyond_float32_changes_nothing(tmp_path):
    replay = Replay(tmp_path / 'replay', 100, VECTOR, None, ACTION)
    vector, action = np.zeros(VECTOR, np.float32), np.zeros(ACTION, np.float32)
    with pytest.raises(OverflowError):
        replay.append('a', ReplayTransition(1, vector, action, 1e300, vector))
    assert (replay.head, replay.received().get('a', 0)) == (0, 0)
    replay.append('a', ReplayTransition(1, vector, action, 1.0, vector))
    assert replay.size == 1
    replay.close()
