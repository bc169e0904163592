"""What is known while a launch description is executed."""

from __future__ import annotations

from collections import deque
from collections.abc import Coroutine, Iterable, MutableMapping
import os
from types import SimpleNamespace
from typing import Any, TYPE_CHECKING

if TYPE_CHECKING:
    from .entity import LaunchDescriptionEntity
    from .event import Event, EventHandler
    from .launch_service import LaunchService


class LaunchContext:
    """Arguments, environment, event handlers, and the way to the running service."""

    def __init__(self, *, argv: Iterable[str] | None = None, noninteractive: bool = False) -> None:
        """Begin with nothing known."""
        self.argv = list(argv or [])
        self.noninteractive = noninteractive
        self.launch_configurations: dict[str, str] = {}
        self.locals = SimpleNamespace()
        self.is_shutdown = False
        self.service: LaunchService | None = None
        self._handlers: deque[EventHandler] = deque()
        self._saved: list[tuple[dict[str, str], dict[str, str]]] = []
        self._process_count = 0
        self.node_names: dict[str, int] = {}

    @property
    def environment(self) -> MutableMapping[str, str]:
        """The process environment; changes hold until the enclosing group ends."""
        return os.environ

    @property
    def event_handlers(self) -> list[EventHandler]:
        """The registered handlers, newest first."""
        return list(self._handlers)

    def save(self) -> None:
        """Remember arguments and environment, at the beginning of a scope."""
        self._saved.append((dict(self.launch_configurations), dict(os.environ)))

    def restore(self) -> None:
        """Bring arguments and environment back to what was remembered last."""
        configurations, environment = self._saved.pop()
        self.launch_configurations.clear()
        self.launch_configurations.update(configurations)
        for name in os.environ.keys() - environment.keys():
            del os.environ[name]
        os.environ.update(environment)

    def extend_locals(self, extensions: dict[str, Any]) -> None:
        """Set attributes of ``locals``."""
        vars(self.locals).update(extensions)

    def register_event_handler(self, handler: EventHandler) -> None:
        """Add a handler; it sees an event before the older ones do."""
        self._handlers.appendleft(handler)

    def unregister_event_handler(self, handler: EventHandler) -> None:
        """Remove a handler; nothing happens if it is not there."""
        if handler in self._handlers:
            self._handlers.remove(handler)

    def emit_event_sync(self, event: Event) -> None:
        """Queue an event."""
        self._running_service().emit_event(event)

    def create_task(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run something beside the events; launching goes on until it is done."""
        self._running_service().create_task(coroutine)

    def visit(self, entity: LaunchDescriptionEntity) -> None:
        """Execute an entity and what follows from it, depth first."""
        for child in entity.visit(self) or ():
            self.visit(child)

    def next_process_number(self) -> int:
        """Return 1, 2, 3 and so on."""
        self._process_count += 1
        return self._process_count

    def _running_service(self) -> LaunchService:
        if self.service is None:
            raise RuntimeError('nothing is being launched in this context')
        return self.service
