"""What an environment wants a run on it to begin with, and what it is made with.

The environments of our robots have a method `run_settings()`: their files say how to learn them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

import yaml

from sac_learner.command_line import CommandError, OPTIONS
from sac_learner.gym.environment import Environment
from sac_learner.sac.config import SacConfig
from sac_learner.settings import LearnerSettings


@dataclass(frozen=True)
class Suggestions:
    """Settings for a run; whatever the command line says comes before them.

    Attributes:
        preset: Of docs/sac.md, None: the usual one.
        algorithm: Fields of `SacConfig`.
        learner: Fields of `LearnerSettings`.
        gym: Fields of `GymSettings`.
    """

    preset: str | None = None
    algorithm: dict[str, Any] = field(default_factory=dict)
    learner: dict[str, Any] = field(default_factory=dict)
    gym: dict[str, Any] = field(default_factory=dict)


def suggestions(env: Environment) -> Suggestions:
    """Return what an environment suggests.

    One without `run_settings` wants all steps: the threshold that its registry has for the return
    is no end of a run.

    `run_settings()` returns a mapping with ``learner``, the learner's parameters in the file of a
    robot, and ``gym``, the settings of evaluations.
    """
    method = getattr(env.unwrapped, 'run_settings', None)
    if method is None:
        return Suggestions(learner={'stop_when_solved': False})
    said = method()
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in said['learner'].items()
    }
    return Suggestions(
        values.get('preset'), _of(SacConfig, values), _of(LearnerSettings, values), said['gym']
    )


def environment_options(assignments: Iterable[str]) -> dict[str, Any]:
    """Return the arguments of an environment in ``name=value`` texts, values as in YAML.

    Raises:
        CommandError: A text is no assignment, or its value is no YAML.
    """
    found = {}
    for text in assignments:
        name, equals, value = text.partition('=')
        if not equals or not name.isidentifier():
            raise CommandError(f'--env-options takes name=value, got {text!r}')
        try:
            found[name] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            problem = ' '.join(str(error).split())
            raise CommandError(f'--env-options: {name}={value!r} is no YAML: {problem}') from None
    return found


def _of(config: type, values: dict[str, Any]) -> dict[str, Any]:
    names = {item.name for item in fields(config)} - set(OPTIONS)
    return {name: value for name, value in values.items() if name in names}
