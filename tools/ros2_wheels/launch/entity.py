"""What a launch description consists of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .conditions import Condition
    from .launch_context import LaunchContext


class LaunchDescriptionEntity:
    """Anything that can stand in a launch description."""

    condition: Condition | None = None

    def visit(self, context: LaunchContext) -> Iterable[LaunchDescriptionEntity] | None:
        """Execute it, and return what is to be executed next."""
        raise NotImplementedError

    def describe_sub_entities(self) -> list[LaunchDescriptionEntity]:
        """Return the entities inside that are executed with this one."""
        return []

    def describe_conditional_sub_entities(self) -> list[LaunchDescriptionEntity]:
        """Return the entities inside that are executed only when something happens."""
        return []


class Action(LaunchDescriptionEntity):
    """An entity that does something, unless its condition says no."""

    def __init__(self, *, condition: Condition | None = None) -> None:
        """Take the condition."""
        self.condition = condition

    def visit(self, context: LaunchContext) -> Iterable[LaunchDescriptionEntity] | None:
        """Execute the action if its condition holds."""
        if self.condition is not None and not self.condition.evaluate(context):
            return None
        return self.execute(context)

    def execute(self, context: LaunchContext) -> Iterable[LaunchDescriptionEntity] | None:
        """Do it, and return what is to be executed next."""
        return None
