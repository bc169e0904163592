"""What goes wrong when: a random schedule that depends on nothing but its seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import random

CALM = 0.15  # share of the time at the end, in which nothing new goes wrong
WARM_UP = 15.0  # [s] until everything has started


@dataclass(frozen=True)
class Fault:
    """A kind of fault.

    Attributes:
        name: What `faults.Injector` knows it by.
        per_minute: How often it happens on average.
        shortest: Least duration [s]; a kill has none.
        longest: Greatest duration [s].
    """

    name: str
    per_minute: float
    shortest: float = 0.0
    longest: float = 0.0


KINDS = (
    Fault('kill agent', 0.8),
    Fault('kill learner', 0.8),
    Fault('kill driver', 0.8),
    Fault('stop agent', 0.3, 0.2, 2.0),
    Fault('stop learner', 0.3, 2.0, 15.0),
    Fault('stop driver', 0.3, 0.2, 2.0),
    Fault('lose packets', 0.4, 10.0, 25.0),
    Fault('cut network', 0.3, 3.0, 30.0),
    Fault('fill robot disk', 0.25, 2.0, 8.0),
    Fault('fill workstation disk', 0.25, 2.0, 8.0),
    Fault('step robot clock', 0.25),
    Fault('step workstation clock', 0.25),
    Fault('unplug robot', 0.4, 0.5, 4.0),
    Fault('send rubbish', 0.4, 1.0, 4.0),
)


@dataclass(frozen=True)
class Event:
    """One fault at one time.

    Attributes:
        start: Begin, after that of the run [s].
        duration: How long it lasts [s].
        fault: Name of a `Fault`.
        strength: In [0, 1]: how bad, where there is such a thing.
    """

    start: float
    duration: float
    fault: str
    strength: float


def plan(
    seed: int, duration: float, kinds: Sequence[Fault] = KINDS, *, kills: int = 0
) -> list[Event]:
    """Return the faults of a run in order of their begin.

    Args:
        seed: The same seed gives the same plan.
        duration: Of the run [s].
        kinds: What may happen.
        kills: SIGKILLs there must be at least; more are added at random where there are fewer.

    Raises:
        ValueError: The run is too short for anything to happen.
    """
    end = duration * (1.0 - CALM)
    if end <= WARM_UP:
        least = WARM_UP / (1.0 - CALM)
        raise ValueError(f'a run must last longer than {least:.0f} s, got {duration:.0f} s')
    chance = random.Random(seed)
    minutes = (end - WARM_UP) / 60.0
    events = [
        _event(chance, kind, end)
        for kind in kinds
        for _ in range(_count(chance, kind.per_minute * minutes))
    ]
    killers = [kind for kind in kinds if kind.name.startswith('kill ')]
    missing = kills - sum(event.fault.startswith('kill ') for event in events)
    events += [_event(chance, killers[i % len(killers)], end) for i in range(max(0, missing))]
    return sorted(events, key=lambda event: event.start)


def _count(chance: random.Random, expected: float) -> int:
    """Round at random, so that also a short run may see anything."""
    whole = int(expected)
    return whole + (chance.random() < expected - whole)


def _event(chance: random.Random, kind: Fault, end: float) -> Event:
    length = chance.uniform(kind.shortest, kind.longest)
    start = chance.uniform(WARM_UP, max(WARM_UP, end - length))
    return Event(round(start, 3), round(length, 3), kind.name, round(chance.random(), 3))
