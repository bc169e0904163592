"""Processes: started, watched, started again, and ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
import os
from pathlib import Path
import shlex
import signal
from typing import Any

from ..conditions import Condition
from ..entity import Action, LaunchDescriptionEntity
from ..event import Event
from ..event_handlers.on_action import OnProcessExit
from ..event_handlers.on_shutdown import OnShutdown
from ..events import ExecutionComplete, Shutdown
from ..events.process import (
    ProcessExited,
    ProcessStarted,
    ProcessStderr,
    ProcessStdout,
    SignalProcess,
)
from ..launch_context import LaunchContext
from ..logging import get_logger
from ..substitution import normalize, perform, SomeSubstitutionsType
from ..substitutions.variables import LaunchConfiguration
from .child import Child
from .escalation import Escalation
from .output import LineWriter, targets
from .signal_handler import OnSignalProcess

OnExit = (
    LaunchDescriptionEntity
    | Iterable[LaunchDescriptionEntity]
    | Callable[
        [Any, LaunchContext], LaunchDescriptionEntity | Iterable[LaunchDescriptionEntity] | None
    ]
)


class ExecuteProcess(Action):
    """Runs a command until it ends or everything ends."""

    def __init__(
        self,
        *,
        cmd: Iterable[SomeSubstitutionsType],
        prefix: SomeSubstitutionsType | None = None,
        name: SomeSubstitutionsType | None = None,
        cwd: SomeSubstitutionsType | None = None,
        env: Mapping[SomeSubstitutionsType, SomeSubstitutionsType] | None = None,
        additional_env: Mapping[SomeSubstitutionsType, SomeSubstitutionsType] | None = None,
        shell: bool = False,
        output: SomeSubstitutionsType | Mapping[str, str] = 'log',
        emulate_tty: bool = False,
        on_exit: OnExit | None = None,
        respawn: bool | SomeSubstitutionsType = False,
        respawn_delay: float | None = None,
        respawn_max_retries: int = -1,
        sigterm_timeout: SomeSubstitutionsType | None = None,
        sigkill_timeout: SomeSubstitutionsType | None = None,
        condition: Condition | None = None,
    ) -> None:
        """Describe the process.

        Args:
            cmd: Program and arguments, each of them text, a substitution or a list of these.
            prefix: Words in front of the command, such as ``gdb --args``.
            name: Replaces the name of the program in the label.
            cwd: Where it runs.
            env: Its whole environment; without it that of the launch.
            additional_env: Variables that are added to it.
            shell: Let a shell read the command.
            output: 'screen', 'log', 'both', 'own_log', 'full', or one of them per stream.
            emulate_tty: Let it write to a terminal, so that it does not hold lines back.
            on_exit: What to execute each time it has ended.
            respawn: Start it again when it has ended.
            respawn_delay: How long to wait before that [s].
            respawn_max_retries: How often to do so, -1 for ever.
            sigterm_timeout: How long after SIGINT to send SIGTERM [s].
            sigkill_timeout: How long after that to send SIGKILL [s].
            condition: Whether to run it at all.
        """
        super().__init__(condition=condition)
        self._cmd = [normalize(part) for part in cmd]
        self._prefix = normalize(prefix or '')
        self._name = None if name is None else normalize(name)
        self._cwd = None if cwd is None else normalize(cwd)
        self._env = None if env is None else _pairs(env)
        self._additional_env = _pairs(additional_env or {})
        self._shell = shell
        self._output = output if isinstance(output, Mapping) else normalize(output)
        self._emulate_tty = emulate_tty
        self._on_exit = on_exit
        self._respawn = normalize(str(respawn) if isinstance(respawn, bool) else respawn)
        self._respawn_delay = respawn_delay or 0.0
        self._respawn_max_retries = respawn_max_retries
        self._timeouts = (
            normalize(sigterm_timeout or LaunchConfiguration('sigterm_timeout', default='5')),
            normalize(sigkill_timeout or LaunchConfiguration('sigkill_timeout', default='5')),
        )
        self.command: list[str] = []
        self.name = ''
        self.working_directory: str | None = None
        self.environment: dict[str, str] = {}
        self._child: Child | None = None
        self._escalation: Escalation | None = None
        self._stopping = asyncio.Event()
        self._returncode: int | None = None

    @property
    def pid(self) -> int | None:
        """Process id while it runs or after it has run."""
        return None if self._child is None else self._child.pid

    @property
    def return_code(self) -> int | None:
        """Exit status once it has ended."""
        return self._returncode

    @property
    def process_details(self) -> dict[str, Any] | None:
        """What is known of the process once it is to run."""
        if not self.command:
            return None
        return {
            'name': self.name,
            'cmd': self.command,
            'cwd': self.working_directory,
            'env': self.environment,
            'pid': self.pid,
        }

    def expand(self, context: LaunchContext) -> list[str]:
        """Return program and arguments."""
        return [perform(context, part) for part in self._cmd]

    def label_base(self, context: LaunchContext) -> str:
        """Return the label without its number."""
        if self._name is not None:
            return perform(context, self._name)
        program = self.command[0].split()[0] if self._shell else self.command[0]
        return Path(program).name

    def execute(self, context: LaunchContext) -> None:
        """Decide now what to run; start it when the rest of the launch file is executed."""
        if context.is_shutdown:
            return
        prefix = perform(context, self._prefix)
        self.command = [*shlex.split(prefix), *self.expand(context)]
        self.name = f'{self.label_base(context)}-{context.next_process_number()}'
        self.working_directory = None if self._cwd is None else perform(context, self._cwd)
        self.environment = self._environment(context)
        self._logger = get_logger(self.name)
        self._places = targets(
            self._output if isinstance(self._output, Mapping) else perform(context, self._output)
        )
        self._escalation = Escalation(
            self.name, *(perform(context, text) for text in self._timeouts)
        )
        repeat = perform(context, self._respawn).strip().lower() in ('true', '1')
        context.register_event_handler(OnShutdown(on_shutdown=self._on_shutdown))
        context.register_event_handler(OnSignalProcess(self, self._on_signal))
        if self._on_exit is not None:
            context.register_event_handler(
                OnProcessExit(target_action=self, on_exit=self._on_exit)
            )
        context.create_task(self._run(context, self._respawn_max_retries if repeat else 0))

    def _environment(self, context: LaunchContext) -> dict[str, str]:
        base = dict(os.environ)
        if self._env is not None:
            base = {perform(context, name): perform(context, value) for name, value in self._env}
        return base | {
            perform(context, name): perform(context, value) for name, value in self._additional_env
        }

    async def _run(self, context: LaunchContext, retries: int) -> None:
        while not context.is_shutdown:
            await self._run_once(context)
            if retries == 0 or context.is_shutdown:
                break
            retries -= 1
            if await self._stops_within(self._respawn_delay):
                break
        context.emit_event_sync(ExecutionComplete(action=self))

    async def _run_once(self, context: LaunchContext) -> None:
        writers = {
            stream: LineWriter(self.name, stream, places)
            for stream, places in self._places.items()
        }
        watched = {1: ProcessStdout, 2: ProcessStderr}

        def on_output(stream: int, data: bytes) -> None:
            writers[stream].write(data)
            context.emit_event_sync(watched[stream](action=self, text=data, fd=stream))

        self._child = child = Child(on_output)
        await child.start(
            self.command,
            shell=self._shell,
            cwd=self.working_directory,
            env=self.environment,
            emulate_tty=self._emulate_tty,
        )
        assert self._escalation is not None
        self._logger.info(f'process started with pid [{child.pid}]')
        context.emit_event_sync(ProcessStarted(action=self))
        if context.is_shutdown:  # it began while the child was being started
            self._escalation.begin(child, tell=True)
        code = await child.wait()
        self._escalation.end()
        for writer in writers.values():
            writer.flush()
        self._returncode = code
        if code == 0:
            self._logger.info(f'process has finished cleanly [pid {child.pid}]')
        else:
            self._logger.error(
                f'process has died [pid {child.pid}, exit code {code}, cmd '
                f"'{' '.join(self.command)}']."
            )
        context.emit_event_sync(ProcessExited(action=self, returncode=code))

    async def _stops_within(self, delay: float) -> bool:
        try:
            await asyncio.wait_for(self._stopping.wait(), timeout=delay)
        except TimeoutError:
            return False
        return True

    def _on_shutdown(self, event: Event, context: LaunchContext) -> None:
        assert isinstance(event, Shutdown)
        self._stopping.set()
        if self._child is not None and self._child.is_running and self._escalation is not None:
            self._escalation.begin(self._child, tell=not event.due_to_sigint)

    def _on_signal(self, event: SignalProcess) -> None:
        if self._child is None or not self._child.is_running:
            return
        if event.signal == signal.SIGINT and self._escalation is not None:
            self._escalation.begin(self._child, tell=True)
        else:
            self._logger.info(f"sending signal '{event.signal.name}' to process[{self.name}]")
            self._child.send(event.signal)


ExecuteLocal = ExecuteProcess


def _pairs(
    mapping: Mapping[SomeSubstitutionsType, SomeSubstitutionsType],
) -> list[tuple[SomeSubstitutionsType, SomeSubstitutionsType]]:
    return [(normalize(name), normalize(value)) for name, value in mapping.items()]
