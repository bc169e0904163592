"""An argument of a launch file."""

from __future__ import annotations

from collections.abc import Iterable

from ..conditions import Condition
from ..entity import Action
from ..launch_context import LaunchContext
from ..logging import get_logger
from ..substitution import normalize, perform, SomeSubstitutionsType
from ..substitutions.text_substitution import TextSubstitution


class DeclareLaunchArgument(Action):
    """Declares an argument, with its default value and the values it may have."""

    def __init__(
        self,
        name: str,
        *,
        default_value: SomeSubstitutionsType | None = None,
        description: str | None = None,
        choices: Iterable[str] | None = None,
        condition: Condition | None = None,
    ) -> None:
        """Describe the argument.

        Raises:
            ValueError: ``choices`` is empty, or the default is none of them.
        """
        super().__init__(condition=condition)
        self.name = name
        self.default_value = None if default_value is None else normalize(default_value)
        self.choices = None if choices is None else list(choices)
        if self.choices is not None:
            self._check_choices(self.choices)
        self.description = _describe(description, self.choices)

    def _check_choices(self, choices: list[str]) -> None:
        if not choices:
            raise ValueError(f'choices of launch argument "{self.name}" must not be empty')
        literal = self.default_value is not None and all(
            isinstance(part, TextSubstitution) for part in self.default_value
        )
        if literal and self.default_value is not None:
            default = perform(LaunchContext(), self.default_value)
            if default not in choices:
                raise ValueError(
                    f'Provided default_value "{default}" is not in provided choices "{choices}".'
                )

    def execute(self, context: LaunchContext) -> None:
        """Give the argument its default if it has no value, and check the value.

        Raises:
            RuntimeError: It has neither value nor default, or a value that is no choice.
        """
        values = context.launch_configurations
        if self.name not in values:
            if self.default_value is None:
                raise RuntimeError(
                    f'Required launch argument "{self.name}" (description: '
                    f"'{self.description}') "
                    'was not provided'
                )
            values[self.name] = perform(context, self.default_value)
        if self.choices is not None and values[self.name] not in self.choices:
            message = (
                f'Argument "{self.name}" provided value "{values[self.name]}" is not valid. '
                f'Valid options are: {self.choices}'
            )
            get_logger('launch.actions.declare_launch_argument').error(message)
            raise RuntimeError(message)


def _describe(description: str | None, choices: list[str] | None) -> str:
    if choices is None:
        return 'no description given' if description is None else description
    if description is None:
        return f'One of: {choices}'
    return f'{description.rstrip().removesuffix(".")}. Valid choices are: {choices}'
