"""The reward that is learned: the terms of a task, each with a weight of its own."""

from collections.abc import Mapping, Sequence

import numpy as np

from sac_agent.errors import ConfigError
from sac_agent.tasks.task import Array, Task


class WeightedReward:
    """Weighs what a task gives for a step."""

    def __init__(self, task: Task, weights: Mapping[str, float]) -> None:
        """Find the weight of each term.

        Args:
            task: Gives the terms.
            weights: By reward name; 1 where there is none.

        Raises:
            ConfigError: A name is not one of the task's.
        """
        self._task = task
        names = task.reward_names
        for name in weights:
            if name not in names:
                raise ConfigError(
                    f'reward_weights.{name}: unknown reward term; there are {", ".join(names)}'
                )
        self._weights = np.array([weights.get(name, 1.0) for name in names])

    def terms(self, before: Array, action: Array, after: Array, history: Sequence[Array]) -> Array:
        """Return the weighted terms of a step, (R,); arguments as those of `Task.reward`."""
        terms = np.asarray(self._task.reward(before, action, after, history), dtype=np.float64)
        weighted: Array = terms * self._weights
        return weighted
