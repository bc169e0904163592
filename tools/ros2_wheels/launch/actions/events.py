"""Emitting events, and reacting to them."""

from __future__ import annotations

from ..conditions import Condition
from ..entity import Action, LaunchDescriptionEntity
from ..event import Event, EventHandler
from ..events import Shutdown as ShutdownEvent
from ..events.process import ProcessExited, SignalProcess
from ..launch_context import LaunchContext
from ..logging import get_logger
from ..substitution import normalize, perform, SomeSubstitutionsType


class EmitEvent(Action):
    """Emits an event."""

    def __init__(self, *, event: Event, condition: Condition | None = None) -> None:
        """Take the event."""
        super().__init__(condition=condition)
        self.event = event

    def execute(self, context: LaunchContext) -> None:
        """Queue it."""
        if isinstance(self.event, ShutdownEvent):
            begin_shutdown(context, self.event.reason)
        else:
            context.emit_event_sync(self.event)


class Shutdown(Action):
    """Ends everything; as ``on_exit`` of a process it says that the process is required."""

    def __init__(
        self,
        *,
        reason: SomeSubstitutionsType = 'reason not given',
        condition: Condition | None = None,
    ) -> None:
        """Take the reason."""
        super().__init__(condition=condition)
        self.reason = normalize(reason)

    def execute(self, context: LaunchContext) -> None:
        """Begin to end everything."""
        begin_shutdown(context, perform(context, self.reason))


def begin_shutdown(context: LaunchContext, reason: str) -> None:
    """Ask the service to end, and name the process that is the cause, if it is one."""
    event = getattr(context.locals, 'event', None)
    if isinstance(event, ProcessExited) and not context.is_shutdown:
        get_logger('launch').info(
            f'process[{event.process_name}] was required: shutting down launched system'
        )
    assert context.service is not None
    context.service.request_shutdown(reason)


class RegisterEventHandler(Action):
    """Reacts to events from now on."""

    def __init__(self, event_handler: EventHandler, *, condition: Condition | None = None) -> None:
        """Take the handler."""
        super().__init__(condition=condition)
        self.event_handler = event_handler

    def describe_conditional_sub_entities(self) -> list[LaunchDescriptionEntity]:
        """Return what may be executed when the event happens."""
        return self.event_handler.describe_entities()

    def execute(self, context: LaunchContext) -> None:
        """Register it."""
        context.register_event_handler(self.event_handler)


class UnregisterEventHandler(Action):
    """Reacts no longer."""

    def __init__(self, event_handler: EventHandler, *, condition: Condition | None = None) -> None:
        """Take the handler."""
        super().__init__(condition=condition)
        self.event_handler = event_handler

    def execute(self, context: LaunchContext) -> None:
        """Remove it."""
        context.unregister_event_handler(self.event_handler)


__all__ = [
    'EmitEvent',
    'RegisterEventHandler',
    'Shutdown',
    'SignalProcess',
    'UnregisterEventHandler',
]
