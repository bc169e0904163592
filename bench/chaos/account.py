"""What was executed, what the learner has, and what happened in between."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from chaos.rig import Rig
from sac_core.bag.transitions import transitions
from sac_learner.replay import Replay
from sac_learner.replay.layout import HEADER

Identity = tuple[str, int]  # stream, sequence
NANOSECONDS = 1_000_000_000
LEVEL_EPISODES = 15
TIME_LIMIT = 1  # EpisodeSummary.truncation_reason
HOLD = 0.01  # [s] by which the command to hold may come before the news of another state


@dataclass(frozen=True)
class Level:
    """How well a run has learned.

    Attributes:
        mean: Of the last returns.
        error: Standard error of the mean: what the starts of so few episodes and their noise make.
            How far runs with other seeds lie apart is not in it.
    """

    mean: float
    error: float

    def __str__(self) -> str:
        """Write both."""
        return f'{self.mean:.1f} +- {self.error:.1f}'

    def reaches(self, undisturbed: Sequence[Level]) -> bool:
        """Return whether it is not below the lowest of other runs by more than two errors.

        What a run learns in its first thousand steps depends on its seed as much as on anything
        that can happen to it, so one other run is no measure.
        """
        return any(
            self.mean >= other.mean - 2.0 * math.hypot(self.error, other.error)
            for other in undisturbed
        )


@dataclass(frozen=True)
class Account:
    """The books of one rig.

    Attributes:
        recorded: Transitions in the agent's journal.
        replayed: Transitions in the learner's replay.
        lost: In the journal or heard on the wire, and not in the replay.
        doubled: More than once in the replay.
        foreign: In the replay, and nobody's.
        changed: In the replay with another content than in the journal.
        under_way: Control steps that the robot had begun when the agent was killed: they have no
            outcome, so they are no transitions.
        unsaved: Steps that were complete when the agent was killed, and not yet on its disk.
        starts: Of each process.
        deaths: Exit codes of processes that nobody had killed.
        returns: Undiscounted returns of the training episodes, with the steps up to their end.
            Those that a fault cut are left out: fewer steps make another return.
        problems: Diagnostics above OK, by text.
        refused: Weights that were refused.
        rejected: Transitions that were refused.
        misses: Deadline misses by the agent's count.
    """

    recorded: int
    replayed: int
    lost: int
    doubled: int
    foreign: int
    changed: int
    under_way: int
    unsaved: int
    starts: dict[str, int]
    deaths: dict[str, list[int]]
    returns: list[tuple[int, float]]
    refused: int
    rejected: int
    misses: int
    problems: Counter[str] = field(default_factory=Counter)

    @property
    def exact(self) -> bool:
        """Whether nothing was lost, doubled, invented or changed."""
        return not (self.lost or self.doubled or self.foreign or self.changed)

    def level(self, until: int | None = None) -> Level:
        """Return mean and standard error of the last returns before a number of steps."""
        found = [value for steps, value in self.returns if until is None or steps <= until]
        last = np.asarray(found[-LEVEL_EPISODES:])
        if last.size < 2:
            return Level(float('nan'), float('nan'))
        return Level(float(last.mean()), float(last.std(ddof=1) / np.sqrt(last.size)))


def take(rig: Rig) -> Account:
    """Count, once all processes of a rig have ended."""
    journal: dict[Identity, bytes] = {}
    ended: dict[int, bool] = {}
    for t in transitions(rig.run('robot') / 'bags' / rig.kind.name):
        journal[str(t.stream_id), int(t.sequence)] = _content(
            t.observation.vector, t.action, t.reward, t.terminated, t.next_observation.vector
        )
        stamp = t.observation.stamp
        ended[stamp.sec * NANOSECONDS + stamp.nanosec] = bool(t.terminated or t.truncated)
    wire = {(line[1], line[2]) for line in rig.heard('/transition')}
    found = _replayed(rig.run('workstation') / 'replay')
    executed = journal.keys() | wire
    counts = Counter(identity for identity, _ in found)
    agent, learner = rig.heard('/agent_status'), rig.heard('/learner_status')
    under_way, unsaved = _cut(rig.heard(f'/{rig.kind.name}/joint_command'), agent, ended)
    return Account(
        recorded=len(journal),
        replayed=len(found),
        lost=len(executed - counts.keys()),
        doubled=sum(count - 1 for count in counts.values()),
        foreign=len(counts.keys() - executed),
        changed=sum(journal.get(identity, content) != content for identity, content in found),
        under_way=under_way,
        unsaved=unsaved,
        starts={name: child.starts for name, child in rig.children.items()},
        deaths={name: child.deaths for name, child in rig.children.items() if child.deaths},
        returns=_returns(rig.run('workstation') / 'metrics.jsonl'),
        refused=_total(line[7] for line in agent),
        rejected=_total(line[6] for line in learner),
        misses=_total(line[6] for line in agent),
        problems=Counter(
            message
            for line in rig.heard('/diagnostics')
            for name, level, message in line[1:]
            if level > 0
        ),
    )


def commands(rig: Rig, begin: float, end: float) -> list[float]:
    """Return when commands came between two monotonic times [s]."""
    heard = [line[0] for line in rig.heard(f'/{rig.kind.name}/joint_command')]
    return [time for time in heard if begin <= time <= end]


def _content(vector: Any, action: Any, reward: Any, terminated: Any, following: Any) -> bytes:
    """Return what is learned from a transition, to be compared."""
    parts = [vector, action, [reward, terminated], following]
    return b''.join(np.asarray(part, np.float32).tobytes() for part in parts)


def _replayed(directory: Path) -> list[tuple[Identity, bytes]]:
    if not (directory / HEADER).exists():
        return []  # no agent was ever heard
    replay = Replay.open(directory)
    try:
        positions = replay.positions()
        stored = replay.gather(positions)
        columns = zip(
            stored.vector, stored.action, stored.reward, stored.discount == 0.0,
            stored.next_vector, strict=True,
        )  # fmt: skip
        return [
            ((stream.rpartition('/')[2], sequence), _content(*row))
            for (stream, sequence), row in zip(replay.identities(positions), columns, strict=True)
        ]
    finally:
        replay.close()


def _cut(
    commands: Sequence[list[Any]], statuses: Sequence[list[Any]], ended: dict[int, bool]
) -> tuple[int, int]:
    """Count the steps that died with a process: under way, and completed but not yet on the disk.

    Args:
        commands: Arrival, stamp of the observation that is answered, and number, which begins
            again with each process.
        statuses: Arrival and state of the agent. Commands after a change of state only hold.
        ended: Of each recorded step, by its observation's stamp: whether it ended an episode.
    """
    changes = [
        time
        for (_, before, *_), (time, state, *_) in itertools.pairwise(statuses)
        if state != before
    ]
    under_way = completed = trailing = last = 0
    until = -math.inf  # a command later than this is not of the episode of the last recorded step
    for time, stamp, number, *_ in [*commands, [math.inf, 0, 0]]:
        if number <= last:
            under_way += trailing > 0
            completed += max(0, trailing - 1)
            trailing, until = 0, -math.inf
        last = number
        if stamp in ended:
            later = bisect_right(changes, time)
            until = changes[later] - HOLD if later < len(changes) else math.inf
            until = -math.inf if ended[stamp] else until
            trailing = 0
        elif time < until:
            trailing += 1
    return under_way, completed


def _returns(path: Path) -> list[tuple[int, float]]:
    records = []
    for line in path.read_text().splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue  # torn by a SIGKILL
        if record.get('kind') != 'episode' or record['evaluation']:
            continue
        if record['terminated'] or record['truncation_reason'] == TIME_LIMIT:
            records.append((int(record['steps']), float(record['return'])))
    return records


def _total(counter: Any) -> int:
    """Add up a counter that begins again with every start of its process."""
    total = last = 0
    for value in counter:
        total += last if value < last else 0
        last = value
    return total + last
