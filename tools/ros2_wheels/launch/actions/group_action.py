"""Entities with arguments and environment of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..conditions import Condition
from ..entity import Action, LaunchDescriptionEntity
from ..launch_context import LaunchContext
from ..substitution import perform, SomeSubstitutionsType
from .opaque_function import OpaqueFunction


class GroupAction(Action):
    """Executes entities; what they set ends with the group if it is scoped."""

    def __init__(
        self,
        actions: Iterable[LaunchDescriptionEntity],
        *,
        scoped: bool = True,
        forwarding: bool = True,
        launch_configurations: Mapping[SomeSubstitutionsType, SomeSubstitutionsType] | None = None,
        condition: Condition | None = None,
    ) -> None:
        """Describe the group.

        Args:
            actions: What to execute.
            scoped: Restore arguments and environment at the end.
            forwarding: Let the arguments from outside be seen inside.
            launch_configurations: Arguments to set inside.
            condition: Whether to execute the group.
        """
        super().__init__(condition=condition)
        self._actions = list(actions)
        self._scoped = scoped
        self._forwarding = forwarding
        self._configurations = dict(launch_configurations or {})

    def describe_sub_entities(self) -> list[LaunchDescriptionEntity]:
        """Return what is inside."""
        return list(self._actions)

    def execute(self, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """Execute what is inside."""
        values = {
            perform(context, name): perform(context, value)
            for name, value in self._configurations.items()
        }
        if not self._scoped:
            context.launch_configurations.update(values)
            return list(self._actions)
        context.save()
        if not self._forwarding:
            context.launch_configurations.clear()
        context.launch_configurations.update(values)
        return [*self._actions, OpaqueFunction(function=LaunchContext.restore)]
