"""Something to do when an action of interest reports an event."""

from collections.abc import Callable, Iterable
from typing import Any

from ..entity import Action, LaunchDescriptionEntity
from ..event import as_entities, Event, EventHandler
from ..events import ExecutionComplete
from ..events.process import ProcessExited, ProcessIO, ProcessStarted
from ..launch_context import LaunchContext

Target = Action | Callable[[Any], bool] | None
Reaction = Callable[
    [Any, LaunchContext], LaunchDescriptionEntity | Iterable[LaunchDescriptionEntity] | None
]
Reactions = LaunchDescriptionEntity | Iterable[LaunchDescriptionEntity] | Reaction | None


class _OnActionEvent(EventHandler):
    def __init__(
        self,
        event_type: type[Event],
        target_action: Target,
        reaction: Reactions,
        handle_once: bool = False,
    ) -> None:
        if not (
            target_action is None or isinstance(target_action, Action) or callable(target_action)
        ):
            raise TypeError(
                f"{type(self).__name__}: 'target_action' must be an action or a function, "
                f'got {target_action!r}'
            )
        self._react = reaction if callable(reaction) else None

        def is_meant(event: Event) -> bool:
            if not isinstance(event, event_type):
                return False
            action = getattr(event, 'action', None)
            if target_action is None or target_action is action:
                return True
            return not isinstance(target_action, Action) and target_action(action)

        super().__init__(
            matcher=is_meant,
            entities=None if callable(reaction) else reaction,
            handle_once=handle_once,
        )

    def handle(self, event: Event, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """Return what to execute."""
        listed = super().handle(event, context)
        return as_entities(self._react(event, context)) if self._react is not None else listed


class OnProcessExit(_OnActionEvent):
    """Executes entities when a process has ended."""

    def __init__(
        self, *, target_action: Target = None, on_exit: Reactions, handle_once: bool = False
    ) -> None:
        """Take the process, or a function that chooses, or None for any; and what to do."""
        super().__init__(ProcessExited, target_action, on_exit, handle_once)


class OnProcessStart(_OnActionEvent):
    """Executes entities when a process runs."""

    def __init__(
        self, *, target_action: Target = None, on_start: Reactions, handle_once: bool = False
    ) -> None:
        """Take the process, or a function that chooses, or None for any; and what to do."""
        super().__init__(ProcessStarted, target_action, on_start, handle_once)


class OnExecutionComplete(_OnActionEvent):
    """Executes entities when an action is done."""

    def __init__(
        self, *, target_action: Target = None, on_completion: Reactions, handle_once: bool = False
    ) -> None:
        """Take the action, or a function that chooses, or None for any; and what to do."""
        super().__init__(ExecutionComplete, target_action, on_completion, handle_once)


class OnProcessIO(EventHandler):
    """Executes entities when a process has written something."""

    def __init__(
        self,
        *,
        target_action: Target = None,
        on_stdout: Callable[[ProcessIO], Any] | None = None,
        on_stderr: Callable[[ProcessIO], Any] | None = None,
    ) -> None:
        """Take the process, a function that chooses, or None for any; and what to call."""
        self._reactions = {1: on_stdout, 2: on_stderr}

        def is_meant(event: Event) -> bool:
            return isinstance(event, ProcessIO) and (
                target_action is None
                or target_action is event.action
                or (not isinstance(target_action, Action) and bool(target_action(event.action)))
            )

        super().__init__(matcher=is_meant)

    def handle(self, event: Event, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """Return what to execute."""
        assert isinstance(event, ProcessIO)
        react = self._reactions[event.fd]
        return as_entities(react(event)) if react is not None else []
