"""Executes launch descriptions: events one after the other, processes beside them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
import signal
import traceback
from typing import Any

from .event import Event
from .event_handlers.on_shutdown import OnShutdown
from .events import Shutdown
from .launch_context import LaunchContext
from .launch_description import LaunchDescription
from .logging import get_logger, LOG

# What a terminal, a supervisor or a closing session sends. The real tool handles the first
# only, and leaves
# its processes behind at the others.
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class LaunchService:
    """One launch, from the first entity to the end of the last process."""

    def __init__(
        self,
        *,
        argv: Iterable[str] | None = None,
        noninteractive: bool = False,
        debug: bool = False,
    ) -> None:
        """Prepare a launch.

        Args:
            argv: Arguments for the context.
            noninteractive: Processes get no Ctrl-C from a terminal, so that it must be passed on.
            debug: Show the traceback of an error.
        """
        self.context = LaunchContext(argv=argv, noninteractive=noninteractive)
        self.context.service = self
        self.context.register_event_handler(OnShutdown(on_shutdown=self._begin_shutdown))
        LOG.debug_enabled = debug
        self._logger = get_logger('launch')
        self._descriptions: list[LaunchDescription] = []
        self._queue: list[Event] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._shutdown_asked = False
        self._interrupted = False
        self._return_code = 0

    def include_launch_description(self, launch_description: LaunchDescription) -> None:
        """Add a description; it is executed when the service runs."""
        self._descriptions.append(launch_description)
        self._wake.set()

    def emit_event(self, event: Event) -> None:
        """Queue an event; may be called from any thread."""
        self._queue.append(event)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake.set)

    def create_task(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run something beside the events; the service is not idle before it is done."""
        assert self._loop is not None, 'nothing runs yet'
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)

    def shutdown(self, force_sync: bool = False) -> None:
        """Begin to end everything; may be called from any thread."""
        self.request_shutdown('LaunchService.shutdown() called')

    def request_shutdown(self, reason: str, *, due_to_sigint: bool = False) -> None:
        """Emit the shutdown event, the first time only."""
        if not self._shutdown_asked:
            self._shutdown_asked = True
            self.emit_event(Shutdown(reason=reason, due_to_sigint=due_to_sigint))

    def run(self, *, shutdown_when_idle: bool = True) -> int:
        """Execute everything and return the exit status: 1 if launching itself failed, else 0."""
        try:
            return asyncio.run(self.run_async(shutdown_when_idle=shutdown_when_idle))
        except KeyboardInterrupt:
            return 1

    async def run_async(self, *, shutdown_when_idle: bool = True) -> int:
        """Execute everything in a running event loop and return the exit status."""
        self._loop = asyncio.get_running_loop()
        previous = {number: signal.getsignal(number) for number in ENDING_SIGNALS}
        for number in ENDING_SIGNALS:
            self._loop.add_signal_handler(number, self._on_signal, number)
        try:
            await self._until_idle(forever=not shutdown_when_idle)
            if not self._shutdown_asked:
                self.request_shutdown('idle')
                await self._until_idle()
        finally:
            for number, handler in previous.items():
                self._loop.remove_signal_handler(number)
                signal.signal(number, handler)
            self._loop = None
        return self._return_code

    async def _until_idle(self, forever: bool = False) -> None:
        """Execute descriptions and events until nothing is left that could bring new ones."""
        while True:
            self._wake.clear()
            while self._step():
                await asyncio.sleep(0)  # processes and signals have their turn between two events
            if not self._tasks and (self.context.is_shutdown or not forever):
                return
            await self._wake.wait()

    def _step(self) -> bool:
        """Execute the next description or event; tell whether there was one."""
        try:
            if self._descriptions:
                self.context.visit(self._descriptions.pop(0))
            elif self._queue:
                self._dispatch(self._queue.pop(0))
            else:
                return False
        except Exception as error:
            self._fail(error)
        return True

    def _dispatch(self, event: Event) -> None:
        for handler in self.context.event_handlers:
            if handler.matches(event):
                self.context.extend_locals({'event': event})
                try:
                    for entity in handler.handle(event, self.context):
                        self.context.visit(entity)
                except Exception as error:
                    self._fail(error)
                finally:
                    del self.context.locals.event

    def _begin_shutdown(self, event: Event, context: LaunchContext) -> None:
        self._shutdown_asked = True
        context.is_shutdown = True

    def _fail(self, error: Exception) -> None:
        self._logger.debug('An exception was raised in an async action/event')
        self._logger.debug(''.join(traceback.format_exception(error)))
        self._logger.error(f'Caught exception in launch (see debug for traceback): {error}')
        self._return_code = 1
        # At once: what was about to be started is not, and what runs is ended by the event.
        self.context.is_shutdown = True
        self.request_shutdown(f'Caught exception in launch (see debug for traceback): {error}')

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._wake.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            if not isinstance(error, Exception):
                raise error
            self._fail(error)

    def _on_signal(self, number: signal.Signals) -> None:
        name = signal.Signals(number).name
        how = (
            'user interrupted with ctrl-c (SIGINT)'
            if number == signal.SIGINT
            else f'received {name}'
        )
        if self._interrupted:
            self._logger.warning(f'{how} again, ignoring...')
            return
        self._interrupted = True
        self._logger.warning(how)
        self.request_shutdown(
            how, due_to_sigint=number == signal.SIGINT and not self.context.noninteractive
        )
