"""Raw sensor values to what the policy sees: selection, scaling, delay, history."""

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sac_agent.angles import roll_pitch, wrap
from sac_agent.config import FieldConfig, ObservationConfig
from sac_agent.errors import ConfigError
from sac_agent.layout import SensorLayout
from sac_agent.tasks.task import Task

Array = npt.NDArray[np.float64]
Vector = npt.NDArray[np.float32]


@dataclass(frozen=True)
class _Field:
    indices: npt.NDArray[np.intp]
    offset: Array
    scale: Array
    transform: str
    names: tuple[str, ...]

    def __call__(self, raw: Array) -> Array:
        values = raw[self.indices]
        if self.transform == 'roll_pitch':
            values = roll_pitch(values)
        values = values - self.offset
        if self.transform == 'cos':
            values = np.cos(values)
        elif self.transform == 'sin':
            values = np.sin(values)
        elif self.transform == 'wrap':
            values = wrap(values)
        return values * self.scale


class ObservationBuilder:
    """Builds the observation vector of every control step.

    The vector holds the present fields, the task's features if asked for, past observations
    (newest first), past applied actions (newest first). At the start of an episode the first
    observation stands for all before it, and past actions are zero.

    Attributes:
        names: One name per element; ``@-1`` marks the previous step.
    """

    def __init__(
        self,
        config: ObservationConfig,
        layout: SensorLayout,
        action_names: tuple[str, ...],
        task: Task,
    ) -> None:
        """Resolve all names.

        Raises:
            ConfigError: A source or name is unknown, or a size does not fit.
        """
        self._fields = [
            _resolve(name, field, layout, f'observation.fields.{name}')
            for name, field in config.fields.items()
        ]
        self._task = task if config.features else None
        self._clip = config.clip
        self._past = config.history.observations
        self._past_actions = config.history.actions
        now = tuple(name for field in self._fields for name in field.names)
        if self._task is not None:
            now += self._task.feature_names
        self._frame_size = len(now)
        self._action_size = len(action_names)
        self.names = (
            now
            + tuple(f'{n}@-{k}' for k in range(1, self._past + 1) for n in now)
            + tuple(
                f'action[{n}]@-{k}' for k in range(1, self._past_actions + 1) for n in action_names
            )
        )
        self._delayed: deque[Array] = deque(maxlen=config.delay + 1)
        self._frames: deque[Array] = deque(maxlen=self._past + 1)
        self._actions: deque[Array] = deque(maxlen=max(self._past_actions, 1))

    def reset(self) -> None:
        """Begin a new episode."""
        self._delayed.clear()
        self._frames.clear()
        self._actions.clear()

    def remember(self, action: npt.ArrayLike) -> None:
        """Note the action that is applied between the last and the next `push`, (A,)."""
        self._actions.appendleft(np.array(action, dtype=np.float64))

    def push(self, raw: Array) -> Vector:
        """Take the next raw sensor values, (S,); return the observation, (len(names),)."""
        if not self._delayed:
            self._delayed.extend([raw] * (self._delayed.maxlen or 1))
        else:
            self._delayed.append(raw)
        frame = self._frame(self._delayed[0])
        if not self._frames:
            self._frames.extend([frame] * (self._past + 1))
        else:
            self._frames.appendleft(frame)
        parts = list(self._frames)
        if self._past_actions:
            parts += self._actions
            missing = self._past_actions - len(self._actions)
            if missing:
                parts.append(np.zeros(missing * self._action_size))
        return np.concatenate(parts).astype(np.float32)

    def _frame(self, raw: Array) -> Array:
        parts = [field(raw) for field in self._fields]
        if self._task is not None:
            parts.append(np.asarray(self._task.features(raw), dtype=np.float64))
        if not parts:
            return np.zeros(0)
        frame = np.concatenate(parts)
        np.maximum(frame, -self._clip, out=frame)
        return np.minimum(frame, self._clip, out=frame)


def spread(values: tuple[float, ...], size: int, path: str) -> Array:
    """Return one number per element, shape (size,), where one stands for all.

    Raises:
        ConfigError: The number of values fits neither.
    """
    if len(values) not in (1, size):
        raise ConfigError(f'{path}: must hold 1 or {size} numbers, got {len(values)}')
    return np.broadcast_to(np.asarray(values, dtype=np.float64), (size,)).copy()


def _resolve(name: str, field: FieldConfig, layout: SensorLayout, path: str) -> _Field:
    try:
        indices = layout.indices(field.source, field.names)
        elements = field.names or layout.elements(field.source)
    except ConfigError as error:
        raise ConfigError(f'{path}: {error}') from None
    if field.transform == 'roll_pitch':
        if len(elements) != 4:
            raise ConfigError(
                f'{path}.transform: roll_pitch needs a quaternion x y z w, got {len(elements)} '
                f'elements of {field.source}'
            )
        elements = ('roll', 'pitch')
    size = len(elements)
    return _Field(
        indices,
        spread(field.offset, size, f'{path}.offset'),
        spread(field.scale, size, f'{path}.scale'),
        field.transform,
        tuple(f'{name}[{element}]' for element in elements),
    )
