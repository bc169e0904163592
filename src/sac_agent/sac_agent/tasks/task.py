"""The interface of a task, and how it is found.

A task sees raw sensor values as one vector (S,) and asks a `SensorLayout` once, at construction,
where its values are. So the same object serves robot, simulation, Gymnasium and bags.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from importlib import import_module
from importlib.metadata import entry_points
import inspect
import traceback
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
                f'task: must be one of {", ".join(names)}, or module:Class, got {reference!r}; a '
                'task of your own package is found once its workspace is sourced'
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
    try:
        return task_type(layout, config, period)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(
            f'task: {reference} cannot be made: {_where(error, task_type)}'
        ) from error


def try_task(task: Task, actions: int) -> None:
    """Call everything a task has to offer, with made-up numbers.

    Args:
        task: What is tried.
        actions: Number of action elements A.

    Raises:
        ConfigError: It raises, or returns what an agent could not use.
    """
    rng = np.random.default_rng(0)
    sensors = rng.uniform(-1.0, 1.0, (3, task.layout.size))
    made = rng.uniform(-1.0, 1.0, (2, actions))
    trajectory = Trajectory(sensors, made, terminated=False, period=task.period)
    name = type(task).__name__
    calls: dict[str, Callable[[], Any]] = {
        'reset_goal': lambda: _numbers(task.reset_goal(rng)),
        'reward': lambda: _vector(
            task.reward(sensors[1], made[1], sensors[2], list(made[:1])), task.reward_names
        ),
        'terminated': lambda: bool(task.terminated(sensors[2])),
        'features': lambda: _vector(task.features(sensors[0]), task.feature_names),
        'success': lambda: bool(task.success(trajectory)),
        'metrics': lambda: _numbers(task.metrics(trajectory)),
    }
    for method, call in calls.items():
        try:
            call()
        except Exception as error:
            raise ConfigError(
                f'task: {name}.{method} failed: {_where(error, type(task))}'
            ) from error
    metrics = task.metrics(trajectory)
    if task.distance and task.distance not in metrics:
        raise ConfigError(
            f'task: {name}.distance is {task.distance!r}, metrics returns only '
            f'{", ".join(metrics) or "nothing"}'
        )


def _vector(values: Any, names: Sequence[str]) -> None:
    shape = np.asarray(values, dtype=np.float64).shape
    if shape != (len(names),):
        raise ValueError(
            f'must return {len(names)} numbers, {", ".join(names)}; got shape {shape}'
        )


def _numbers(values: Mapping[str, float]) -> None:
    for name, value in values.items():
        float(value)
        if not isinstance(name, str):
            raise TypeError(f'names must be text, got {name!r}')


def _where(error: Exception, task_type: type[Task]) -> str:
    """Return what went wrong, and in which line of the task."""
    file = inspect.getfile(task_type)
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == file
    ]
    place = f' ({file}, line {lines[-1]})' if lines else ''
    return f'{type(error).__name__}: {error}{place}'


# Also found where this package is used from its source folder, without being installed.
_OWN = {
    'dclaw_valve': 'sac_agent.tasks.dclaw_valve:DclawValve',
    'minitaur_walk': 'sac_agent.tasks.minitaur_walk:MinitaurWalk',
    'sawyer_stack': 'sac_agent.tasks.sawyer_stack:SawyerStack',
}
