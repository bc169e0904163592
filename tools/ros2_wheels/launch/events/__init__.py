"""The events of a launch."""

from ..event import Event
from . import process
from .process import matches_action


class Shutdown(Event):
    """Everything is to end."""

    name = 'launch.events.Shutdown'

    def __init__(self, *, reason: str = 'reason not given', due_to_sigint: bool = False) -> None:
        """Say why; ``due_to_sigint`` means that a terminal has told the children already."""
        self.reason = reason
        self.due_to_sigint = due_to_sigint


class ExecutionComplete(Event):
    """An action is done."""

    name = 'launch.events.ExecutionComplete'

    def __init__(self, *, action: object) -> None:
        """Name the action."""
        self.action = action


class TimerEvent(Event):
    """A timer has run out."""

    name = 'launch.events.TimerEvent'

    def __init__(self, *, timer_action: object) -> None:
        """Name the timer."""
        self.timer_action = timer_action


__all__ = ['ExecutionComplete', 'Shutdown', 'TimerEvent', 'matches_action', 'process']
