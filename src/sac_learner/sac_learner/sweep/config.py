"""What a sweep tries: the YAML file given as ``--study``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from sac_learner.command_line import CommandError

SAMPLERS = ('tpe', 'random', 'grid')
VALUES = ('last', 'best', 'mean')
DIRECTIONS = ('maximise', 'minimise')
Choice = bool | int | float | str


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, whole ones where both are."""

    low: float
    high: float
    log: bool = False

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are tried."""
        return isinstance(self.low, int) and isinstance(self.high, int)


@dataclass(frozen=True)
class Choices:
    """A few values, by the text that stands for each in the study."""

    values: Mapping[Choice, Any]


@dataclass(frozen=True)
class SweepConfig:
    """The content of the file.

    Attributes:
        settings: What varies, by name: a `Range` or `Choices`; one choice is a fixed value.
        steps: Training steps of every run.
        seeds: Every setting runs with each of them, and its value is their mean.
        trials: Settings to try; 0 for all of a grid.
        metric: ``return``, ``success_rate`` or a metric of the task, from evaluations.
        value: What counts of a run: its last evaluation, its best, or the mean of all.
        direction: Whether the metric is to be large or small.
        sampler: Who chooses: Optuna's TPE, chance, or one after the other.
        prune: Stop a setting that is worse than the median of the earlier ones at the same step.
        startup: Settings that are never stopped, and chosen by chance by TPE.
        arguments: Passed on to every run.
    """

    settings: Mapping[str, Range | Choices] = field(default_factory=dict)
    steps: int = 100_000
    seeds: tuple[int, ...] = (0,)
    trials: int = 0
    metric: str = 'return'
    value: str = 'last'
    direction: str = 'maximise'
    sampler: str = 'tpe'
    prune: bool = False
    startup: int = 5
    arguments: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check what the types do not say.

        Raises:
            CommandError: Something is not admissible.
        """
        for name, choices in (
            ('value', VALUES),
            ('direction', DIRECTIONS),
            ('sampler', SAMPLERS),
        ):
            if getattr(self, name) not in choices:
                raise CommandError(
                    f'{name} must be one of {", ".join(choices)}, got {getattr(self, name)!r}'
                )
        for name, least in (('steps', 1), ('trials', 0), ('startup', 0)):
            if getattr(self, name) < least:
                raise CommandError(f'{name} must be at least {least}, got {getattr(self, name)}')
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise CommandError(f'seeds must be one or more different numbers, got {self.seeds}')
        ranges = [name for name, what in self.settings.items() if isinstance(what, Range)]
        if self.sampler == 'grid' and ranges:
            raise CommandError(f'a grid needs lists of values, and {ranges[0]} is a range')
        if self.sampler != 'grid' and not self.trials:
            raise CommandError('trials is missing: the number of settings to try')

    @property
    def varying(self) -> list[str]:
        """Names of the settings that have more than one value."""
        return [
            name
            for name, what in self.settings.items()
            if isinstance(what, Range) or len(what.values) > 1
        ]

    @property
    def combinations(self) -> int:
        """Number of settings of a grid."""
        count = 1
        for what in self.settings.values():
            count *= len(what.values) if isinstance(what, Choices) else 1
        return count

    @property
    def wanted(self) -> int:
        """Number of settings to try."""
        if self.sampler == 'grid':
            return min(self.trials or self.combinations, self.combinations)
        return self.trials


def read(path: Path) -> SweepConfig:
    """Return the content of a file.

    Raises:
        CommandError: It cannot be read, a key is unknown, or a value is not admissible.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise CommandError(f'--study: {path} cannot be read: {error}') from error
    if not isinstance(content, Mapping):
        raise CommandError(f'--study: {path} must hold keys and values, got {content!r}')
    try:
        return _load(content)
    except CommandError as error:
        raise CommandError(f'--study: {path}: {error}') from None


def _load(content: Mapping[str, Any]) -> SweepConfig:
    known = {item.name: item for item in fields(SweepConfig)}
    for key in content:
        if key not in known:
            raise CommandError(f'unknown key {key!r}; there are {", ".join(known)}')
    values = dict(content)
    settings = values.pop('settings', {}) or {}
    if not isinstance(settings, Mapping):
        raise CommandError(f'settings must be names with what to try, got {settings!r}')
    values['settings'] = {name: _what(name, what) for name, what in settings.items()}
    if 'seeds' in values:
        given = values['seeds']
        values['seeds'] = tuple(range(given)) if isinstance(given, int) else tuple(given)
    if 'arguments' in values:
        values['arguments'] = tuple(map(str, values['arguments']))
    for name, expected in (
        ('steps', int), ('trials', int), ('startup', int), ('prune', bool), ('metric', str),
    ):  # fmt: skip
        if name in values and type(values[name]) is not expected:
            raise CommandError(f'{name} must be of type {expected.__name__}, got {values[name]!r}')
    if any(type(seed) is not int for seed in values.get('seeds', ())):
        raise CommandError(f'seeds must be whole numbers, got {values["seeds"]}')
    return SweepConfig(**values)


def _what(name: str, what: Any) -> Range | Choices:
    if isinstance(what, Mapping):
        if not {'low', 'high'} <= what.keys() <= {'low', 'high', 'log'}:
            raise CommandError(f'{name}: a range has low, high and perhaps log, got {dict(what)}')
        low, high, log = what['low'], what['high'], what.get('log', False)
        numbers = all(type(value) in (int, float) for value in (low, high))
        if not numbers or not low < high or (log and low <= 0):
            raise CommandError(
                f'{name}: low and high must be numbers (3e-4 is none to YAML, 3.0e-4 is), low '
                f'below high and positive with log, got {low!r} and {high!r}'
            )
        return Range(low, high, bool(log))
    values: Sequence[Any] = what if isinstance(what, list) else [what]
    if not values:
        raise CommandError(f'{name}: must list at least one value')
    return Choices({_text(value): value for value in values})


def _text(value: Any) -> Choice:
    """Return what stands for a value in the study, which knows no lists."""
    if isinstance(value, list):
        return ','.join(map(str, value))
    if isinstance(value, (bool, int, float, str)):
        return value
    raise CommandError(f'{value!r} is no number, text, truth value or list of these')
