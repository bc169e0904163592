"""The events of one process."""

from __future__ import annotations

from collections.abc import Callable
import signal
from typing import TYPE_CHECKING

from ..event import Event

if TYPE_CHECKING:
    from ..actions.execute_process import ExecuteProcess


class ProcessEvent(Event):
    """Something happened to a process; it carries what is known about it."""

    name = 'launch.events.process.RunningProcessEvent'

    def __init__(self, *, action: ExecuteProcess) -> None:
        """Take the facts from the action as they are now."""
        self.action = action
        self.process_name = action.name
        self.cmd = list(action.command)
        self.cwd = action.working_directory
        self.env = action.environment
        self.pid = action.pid


class ProcessStarted(ProcessEvent):
    """A process runs."""

    name = 'launch.events.process.ProcessStarted'


class ProcessExited(ProcessEvent):
    """A process has ended."""

    name = 'launch.events.process.ProcessExited'

    def __init__(self, *, action: ExecuteProcess, returncode: int) -> None:
        """Add its exit status, negative for the signal that ended it."""
        super().__init__(action=action)
        self.returncode = returncode


class ProcessIO(ProcessEvent):
    """A process has written something."""

    name = 'launch.events.process.ProcessIO'

    def __init__(self, *, action: ExecuteProcess, text: bytes, fd: int) -> None:
        """Add what it wrote and where: 1 is standard output, 2 standard error."""
        super().__init__(action=action)
        self.text = text
        self.fd = fd

    @property
    def from_stdout(self) -> bool:
        """Whether it was written to standard output."""
        return self.fd == 1

    @property
    def from_stderr(self) -> bool:
        """Whether it was written to standard error."""
        return self.fd == 2


class ProcessStdout(ProcessIO):
    """A process has written to standard output."""


class ProcessStderr(ProcessIO):
    """A process has written to standard error."""


class SignalProcess(Event):
    """A process is to get a signal."""

    name = 'launch.events.process.SignalProcess'

    def __init__(
        self,
        *,
        signal_number: signal.Signals | int,
        process_matcher: Callable[[ExecuteProcess], bool],
    ) -> None:
        """Take the signal and which processes get it."""
        self.signal = signal.Signals(signal_number)
        self.process_matcher = process_matcher


class ShutdownProcess(SignalProcess):
    """A process is to end as with Ctrl-C."""

    def __init__(self, *, process_matcher: Callable[[ExecuteProcess], bool]) -> None:
        """Take which processes end."""
        super().__init__(signal_number=signal.SIGINT, process_matcher=process_matcher)


def matches_action(target: ExecuteProcess) -> Callable[[ExecuteProcess], bool]:
    """Return a matcher for one action."""
    return lambda action: action is target
