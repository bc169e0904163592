"""Something to do later."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from ..conditions import Condition
from ..entity import Action, LaunchDescriptionEntity
from ..event import Event, EventHandler
from ..event_handlers.on_shutdown import OnShutdown
from ..events import TimerEvent
from ..launch_context import LaunchContext
from ..substitution import normalize, perform, SomeSubstitutionsType


class TimerAction(Action):
    """Executes entities when some time has passed; shutdown cancels it."""

    def __init__(
        self,
        *,
        period: float | SomeSubstitutionsType,
        actions: Iterable[LaunchDescriptionEntity],
        cancel_on_shutdown: bool = True,
        condition: Condition | None = None,
    ) -> None:
        """Take the time [s] and what to execute.

        Raises:
            TypeError: ``period`` is an int; write 5.0 for 5.
        """
        super().__init__(condition=condition)
        if isinstance(period, int):
            raise TypeError(
                f'period of TimerAction must be a float or a substitution, got the int {period}'
            )
        self._period = normalize(str(period) if isinstance(period, float) else period)
        self.actions = list(actions)
        self._cancel_on_shutdown = cancel_on_shutdown
        self._cancelled: asyncio.Event | None = None
        self._is_cancelled = False

    def describe_conditional_sub_entities(self) -> list[LaunchDescriptionEntity]:
        """Return what is executed later."""
        return list(self.actions)

    def cancel(self) -> None:
        """Do nothing when the time has passed."""
        self._is_cancelled = True
        if self._cancelled is not None:
            self._cancelled.set()

    def execute(self, context: LaunchContext) -> None:
        """Begin to wait."""
        if self._is_cancelled:
            return
        self._cancelled = asyncio.Event()
        self._reaction = EventHandler(
            matcher=lambda event: isinstance(event, TimerEvent) and event.timer_action is self,
            entities=self.actions,
            handle_once=True,
        )
        context.register_event_handler(self._reaction)
        if self._cancel_on_shutdown:
            context.register_event_handler(OnShutdown(on_shutdown=self._on_shutdown))
        context.create_task(
            self._wait(context, float(perform(context, self._period)), self._cancelled)
        )

    def _on_shutdown(self, event: Event, context: LaunchContext) -> None:
        self.cancel()

    async def _wait(self, context: LaunchContext, period: float, cancelled: asyncio.Event) -> None:
        try:
            await asyncio.wait_for(cancelled.wait(), timeout=period)
        except TimeoutError:
            context.emit_event_sync(TimerEvent(timer_action=self))
