"""Something to do when everything ends."""

from collections.abc import Callable, Iterable

from ..entity import LaunchDescriptionEntity
from ..event import as_entities, Event, EventHandler
from ..events import Shutdown
from ..launch_context import LaunchContext

Reaction = Callable[
    [Event, LaunchContext], LaunchDescriptionEntity | Iterable[LaunchDescriptionEntity] | None
]


class OnShutdown(EventHandler):
    """Executes entities at shutdown."""

    def __init__(
        self,
        *,
        on_shutdown: LaunchDescriptionEntity | Iterable[LaunchDescriptionEntity] | Reaction,
    ) -> None:
        """Take the entities, or a function of event and context that returns them."""
        self._react = on_shutdown if callable(on_shutdown) else None
        super().__init__(
            matcher=lambda event: isinstance(event, Shutdown),
            entities=None if callable(on_shutdown) else on_shutdown,
        )

    def handle(self, event: Event, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """Return what to execute."""
        if self._react is not None:
            return as_entities(self._react(event, context))
        return super().handle(event, context)
