"""Signals that a launch file sends to a process."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..entity import LaunchDescriptionEntity
from ..event import Event, EventHandler
from ..events.process import SignalProcess
from ..launch_context import LaunchContext

if TYPE_CHECKING:
    from .execute_process import ExecuteProcess


class OnSignalProcess(EventHandler):
    """Hands a signal event to the process that it is meant for."""

    def __init__(self, process: ExecuteProcess, deliver: Callable[[SignalProcess], None]) -> None:
        """Take the process and the function that delivers."""
        self._deliver = deliver
        super().__init__(
            matcher=lambda event: (
                isinstance(event, SignalProcess) and event.process_matcher(process)
            )
        )

    def handle(self, event: Event, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """Deliver the signal."""
        assert isinstance(event, SignalProcess)
        self._deliver(event)
        return []
