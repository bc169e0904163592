"""Which random numbers a session draws; `verify_bag` draws those of a recorded one again."""

from typing import NamedTuple

import numpy as np


class RandomStreams(NamedTuple):
    """Generators that do not depend on each other."""

    noise: np.random.Generator  # of the policy's actions
    uniform: np.random.Generator  # of warm-up actions
    goals: np.random.Generator  # of training episodes
    evaluation_goals: np.random.Generator


def session_streams(seed: int, episode: int) -> RandomStreams:
    """Return the generators of a session.

    Args:
        seed: Of the configuration.
        episode: With which the session begins; a restarted one continues with other numbers, not
            with those it had already.
    """
    children = np.random.SeedSequence([seed, episode]).spawn(len(RandomStreams._fields))
    return RandomStreams(*(np.random.default_rng(child) for child in children))
