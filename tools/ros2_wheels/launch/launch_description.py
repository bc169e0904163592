"""What a launch file returns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from .entity import LaunchDescriptionEntity

if TYPE_CHECKING:
    from .actions.declare_launch_argument import DeclareLaunchArgument
    from .launch_context import LaunchContext


class LaunchDescription(LaunchDescriptionEntity):
    """Entities, executed in order."""

    def __init__(
        self,
        initial_entities: Iterable[LaunchDescriptionEntity] | None = None,
        *,
        deprecated_reason: str | None = None,
    ) -> None:
        """Take the first entities."""
        self.entities = list(initial_entities or [])
        self.deprecated_reason = deprecated_reason

    def visit(self, context: LaunchContext) -> Iterable[LaunchDescriptionEntity]:
        """Return the entities."""
        return self.entities

    def describe_sub_entities(self) -> list[LaunchDescriptionEntity]:
        """Return the entities."""
        return list(self.entities)

    def add_entity(self, entity: LaunchDescriptionEntity) -> None:
        """Append an entity."""
        self.entities.append(entity)

    def add_action(self, action: LaunchDescriptionEntity) -> None:
        """Append an action."""
        self.add_entity(action)

    def get_launch_arguments(self) -> list[DeclareLaunchArgument]:
        """Return the declared arguments, also of included files; the first of a name counts."""
        return [argument for argument, _ in self.declared_arguments()]

    def declared_arguments(self) -> list[tuple[DeclareLaunchArgument, bool]]:
        """Return each declared argument with whether it is declared only under a condition."""
        return self._unique(provided_by_includes=True)

    def required_arguments(self) -> list[DeclareLaunchArgument]:
        """Return the unconditional arguments without default that no include provides."""
        return [
            argument
            for argument, conditional in self._unique(provided_by_includes=False)
            if not conditional and argument.default_value is None
        ]

    def _unique(self, provided_by_includes: bool) -> list[tuple[DeclareLaunchArgument, bool]]:
        found: dict[str, tuple[DeclareLaunchArgument, bool]] = {}
        for argument, conditional, provided in _walk(self.entities, False, frozenset()):
            if provided_by_includes or argument.name not in provided:
                found.setdefault(argument.name, (argument, conditional))
        return list(found.values())


def _walk(
    entities: Iterable[LaunchDescriptionEntity], conditional: bool, provided: frozenset[str]
) -> Iterator[tuple[DeclareLaunchArgument, bool, frozenset[str]]]:
    from .actions.declare_launch_argument import DeclareLaunchArgument
    from .actions.include_launch_description import IncludeLaunchDescription

    for entity in entities:
        here = conditional or entity.condition is not None
        inside = provided
        if isinstance(entity, DeclareLaunchArgument):
            yield entity, here, provided
        if isinstance(entity, IncludeLaunchDescription):
            inside = provided | entity.argument_names()
        yield from _walk(entity.describe_sub_entities(), here, inside)
        yield from _walk(entity.describe_conditional_sub_entities(), True, inside)
