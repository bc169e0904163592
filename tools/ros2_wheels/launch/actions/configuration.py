"""Arguments and environment variables, set at once."""

from __future__ import annotations

import os

from ..conditions import Condition
from ..entity import Action
from ..launch_context import LaunchContext
from ..substitution import normalize, perform, SomeSubstitutionsType


class SetLaunchConfiguration(Action):
    """Sets a launch argument."""

    def __init__(
        self,
        name: SomeSubstitutionsType,
        value: SomeSubstitutionsType,
        *,
        condition: Condition | None = None,
    ) -> None:
        """Take name and value."""
        super().__init__(condition=condition)
        self.name = normalize(name)
        self.value = normalize(value)

    def execute(self, context: LaunchContext) -> None:
        """Set it."""
        context.launch_configurations[perform(context, self.name)] = perform(context, self.value)


class SetEnvironmentVariable(Action):
    """Sets an environment variable for everything that is started later."""

    def __init__(
        self,
        name: SomeSubstitutionsType,
        value: SomeSubstitutionsType,
        *,
        condition: Condition | None = None,
    ) -> None:
        """Take name and value."""
        super().__init__(condition=condition)
        self.name = normalize(name)
        self.value = normalize(value)

    def execute(self, context: LaunchContext) -> None:
        """Set it."""
        context.environment[perform(context, self.name)] = perform(context, self.value)


class AppendEnvironmentVariable(Action):
    """Adds to the list in an environment variable."""

    def __init__(
        self,
        name: SomeSubstitutionsType,
        value: SomeSubstitutionsType,
        *,
        prepend: bool | SomeSubstitutionsType = False,
        separator: SomeSubstitutionsType = os.pathsep,
        condition: Condition | None = None,
    ) -> None:
        """Take name and value, where to add it, and what stands between the entries."""
        super().__init__(condition=condition)
        self.name = normalize(name)
        self.value = normalize(value)
        self._prepend = normalize(str(prepend) if isinstance(prepend, bool) else prepend)
        self._separator = normalize(separator)

    def execute(self, context: LaunchContext) -> None:
        """Add it."""
        name, value = perform(context, self.name), perform(context, self.value)
        entries = [context.environment[name]] if context.environment.get(name) else []
        entries.insert(0 if perform(context, self._prepend).lower() in ('true', '1') else 1, value)
        context.environment[name] = perform(context, self._separator).join(entries)


class UnsetEnvironmentVariable(Action):
    """Removes an environment variable."""

    def __init__(self, name: SomeSubstitutionsType, *, condition: Condition | None = None) -> None:
        """Take the name."""
        super().__init__(condition=condition)
        self.name = normalize(name)

    def execute(self, context: LaunchContext) -> None:
        """Remove it."""
        context.environment.pop(perform(context, self.name), None)
