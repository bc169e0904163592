"""Actions in [-1, 1] to commands in rad, rad/s or Nm, with limits, and back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sac_agent.config import ActionConfig
from sac_agent.errors import ConfigError
from sac_agent.layout import SensorLayout
from sac_agent.observation.builder import spread

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Command:
    """What one step commands.

    Attributes:
        channels: Values by channel, each (J,), unit by mode.
        applied: The action that gives these values, (A,).
        clipped: True where a limit of the channel changed the action, (A,).
    """

    channels: dict[str, Array]
    applied: Array
    clipped: npt.NDArray[np.bool_]

    @property
    def flat(self) -> Array:
        """All values, one channel after the other."""
        return np.concatenate(list(self.channels.values()))


class ActionMapper:
    """Maps actions to the commands of all channels, in the order of channel names.

    Attributes:
        names: One per action element.
        command_names: One per command value.
        size: Number of action elements.
    """

    def __init__(
        self, channels: Mapping[str, ActionConfig], layout: SensorLayout, period: float
    ) -> None:
        """Resolve limits and measured positions.

        Args:
            channels: Action channels by name.
            layout: Of the raw sensor values, for velocity limits.
            period: Control period [s].

        Raises:
            ConfigError: Numbers of elements do not fit, or a name is unknown.
        """
        self._channels = {
            name: _Channel(f'actions.{name}', config, layout, period)
            for name, config in channels.items()
        }
        self.names = tuple(n for c in self._channels.values() for n in c.action_names)
        self.command_names = tuple(n for c in self._channels.values() for n in c.names)
        self.size = len(self.names)
        if len(set(self.names)) != self.size:
            raise ConfigError(f'actions: names of action elements must differ, got {self.names}')

    def command(self, action: npt.ArrayLike, raw: Array) -> Command:
        """Return the command for an action (A,) where the sensors read `raw` (S,)."""
        values, applied, clipped = {}, [], []
        start = 0
        action = np.asarray(action, dtype=np.float64)
        for name, channel in self._channels.items():
            part = action[start : start + channel.size]
            values[name], undone, changed = channel.command(part, raw)
            applied.append(undone)
            clipped.append(changed)
            start += channel.size
        return Command(values, np.concatenate(applied), np.concatenate(clipped))

    def action(self, commands: Mapping[str, Array], raw: Array) -> Array:
        """Return the action (A,) nearest to given command values by channel."""
        return np.concatenate(
            [
                channel.action(np.asarray(commands[name], dtype=np.float64), raw)
                for name, channel in self._channels.items()
            ]
        )

    def hold(self, raw: Array) -> dict[str, Array]:
        """Return commands that keep the robot still, by channel."""
        return {name: channel.hold(raw) for name, channel in self._channels.items()}

    def ordered(self, channel: str, names: Sequence[str], values: Sequence[float]) -> Array:
        """Return values by name in the channel's order, (J,).

        Raises:
            ConfigError: A name of the channel is missing, or the numbers of both differ.
        """
        if len(names) != len(values):
            raise ConfigError(f'{len(names)} names for {len(values)} values')
        given = dict(zip(names, values, strict=True))
        expected = self._channels[channel].names
        missing = [name for name in expected if name not in given]
        if missing:
            raise ConfigError(
                f'command lacks {", ".join(missing)}; expected {", ".join(expected)}'
            )
        return np.array([given[name] for name in expected], dtype=np.float64)


class _Channel:
    def __init__(
        self, path: str, config: ActionConfig, layout: SensorLayout, period: float
    ) -> None:
        size = len(config.names)
        if not size:
            raise ConfigError(f'{path}.names: must name at least one element')
        self.size = size
        self.names = config.names
        self.action_names = config.action_names or config.names
        if len(self.action_names) != size:
            raise ConfigError(
                f'{path}.action_names: must hold {size} names, got {len(self.action_names)}'
            )
        self._low = spread(config.low, size, f'{path}.low')
        self._high = spread(config.high, size, f'{path}.high')
        if not (self._low < self._high).all():
            raise ConfigError(f'{path}.low: must be below high, got {config.low}, {config.high}')
        middle, half = (self._low + self._high) / 2, (self._high - self._low) / 2
        self._center = spread(config.center, size, f'{path}.center') if config.center else middle
        self._scale = spread(config.scale, size, f'{path}.scale') if config.scale else half
        if not self._scale.all():
            raise ConfigError(f'{path}.scale: must not be zero, got {config.scale}')
        self._matrix, self._inverse = _matrices(config.matrix, size, path)
        self._relative = config.relative
        self._mode = config.mode
        velocity = spread(config.velocity_limit, size, f'{path}.velocity_limit')
        self._reach = np.where(velocity > 0, velocity * period, np.inf)
        self._limited = bool(np.isfinite(self._reach).any())
        self._state = None
        state = position_source(config, layout)
        if self._limited or config.relative or state in layout.sources:
            self._state = self._measured(replace(config, state=state), layout, path)
        self._at_rest = np.zeros(size) if config.mode != 'position' else None

    def _measured(
        self, config: ActionConfig, layout: SensorLayout, path: str
    ) -> npt.NDArray[np.intp] | None:
        if not config.state:
            raise ConfigError(
                f'{path}.state: missing; name the source of the measured positions of '
                f'{", ".join(config.names)}; there are {", ".join(layout.sources)}'
            )
        try:
            return layout.indices(config.state, config.names)
        except ConfigError as error:
            if self._limited or config.relative:
                raise ConfigError(f'{path}.state: {error}') from None
            return None

    def command(self, action: Array, raw: Array) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
        target = self._scale * action
        if self._matrix is not None:
            target = self._matrix @ target
        target = target + self._origin(raw)
        limited = target
        if self._limited:
            position = raw[self._state]
            limited = position + np.clip(target - position, -self._reach, self._reach)
        limited = np.clip(limited, self._low, self._high)
        if np.array_equal(limited, target):
            return limited, action.copy(), np.zeros(self.size, dtype=bool)
        applied = self.action(limited, raw)
        return limited, applied, np.abs(applied - action) > 1e-6

    def action(self, command: Array, raw: Array) -> Array:
        scaled = command - self._origin(raw)
        if self._inverse is not None:
            scaled = self._inverse @ scaled
        return np.clip(scaled / self._scale, -1.0, 1.0)

    def hold(self, raw: Array) -> Array:
        if self._at_rest is not None:
            return self._at_rest.copy()
        if self._state is None:
            return np.clip(self._center, self._low, self._high)
        return np.clip(raw[self._state], self._low, self._high)

    def _origin(self, raw: Array) -> Array:
        return raw[self._state] if self._relative else self._center


def position_source(config: ActionConfig, layout: SensorLayout) -> str:
    """Return where the measured position of a channel is: as configured, or found by its names.

    Without `state` it is the only source ``SENSOR.position``, or the only one that has all names;
    '' if there is none.
    """
    if config.state:
        return config.state
    sources = [source for source in layout.sources if source.endswith('.position')]
    complete = [s for s in sources if all(name in layout.sources[s] for name in config.names)]
    found = complete or sources
    return found[0] if len(found) == 1 else ''


def _matrices(
    numbers: tuple[float, ...], size: int, path: str
) -> tuple[Array | None, Array | None]:
    if not numbers:
        return None, None
    if len(numbers) != size * size:
        raise ConfigError(f'{path}.matrix: must hold {size * size} numbers, got {len(numbers)}')
    matrix = np.array(numbers, dtype=np.float64).reshape(size, size)
    if abs(np.linalg.det(matrix)) < 1e-9:
        raise ConfigError(f'{path}.matrix: must be invertible')
    return matrix, np.asarray(np.linalg.inv(matrix), dtype=np.float64)
