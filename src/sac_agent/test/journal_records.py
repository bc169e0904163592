"""Transitions to record in a journal, and what is in its bag."""

from collections.abc import Callable
from pathlib import Path
import time

from sac_agent.journal import Courier
from sac_core.bag import BagReader, Definitions
from sac_core.bag.transitions import key, TRANSITION

SMALL = 1 << 16  # [bytes] of a file
COMMAND = 'sac_msgs/msg/JointCommand'


def record(courier: Courier, definitions: Definitions, count: int, episode: int = 0) -> None:
    for _ in range(count):
        message = definitions.new(
            TRANSITION,
            agent_id='robot',
            stream_id=courier.stream_id,
            sequence=courier.next_sequence,
            episode=episode,
        )
        courier.transition(definitions.encode(message, TRANSITION))


def wait(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10.0
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def sequences(tmp_path: Path) -> list[int]:
    messages = BagReader(tmp_path / 'robot').messages({'/transition'})
    return [key(message.data).sequence for message in messages]
