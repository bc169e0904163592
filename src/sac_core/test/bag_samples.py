"""Bags to test with: a transition whose content follows from its number."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from sac_core.bag import BagReader, BagWriter, Definitions
from sac_core.bag.transitions import key, TRANSITION


def payload(definitions: Definitions, sequence: int) -> bytes:
    observation = definitions.new(
        'sac_msgs/msg/Observation',
        vector=np.arange(21, dtype=np.float32) + sequence,
        sensors=np.arange(9, dtype=np.float64),
        image=np.arange(12, dtype=np.uint8),
    )
    message = definitions.new(
        TRANSITION,
        agent_id='robot',
        stream_id='abc',
        sequence=sequence,
        episode=sequence // 10,
        step=sequence % 10,
        observation=observation,
        action=np.linspace(-1, 1, 9, dtype=np.float32),
        clipped=np.array([True, False] * 4 + [True]),
        reward=-0.1 * sequence,
        terminated=sequence % 10 == 9,
    )
    return definitions.encode(message, TRANSITION)


def write(
    bag: Path, definitions: Definitions, numbers: range, storage: str = 'mcap', **options: Any
) -> BagWriter:
    """Write and commit each message; the bag is left open."""
    writer = BagWriter(bag, storage=storage, definitions=definitions, **options)
    writer.add_topic('/transition', TRANSITION)
    writer.add_topic('/policy', 'sac_msgs/msg/PolicyWeights', latched=True)
    for n in numbers:
        writer.write('/transition', 1_700_000_000_000_000_000 + n, payload(definitions, n))
        writer.commit()
    return writer


def kill(writer: BagWriter) -> None:
    """Drop everything that is not with the operating system, as SIGKILL does."""
    for file in writer._open_files():
        file.close()
    os.close(writer._lock)


def sequences(bag: Path) -> list[int]:
    return [key(message.data).sequence for message in BagReader(bag).messages({'/transition'})]
