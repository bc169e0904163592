"""Transitions in bags, for whoever learns from them or checks them; no ROS needed."""

from collections.abc import Iterator, Sequence
from pathlib import Path
import struct
from typing import Any, NamedTuple

from sac_core.bag.errors import BagError
from sac_core.bag.reader import BagReader

TRANSITION = 'sac_msgs/msg/Transition'
AGENT_SPEC = 'sac_msgs/msg/AgentSpec'
POLICY = 'sac_msgs/msg/PolicyWeights'
JOINT_COMMAND = 'sac_msgs/msg/JointCommand'
EPISODE = 'sac_msgs/msg/EpisodeSummary'
EVALUATION = 'sac_msgs/msg/EvaluationSummary'


class Key(NamedTuple):
    """What identifies a transition for ever, and its place in the run."""

    agent_id: str
    stream_id: str
    sequence: int
    episode: int
    step: int

    def __str__(self) -> str:
        """Name the step as messages for people do."""
        return f'step {self.step} of episode {self.episode} (sequence {self.sequence})'


def key(data: bytes) -> Key:
    """Return the key of a serialised transition without decoding the rest.

    Args:
        data: CDR with its 4-byte encapsulation header.

    Raises:
        BagError: The bytes are no transition.
    """
    order = '<' if data[1:2] == b'\x01' else '>'
    try:
        # Alignment counts from behind the encapsulation header.
        body = memoryview(data)[4:]
        offset = 8  # stamp
        texts = []
        for _ in range(3):  # frame_id, agent_id, stream_id
            offset += -offset % 4
            (length,) = struct.unpack_from(f'{order}I', body, offset)
            offset += 4
            if length > len(body) - offset:
                raise BagError(f'{len(data)} bytes are no {TRANSITION}: a text is cut off')
            texts.append(bytes(body[offset : offset + length]).rstrip(b'\0').decode())
            offset += length
        offset += -offset % 8
        return Key(texts[1], texts[2], *struct.unpack_from(f'{order}QII', body, offset))
    except (struct.error, UnicodeDecodeError) as error:
        raise BagError(f'{len(data)} bytes are no {TRANSITION}: {error}') from error


def transitions(paths: Sequence[Path] | Path) -> Iterator[Any]:
    """Yield every transition of bags once, in order, as messages with numpy arrays.

    A transition that is in the bags twice (a copy, a recording beside the journal) comes once.

    Raises:
        BagError: A file is damaged, or no bag.
    """
    reader = BagReader(paths)
    seen = SequenceSets()
    for message in reader.messages():
        if message.type == TRANSITION and seen.add(key(message.data)):
            yield reader.decode(message)


def agent_specs(paths: Sequence[Path] | Path) -> dict[str, Any]:
    """Return the last agent spec of every stream in bags, by stream.

    Raises:
        BagError: A file is damaged, or no bag.
    """
    reader = BagReader(paths)
    specs = {}
    for message in reader.messages():
        if message.type == AGENT_SPEC:
            spec = reader.decode(message)
            specs[str(spec.stream_id)] = spec
    return specs


class SequenceSets:
    """Which sequence numbers of which streams were met; a run without gaps costs no memory."""

    def __init__(self) -> None:
        """Begin with none."""
        self._upto: dict[tuple[str, str], int] = {}
        self._beyond: dict[tuple[str, str], set[int]] = {}

    def add(self, item: Key) -> bool:
        """Note a transition and return whether it is new."""
        stream = item.agent_id, item.stream_id
        upto = self._upto.get(stream, 0)
        beyond = self._beyond.setdefault(stream, set())
        if item.sequence <= upto or item.sequence in beyond:
            return False
        beyond.add(item.sequence)
        while upto + 1 in beyond:
            upto += 1
            beyond.remove(upto)
        self._upto[stream] = upto
        return True
