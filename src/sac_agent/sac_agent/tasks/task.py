"""The interface of a task, and how it is found.

A task sees raw sensor values as one vector (S,) and asks a `SensorLayout` once, at construction,
where its values are. So the same object serves robot, simulation, Gymnasium and bags.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from sac_agent.errors import ConfigError
from sac_agent.layout import SensorLayout
from sac_agent.settings import load

Array = npt.NDArray[np.float64]

GROUP = 'sac_agent.tasks'


@dataclass(frozen=True)
class NoParameters:
    """A task without parameters of its own."""


@dataclass(frozen=True)
class Trajectory:
    """One episode.

    Attributes:
        sensors: Raw values before the first and after every step, (T + 1, S).
        actions: Applied actions, (T, A).
        terminated: Whether the task ended the episode.
        period: Control period [s].
    """

    sensors: Array
    actions: Array
    terminated: bool
    period: float


class Task(ABC):
    """Goals, rewards and ends of episodes.

    Attributes:
        config_type: Frozen dataclass of the parameters, one field each, made with
            `sac_agent.settings.option`.
        reward_names: One per reward term.
        feature_names: One per element that `features` computes, if any.
        distance: Name of the metric that learning curves show; '' for the return.
        paper: Figures of the paper to draw beside ours, by name.
    """

    config_type: ClassVar[type[Any]] = NoParameters
    reward_names: tuple[str, ...] = ('reward',)
    feature_names: tuple[str, ...] = ()
    distance: ClassVar[str] = ''
    paper: ClassVar[Mapping[str, float]] = {}

    def __init__(self, layout: SensorLayout, config: Any, period: float) -> None:
        """Resolve the sensor values the task needs.

        Args:
            layout: Where each raw sensor value is.
            config: Instance of `config_type`.
            period: Control period [s].

        Raises:
            ConfigError: A sensor value is missing.
        """
        self.layout = layout
        self.config = config
        self.period = period

    def reset_goal(
        self, rng: np.random.Generator, *, evaluation: bool = False
    ) -> dict[str, float]:
        """Return where the reset brings joints or scene objects [rad or m], by name."""
        del rng, evaluation
        return {}

    @abstractmethod
    def reward(
        self, before: Array, action: Array, after: Array, history: Sequence[Array]
    ) -> Array:
        """Return one value per reward term.

        Args:
            before: Raw sensor values before the action, (S,).
            action: Applied, in [-1, 1], (A,).
            after: Raw sensor values one control period later, (S,).
            history: Earlier applied actions of the episode, newest last.
        """

    def terminated(self, after: Array) -> bool:
        """Return whether the task has ended, so that `after` has no value."""
        del after
        return False

    def success(self, trajectory: Trajectory) -> bool:
        """Return whether the episode solved the task."""
        del trajectory
        return False

    def metrics(self, trajectory: Trajectory) -> dict[str, float]:
        """Return figures of an episode, by name, SI units."""
        del trajectory
        return {}

    def features(self, raw: Array) -> Array:
        """Return further observation elements, one per `feature_names`."""
        del raw
        return np.zeros(len(self.feature_names))


def find_task(reference: str) -> type[Task]:
    """Return a task class by entry point of group sac_agent.tasks, or by ``module:Class``.

    Raises:
        ConfigError: There is no such task, or it cannot be imported.
    """
    if ':' in reference:
        module, _, name = reference.partition(':')
        try:
            found = getattr(import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise ConfigError(f'task: {reference!r} cannot be imported: {error}') from None
    else:
        known = {point.name: point for point in entry_points(group=GROUP)}
        if reference in known:
            try:
                found = known[reference].load()
            except (ImportError, AttributeError) as error:
                raise ConfigError(f'task: {reference!r} cannot be imported: {error}') from None
        elif reference in _OWN:
            return find_task(_OWN[reference])
        else:
            names = sorted({*known, *_OWN})
            raise ConfigError(
                f'task: must be one of {", ".join(names)}, or module:Class, got {reference!r}'
            )
    if not (isinstance(found, type) and issubclass(found, Task)):
        raise ConfigError(f'task: {reference!r} is no subclass of sac_agent.tasks.task.Task')
    return found


def make_task(
    reference: str, parameters: Mapping[str, Any], layout: SensorLayout, period: float
) -> Task:
    """Return a task with its parameters; raises as `find_task` and for wrong parameters."""
    task_type = find_task(reference)
    if not is_dataclass(task_type.config_type):
        raise ConfigError(f'task: {reference}.config_type must be a dataclass')
    config = load(task_type.config_type, parameters, 'task_parameters')
    return task_type(layout, config, period)


# Also found where this package is used from its source folder, without being installed.
_OWN = {
    'dclaw_valve': 'sac_agent.tasks.dclaw_valve:DclawValve',
    'minitaur_walk': 'sac_agent.tasks.minitaur_walk:MinitaurWalk',
    'sawyer_stack': 'sac_agent.tasks.sawyer_stack:SawyerStack',
}
