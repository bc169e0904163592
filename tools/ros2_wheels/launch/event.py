"""What happens while launching."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .entity import LaunchDescriptionEntity
    from .launch_context import LaunchContext


class Event:
    """Base of all events."""

    name = 'launch.Event'


class EventHandler:
    """Executes entities when an event matches."""

    def __init__(
        self,
        *,
        matcher: Callable[[Event], bool],
        entities: LaunchDescriptionEntity | Iterable[LaunchDescriptionEntity] | None = None,
        handle_once: bool = False,
    ) -> None:
        """Take the matcher and what to execute; with ``handle_once`` only for the first match."""
        self._matcher = matcher
        self._entities = as_entities(entities)
        self._handle_once = handle_once

    def matches(self, event: Event) -> bool:
        """Tell whether the event is meant for this handler."""
        return self._matcher(event)

    def handle(self, event: Event, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """Return what to execute."""
        if self._handle_once:
            context.unregister_event_handler(self)
        return list(self._entities)

    def describe_entities(self) -> list[LaunchDescriptionEntity]:
        """Return the entities that it may execute, as far as they are known."""
        return list(self._entities)


def as_entities(
    entities: LaunchDescriptionEntity | Iterable[LaunchDescriptionEntity] | None,
) -> list[LaunchDescriptionEntity]:
    """Return one entity, several or none as a list.

    Raises:
        TypeError: It is something else.
    """
    from .entity import LaunchDescriptionEntity

    if entities is None:
        return []
    if isinstance(entities, LaunchDescriptionEntity):
        return [entities]
    listed = list(entities)
    for entity in listed:
        if not isinstance(entity, LaunchDescriptionEntity):
            raise TypeError(f'expected a launch description entity, got {entity!r}')
    return listed
