"""Values of launch arguments and of environment variables."""

from typing import Any

from ..launch_context import LaunchContext
from ..substitution import describe, normalize, perform, SomeSubstitutionsType, Substitution
from .errors import SubstitutionFailure


class LaunchConfiguration(Substitution):
    """The value of a launch argument."""

    def __init__(self, variable_name: SomeSubstitutionsType, *, default: Any = None) -> None:
        """Name the argument; ``default`` is used where it has no value."""
        self.variable_name = normalize(variable_name)
        if default is not None and not isinstance(default, str | Substitution | list | tuple):
            default = str(default)
        self._default = None if default is None else normalize(default)

    def perform(self, context: LaunchContext) -> str:
        """Return the value.

        Raises:
            SubstitutionFailure: It has none, and no default.
        """
        name = perform(context, self.variable_name)
        if name in context.launch_configurations:
            return context.launch_configurations[name]
        if self._default is None:
            raise SubstitutionFailure(f"launch configuration '{name}' does not exist")
        return perform(context, self._default)

    def describe(self) -> str:
        """Return ``LaunchConfig('name')``."""
        return f'LaunchConfig({describe(self.variable_name)})'


class EnvironmentVariable(Substitution):
    """The value of an environment variable at the time of execution."""

    def __init__(
        self, name: SomeSubstitutionsType, *, default_value: SomeSubstitutionsType | None = None
    ) -> None:
        """Name the variable; ``default_value`` is used where it is unset."""
        self.name = normalize(name)
        self._default = None if default_value is None else normalize(default_value)

    def perform(self, context: LaunchContext) -> str:
        """Return the value.

        Raises:
            SubstitutionFailure: It is unset, and there is no default.
        """
        name = perform(context, self.name)
        if name in context.environment:
            return context.environment[name]
        if self._default is None:
            raise SubstitutionFailure(f"environment variable '{name}' does not exist")
        return perform(context, self._default)

    def describe(self) -> str:
        """Return ``EnvVar('name')``."""
        return f'EnvVar({describe(self.name)})'
