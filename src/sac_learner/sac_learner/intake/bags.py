"""Bags as the learner reads them: whose transitions they hold, their content, their labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
import shlex
from typing import Any

import numpy as np
import numpy.typing as npt

from sac_core.bag import BagError, BagReader
from sac_core.bag.transitions import AGENT_SPEC, key, TRANSITION
from sac_core.spec import AgentSpec, ImageShape
from sac_learner.intake.intake import Intake, Verdict
from sac_learner.intake.transitions import from_message, stream_key

Sequences = npt.NDArray[np.uint64]
REPORTED = 1000  # transitions between two reports of progress


def paths(text: str) -> list[Path]:
    """Return the bags that a parameter names, separated by blanks; quotes keep blanks together."""
    return [Path(part).expanduser().absolute() for part in shlex.split(text)]


def common_spec(bags: Sequence[Path]) -> AgentSpec:
    """Return the newest agent spec of bags whose transitions can be learned together.

    Raises:
        BagError: There is none, the bags are of different robots, or they are no bags.
    """
    from sac_core import convert  # needs the messages, which a run on Gymnasium does not

    reader = BagReader(bags)
    found: AgentSpec | None = None
    for raw in reader.messages():
        if raw.type != AGENT_SPEC:
            continue
        try:
            spec = convert.spec_from_msg(reader.decode(raw))
        except ValueError as error:
            raise BagError(f'{_names(bags)}: {error}') from error
        if found is not None and spec.spec_hash() != found.spec_hash():
            raise BagError(
                f'{_names(bags)} hold transitions of {found.agent_id!r} with spec '
                f'{found.spec_hash()} and of {spec.agent_id!r} with spec {spec.spec_hash()}; '
                'observations, actions and rate must be the same to be learned together'
            )
        found = spec
    if found is None:
        raise BagError(
            f'{_names(bags)}: no /agent_spec says what the transitions mean; record it too'
        )
    return found


def pour(
    bags: Sequence[Path],
    intake: Intake,
    image_shape: ImageShape | None,
    on_progress: Callable[[int, int], None] = lambda done, count: None,
) -> int:
    """Bring every transition of bags into the replay, those that are there already excepted.

    Steps of evaluations are kept out, as they are of what comes over the network. A stream may
    begin late or have gaps, for files may have been deleted.

    Args:
        bags: In the order of recording.
        intake: Of the replay.
        image_shape: Height, width, channels of images, or None without a camera.
        on_progress: Called with transitions read and transitions in the bags.

    Returns:
        Transitions read, of training and of evaluation.

    Raises:
        BagError: A bag is damaged, or of another robot.
        ReplayFullDiskError: There is no room.
    """
    reader = BagReader(bags)
    there = _sequences(reader)
    count, done = sum(len(numbers) for numbers in there.values()), 0
    for raw in reader.messages():
        if raw.type != TRANSITION:
            continue
        message = reader.decode(raw)
        stream = stream_key(message.agent_id, message.stream_id)
        if message.sequence > intake.received(stream):
            intake.adopt(stream, _next(there[stream], intake.received(stream)))
            _offer(message, stream, intake, image_shape)
        done += 1
        if done % REPORTED == 0:
            on_progress(done, count)
    on_progress(done, count)
    return done


@dataclass
class Labels:
    """Rewards and ends of the transitions of one stream."""

    sequences: list[int] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    terminated: list[bool] = field(default_factory=list)


def labels(bags: Sequence[Path]) -> dict[str, Labels]:
    """Return the labels of all transitions in bags, by stream.

    Raises:
        BagError: A bag is damaged or holds no transition.
    """
    reader = BagReader(bags)
    found: dict[str, Labels] = {}
    for raw in reader.messages():
        if raw.type == TRANSITION:
            message = reader.decode(raw)
            stream = stream_key(message.agent_id, message.stream_id)
            labelled = found.setdefault(stream, Labels())
            labelled.sequences.append(int(message.sequence))
            labelled.rewards.append(float(message.reward))
            labelled.terminated.append(bool(message.terminated))
    if not found:
        raise BagError(f'{_names(bags)}: there are no transitions')
    return found


def count_slots(bags: Sequence[Path]) -> int:
    """Return how many frames of a replay the transitions of bags take at most.

    Raises:
        BagError: A bag is damaged.
    """
    reader = BagReader(bags)
    return sum(2 for raw in reader.messages() if raw.type == TRANSITION)


def _offer(message: Any, stream: str, intake: Intake, image_shape: ImageShape | None) -> None:
    try:
        transition = from_message(message, image_shape)
    except ValueError as error:
        intake.pass_over(stream, message.sequence, 'shape', str(error))
        return
    verdict = intake.offer(stream, transition, evaluation=bool(message.evaluation))
    if verdict is Verdict.AHEAD:
        raise BagError(
            f'transition {message.sequence} of {stream} comes before number '
            f'{intake.received(stream) + 1}; give the bags in the order of recording'
        )
    if verdict is Verdict.REJECTED:
        if 'shape' in intake.reasons:
            raise BagError(f'transition {message.sequence} of {stream}: {intake.last_reason}')
        intake.pass_over(stream, message.sequence, 'malformed', intake.last_reason)


def _sequences(reader: BagReader) -> dict[str, Sequences]:
    """Return the numbers of all transitions, ascending, by stream; nothing else is decoded."""
    found: dict[str, list[int]] = {}
    for raw in reader.messages():
        if raw.type == TRANSITION:
            item = key(raw.data)
            found.setdefault(stream_key(item.agent_id, item.stream_id), []).append(item.sequence)
    return {name: np.unique(np.array(numbers, np.uint64)) for name, numbers in found.items()}


def _next(numbers: Sequences, received: int) -> int:
    """Return the lowest of the numbers above one; there is one."""
    return int(numbers[np.searchsorted(numbers, np.uint64(received), 'right')])


def _names(bags: Sequence[Path]) -> str:
    return ', '.join(str(path) for path in bags)
