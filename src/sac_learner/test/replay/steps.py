"""Steps to fill a replay with: their numbers follow from their sequence."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sac_learner.replay import Replay, ReplayTransition


def make(directory: Path, capacity: int = 100, **options) -> Replay:
    return Replay(directory, capacity, 2, None, 1, **options)


def step(sequence: int, **options) -> ReplayTransition:
    """Return a step whose numbers follow from its sequence; steps continue each other."""
    values = {
        'sequence': sequence,
        'vector': np.full(2, sequence - 1, np.float32),
        'action': np.full(1, sequence, np.float32),
        'reward': float(sequence),
        'next_vector': np.full(2, sequence, np.float32),
    }
    return ReplayTransition(**{**values, **options})


def fill(replay: Replay, first: int, last: int, stream: str = 'a') -> None:
    for sequence in range(first, last + 1):
        replay.append(stream, step(sequence))
