"""The agent as a lifecycle node: topics, services and timers around a `Pilot`.

Executor: one thread (SingleThreadedExecutor); the journal has a thread of its own. Every callback
returns at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
import signal
import sys
import time
import traceback
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
import numpy as np
import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.serialization import serialize_message
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future
from sac_msgs.msg import (
    AgentSpec,
    AgentStatus,
    EpisodeSummary,
    EvaluationSummary,
    JointCommand,
    LearnerStatus,
    PolicyWeights,
    Transition,
)
from sac_msgs.srv import Evaluate, ResetRobot, RollbackPolicy
from std_srvs.srv import Trigger

from sac_agent import messages, node_parameters
from sac_agent.config import RobotConfig
from sac_agent.episode import Event, State
from sac_agent.errors import ConfigError, SensorError
from sac_agent.image import decode, resize
from sac_agent.journal import JournalError
from sac_agent.pacing import Pacing
from sac_agent.pairing import Pairer, Reading
from sac_agent.pilot import Outcome, Pilot, Progress, Sample
from sac_agent.policy import NumpyPolicy
from sac_agent.records import EvaluationRecord, StepRecord, Truncation
from sac_agent.run_files import RunFiles
from sac_agent.sender import make_sender, Sender
from sac_agent.sensors import normalised, stamp_of
from sac_core import qos
from sac_core.convert import floats64, spec_to_msg, time_msg
from sac_core.policy_format import load_policy, PolicyFormatError

HOUSEKEEPING = 0.05  # [s]
STATUS_PERIOD = 1.0  # [s]
LOCKSTEP_PATIENCE = 5.0  # [s] a simulated robot may need for one answer
CONFIGURATION_ERROR = 2

_STALE, _OPERATOR = Truncation.STALE_SENSOR, Truncation.OPERATOR


class SacAgentNode(LifecycleNode):
    """Acts with the newest policy, records what happens, and resets between episodes."""

    def __init__(self) -> None:
        """Read all parameters; nothing is opened yet.

        Raises:
            ConfigError: A parameter is not admissible.
        """
        super().__init__('sac_agent', automatically_declare_parameters_from_overrides=True)
        config, self.node_config = node_parameters.read(self)
        if not config.agent_id:
            name = self.get_namespace().strip('/').replace('/', '.') or 'robot'
            config = replace(config, agent_id=name)
        self.config: RobotConfig = config
        self.lockstep = config.trigger == 'observation'
        self.exit_code: int | None = None
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        # All of the configuration is resolved once here, so that mistakes end the process.
        Pilot(config, now=0.0)
        self._open = False

    # Lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Open journal, topics and services; nothing moves yet."""
        try:
            return self._configure()
        except Exception:
            # rclpy would swallow it.
            self.get_logger().fatal(f'cannot be configured:\n{traceback.format_exc()}')
            return TransitionCallbackReturn.FAILURE

    def _configure(self) -> TransitionCallbackReturn:
        config = self.config
        now = time.monotonic()
        self._transitions = self.create_publisher(Transition, 'transition', qos.EXPERIENCE)
        try:
            self._sender: Sender = make_sender(
                self.node_config.run_dir if not self.node_config.policy_file else '',
                config.agent_id,
                f'{config.agent_id}-{time.time_ns():x}',
                self._transitions.publish,
                config.journal,
            )
        except (JournalError, OSError) as error:
            self.get_logger().error(f'the journal cannot be opened: {error}')
            return TransitionCallbackReturn.FAILURE
        self._files = RunFiles(self.node_config.run_dir, config.agent_id)
        progress = Progress(
            self._sender.next_episode, self._sender.training_steps, self._files.account()
        )
        self.pilot = Pilot(config, now=now, stream_id=self._sender.stream_id, progress=progress)
        self._pairer = Pairer(config.sensors, config.timing.slop)
        self._pacing = Pacing()
        self._latest: Sample | None = None
        self._used_stamp = -1
        self._reset: Future | None = None
        self._reset_began = self._reset_done = 0.0
        self._reset_failures = 0
        self._retry_at = 0.0
        self._settled = True
        self._missed = False
        self._unsent = 0
        self._waiting_since: float | None = None
        self._last_status = 0.0
        self._told: tuple[State, str] | None = None
        self._sensor_errors = 0
        self._human_heard = self._learner_heard = 0.0
        self._shutdown_by: float | None = None
        self._create_topics()
        self._create_services()
        self._open = True
        if self.node_config.policy_file:
            try:
                self._use_policy_file(Path(self.node_config.policy_file))
            except (PolicyFormatError, ValueError) as error:
                self.get_logger().fatal(f'policy_file: {error}')
                self.exit_code = CONFIGURATION_ERROR
                return TransitionCallbackReturn.FAILURE
        node_parameters.on_change(self, self._tune)
        self._publish_spec()
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start to act as soon as sensors and driver are there."""
        self._timers = [self.create_timer(HOUSEKEEPING, self._keep_house, clock=self._steady)]
        if not self.lockstep:
            period = self.config.control_period
            self._timers.append(self.create_timer(period, self._on_tick, clock=self._steady))
        self.get_logger().info(
            f'{self.config.agent_id} is up: task {self.config.task}, '
            f'{self.config.control_rate:g} Hz, '
            f'{self.pilot.spec.observation.vector_size} observations, '
            f'{self.pilot.spec.action_size} actions, episode {self.pilot.episode}, '
            f'step {self.pilot.steps}'
        )
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop acting; the robot holds."""
        for timer in self._timers:
            self.destroy_timer(timer)
        self._end_now(_OPERATOR)
        self.pilot.machine.on(Event.PAUSE, time.monotonic(), 'deactivated')
        self.pilot.machine.on(Event.RESUME, time.monotonic())
        return super().on_deactivate(state)

    def close(self) -> None:
        """End the episode, flush the journal."""
        if not self._open:
            return
        self._open = False
        self._end_now(Truncation.SHUTDOWN)
        self._files.save_account(self.pilot.machine.account)
        self._sender.close()

    # Set-up

    def _create_topics(self) -> None:
        config = self.config
        for name, sensor in config.sensors.items():
            self.create_subscription(
                _message_type(sensor.type),
                sensor.topic,
                lambda message, name=name: self._on_sensor(name, message),
                qos.STATE_PUBLISHER if self.lockstep or sensor.reliable else qos.STATE,
            )
        self._commands = {
            name: (
                messages.CommandMessages(name, channel, config.control_period),
                self.create_publisher(
                    messages.command_type(channel.type), channel.topic, qos.COMMAND
                ),
            )
            for name, channel in config.actions.items()
        }
        self._spec = self.create_publisher(AgentSpec, 'agent_spec', qos.LATCHED)
        self._status = self.create_publisher(AgentStatus, 'agent_status', qos.STATUS)
        self._episode = self.create_publisher(EpisodeSummary, 'episode', qos.STATUS)
        self._evaluation = self.create_publisher(EvaluationSummary, 'evaluation', qos.STATUS)
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self.create_subscription(PolicyWeights, 'policy', self._on_policy, qos.LATCHED)
        self.create_subscription(
            LearnerStatus, 'learner_status', self._on_learner_status, qos.STATUS
        )
        self.create_subscription(JointCommand, 'human_command', self._on_human, qos.COMMAND)

    def _create_services(self) -> None:
        episode = self.config.episode
        self._reset_client = (
            self.create_client(ResetRobot, episode.reset_service)
            if episode.reset_service
            else None
        )
        self._estop_client = (
            self.create_client(Trigger, episode.estop_service) if episode.estop_service else None
        )
        self.create_service(Trigger, '~/pause', self._on_pause)
        self.create_service(Trigger, '~/resume', self._on_resume)
        self.create_service(Trigger, '~/estop', self._on_estop)
        self.create_service(Trigger, '~/continue_after_help', self._on_continue)
        self.create_service(Evaluate, '~/evaluate', self._on_evaluate)
        self.create_service(RollbackPolicy, '~/rollback', self._on_rollback)

    def _use_policy_file(self, path: Path) -> None:
        if path.is_dir():
            found = sorted(path.rglob('policy*.safetensors'))
            if not found:
                raise ValueError(f'{path} holds no policy*.safetensors; give the file itself')
            path = found[-1]
        architecture, arrays, metadata = load_policy(path)
        given = metadata.get('spec_hash', '')
        if given and given != self.pilot.spec.spec_hash():
            raise ValueError(
                f'{path} was trained for spec {given}, this agent has '
                f'{self.pilot.spec.spec_hash()}: observation, actions or rate differ'
            )
        version = int(metadata.get('version', '0') or 0)
        self.pilot.policies.use(NumpyPolicy(architecture, arrays), version)
        self.pilot.evaluate(self.node_config.evaluation_episodes)

    def _publish_spec(self) -> None:
        message = spec_to_msg(self.pilot.spec)
        message.header.stamp = self.get_clock().now().to_msg()
        self._spec.publish(message)
        self._record('/agent_spec', message)

    # Sensors and control steps

    def _on_sensor(self, name: str, message: Any) -> None:
        received = time.monotonic()
        stamp = stamp_of(message)
        if stamp is None:
            stamp = self.get_clock().now().nanoseconds
        try:
            reader = self.pilot.readers.get(name)
            value = reader.read(message) if reader else self._image(message)
        except (SensorError, AttributeError, TypeError, ValueError) as error:
            self._sensor_errors += 1
            self.get_logger().warning(
                f'message on {self.config.sensors[name].topic} is not used: {error}',
                throttle_duration_sec=5.0,
            )
            return
        found = self._pairer.add(name, Reading(stamp, received, value))
        if found is None:
            return
        self._latest = self._sample(found)
        if self.lockstep:
            self._on_answer(self._latest)

    def _image(self, message: Any) -> Any:
        image = self.config.image
        return resize(decode(message), image.size, image.crop)

    def _sample(self, readings: Mapping[str, Reading[Any]]) -> Sample:
        parts = [readings[name].value for name in self.pilot.readers]
        raw = parts[0] if len(parts) == 1 else _concatenate(parts)
        image = self.config.image.source
        return Sample(
            stamp=min(reading.stamp for reading in readings.values()),
            received=max(reading.received for reading in readings.values()),
            raw=raw,
            image=readings[image].value if image else None,
        )

    def _on_answer(self, sample: Sample) -> None:
        """Lock-step: the state one control period after the last command."""
        if not self._acting or not self.pilot.in_episode or not self._settled:
            return
        half = round(0.5e9 * self.config.control_period)
        if self.pilot.wants_action or sample.stamp < self._used_stamp + half:
            return
        self._step(sample, missed=False)

    def _on_tick(self) -> None:
        """Clocked: the newest state, whatever else happens."""
        now = time.monotonic()
        sample = self._latest
        if not self._acting or not self._settled or sample is None:
            return
        if now - sample.received > self.config.timing.stale_timeout:
            return
        if not self.pilot.in_episode:
            self._begin(sample)
        elif sample.stamp <= self._used_stamp:
            # No news: the last command stands, and its step ends late.
            self._missed = True
        else:
            self._step(sample, missed=self._missed)

    def _begin(self, sample: Sample) -> None:
        if self.pilot.machine.state is State.HUMAN or self._shutdown_by is not None:
            return
        self.pilot.begin(sample)
        self._used_stamp = sample.stamp
        self._missed = False
        self._act()

    def _step(self, sample: Sample, *, missed: bool) -> None:
        """Close the last control step and take the next one; records go out after the command."""
        self._used_stamp = sample.stamp
        outcome = self.pilot.observe(sample)
        self._missed = missed
        self._unsent = int(outcome.record is not None)
        if outcome.episode is None:
            self._act()
        self._publish(outcome)

    def _act(self) -> None:
        if not self.pilot.wants_action or self._held_back:
            return
        pilot = self.pilot
        command = pilot.act()
        self._send(command.channels, self._used_stamp)
        now = time.monotonic()
        self._waiting_since = now
        # Simulated time stands still while the robot waits for the command.
        age = (
            0.0
            if self.lockstep
            else max(0.0, 1e-9 * (self.get_clock().now().nanoseconds - self._used_stamp))
        )
        latency = now - self._latest.received if self._latest else 0.0
        late = not self.lockstep and latency > self.config.control_period
        pilot.sent(age, latency, missed=late or self._missed)
        self._missed = False

    def _send(self, channels: Mapping[str, Any], observation: int) -> None:
        now = self.get_clock().now().nanoseconds
        for name, values in channels.items():
            builder, publisher = self._commands[name]
            publisher.publish(builder.build(values, now, observation))

    @property
    def _acting(self) -> bool:
        return self.pilot.machine.state in (State.RUNNING, State.HUMAN)

    @property
    def _held_back(self) -> bool:
        """Whether a simulated robot waits for learning."""
        if not self.lockstep or self.node_config.policy_file or self.pilot.evaluating:
            return False
        return not self._pacing.allows(self._sender.next_sequence - 1 + self._unsent)

    # Records

    def _publish(self, outcome: Outcome) -> None:
        if outcome.record is not None:
            self._publish_transition(outcome.record)
        self._unsent = 0
        if outcome.episode is not None:
            self._waiting_since = None
            message = messages.episode(
                outcome.episode, self.config.agent_id, self._sender.stream_id
            )
            message.header.stamp = self.get_clock().now().to_msg()
            self._episode.publish(message)
            self._record('/episode', message)
            self.pilot.machine.on(Event.EPISODE_END, time.monotonic())
            self._files.save_account(self.pilot.machine.account)
            if outcome.evaluation is not None:
                self._publish_evaluation(outcome.evaluation)
            self._keep_house()

    def _publish_transition(self, record: StepRecord) -> None:
        message = messages.transition(
            record, self.config.agent_id, self._sender.stream_id, self._sender.next_sequence
        )
        try:
            self._sender.transition(serialize_message(message), evaluation=record.evaluation)
        except JournalError as error:
            self.get_logger().error(f'a step is not recorded: {error}', throttle_duration_sec=5.0)

    def _publish_evaluation(self, record: EvaluationRecord) -> None:
        message = messages.evaluation(record, self.config.agent_id)
        message.header.stamp = self.get_clock().now().to_msg()
        self._evaluation.publish(message)
        self._record('/evaluation', message)
        metrics = ', '.join(f'{name} {value:.3f}' for name, value in record.metrics.items())
        self.get_logger().info(
            f'evaluation at step {record.steps}: success {100 * record.success_rate:.0f} % of '
            f'{record.episodes}, return {record.mean_return:.1f}, {metrics}'
            + (', solved' if record.solved else '')
        )
        if self.pilot.policies.pinned:
            self.get_logger().warning(
                f'the return collapsed: back to policy {self.pilot.policies.version} until the '
                'next evaluation'
            )
        if self.node_config.policy_file:
            self._files.save_evaluation(record, self.node_config.policy_file)
            self.pilot.machine.on(Event.FINISH, time.monotonic(), 'the evaluation is done')
            self.exit_code = 0

    def _record(self, topic: str, message: Any) -> None:
        try:
            self._sender.record(topic, serialize_message(message))
        except JournalError as error:
            self.get_logger().error(f'{topic} is not recorded: {error}', throttle_duration_sec=5.0)

    # Learner

    def _on_policy(self, message: PolicyWeights) -> None:
        if self.node_config.policy_file:
            return
        before = self.pilot.policies.refused
        reason = self.pilot.policies.offer(messages.offer(message))
        if self.pilot.policies.refused > before:
            self.get_logger().warning(f'weights refused: {reason}', throttle_duration_sec=5.0)

    def _on_learner_status(self, message: LearnerStatus) -> None:
        if self.node_config.policy_file:
            return
        self._learner_heard = time.monotonic()
        self._pacing.budget = message.transition_budget
        self._pacing.accepted = message.transitions
        for ack in message.acks:
            if (ack.agent_id, ack.stream_id) == (self.config.agent_id, self._sender.stream_id):
                self._pacing.received = ack.received
                try:
                    self._sender.on_ack(ack.received, ack.durable)
                except JournalError as error:
                    self.get_logger().error(str(error), throttle_duration_sec=5.0)
        if message.state == LearnerStatus.STATE_FINISHED:
            if self.pilot.machine.state is not State.FINISHED:
                self._end_now(Truncation.SHUTDOWN)
                self.pilot.machine.on(Event.FINISH, time.monotonic(), 'the learner has finished')
        elif self._acting and self._settled:
            self._act()

    # Housekeeping

    def _keep_house(self) -> None:
        """Watch time-outs, drive resets, tell the state."""
        now = time.monotonic()
        machine = self.pilot.machine
        machine.tick(now)
        if (
            machine.state is State.HUMAN
            and now - self._human_heard > self.config.timing.human_timeout
        ):
            self.pilot.human(None)
            machine.on(Event.HUMAN_OFF, now)
        self._watch_sensors(now)
        if machine.state is State.WAITING and not self._missing(now):
            machine.on(Event.READY, now)
        if machine.state is State.RESETTING:
            self._drive_reset(now)
        self._settle(now)
        told = (machine.state, machine.reason)
        if told != self._told or now - self._last_status >= STATUS_PERIOD:
            self._tell(now)

    def _missing(self, now: float) -> list[str]:
        """Return what is not there yet."""
        missing = []
        if self._reset_client is not None and not self._reset_client.service_is_ready():
            missing.append(f'service {self._reset_client.srv_name}')
        if not self.lockstep:
            missing += self._pairer.silent(now, self.config.timing.stale_timeout)
        self.pilot.machine.reason = (
            f'for {", ".join(missing)}'
            if missing and self.pilot.machine.state is State.WAITING
            else self.pilot.machine.reason
        )
        return missing

    def _watch_sensors(self, now: float) -> None:
        if not self._acting or not self.pilot.in_episode:
            return
        timeout = self.config.timing.stale_timeout
        if self.lockstep:
            since = self._waiting_since
            if since is None or self.pilot.wants_action:
                return
            if now - since < max(timeout, LOCKSTEP_PATIENCE):
                return
            silent: Sequence[str] = ['the robot']
        else:
            silent = self._pairer.silent(now, timeout)
            if not silent:
                return
        reason = f'no news from {", ".join(silent)}'
        self.get_logger().warning(f'{reason}: the episode is truncated')
        self._lose(_STALE, reason)

    def _lose(self, truncation: Truncation, reason: str) -> None:
        self._end_now(truncation)
        self.pilot.machine.on(Event.LOST, time.monotonic(), reason)
        self._retry_at = time.monotonic() + 0.5

    def _drive_reset(self, now: float) -> None:
        episode = self.config.episode
        if self._reset is not None:
            if now - self._reset_began > episode.reset_timeout + 5.0:
                self._reset.cancel()
                self._reset = None
                self._reset_failed('no answer from the driver', needs_help=False)
            return
        ending = self.exit_code is not None or self._shutdown_by is not None
        if now < self._retry_at or ending:
            return
        goal = self.pilot.next_goal()
        if self._reset_client is None:
            self._finish_reset(now)
            return
        if not self._reset_client.service_is_ready():
            self.pilot.machine.on(Event.LOST, now, 'the driver is gone')
            return
        request = ResetRobot.Request(
            names=list(goal),
            positions=floats64(list(goal.values())),
            timeout=episode.reset_timeout,
        )
        self._reset_began = now
        self._reset = self._reset_client.call_async(request)
        self._reset.add_done_callback(self._on_reset_done)

    def _on_reset_done(self, future: Future) -> None:
        if future is not self._reset or future is None:
            return
        self._reset = None
        if self.pilot.machine.state is not State.RESETTING:
            return
        if future.cancelled() or future.exception() is not None:
            self._reset_failed(str(future.exception()), needs_help=False)
            return
        response = future.result()
        if response.success:
            self._reset_failures = 0
            self._finish_reset(time.monotonic())
        else:
            self._reset_failed(response.message, needs_help=response.needs_help)

    def _finish_reset(self, now: float) -> None:
        self._settled = False
        self._reset_done = now
        self.pilot.machine.on(Event.RESET_DONE, now)
        settle = max(self.config.episode.settle, 1e-3)
        self._settle_timer = self.create_timer(settle, self._on_settled, clock=self._steady)

    def _on_settled(self) -> None:
        self.destroy_timer(self._settle_timer)
        self._settle(time.monotonic())

    def _settle(self, now: float) -> None:
        """Begin the episode once a state from after the reset is there."""
        if self._settled or now - self._reset_done < self.config.episode.settle:
            return
        if self.pilot.machine.state is not State.RUNNING:
            self._settled = True
            return
        sample = self._latest
        fresh = sample is not None and sample.received >= self._reset_began
        if fresh and sample is not None:
            self._settled = True
            if self.lockstep:
                self._begin(sample)
        elif now - self._reset_done > max(self.config.timing.stale_timeout, 1.0):
            self._settled = True
            self._lose(_STALE, 'no sensor values after the reset')

    def _reset_failed(self, text: str, *, needs_help: bool) -> None:
        now = time.monotonic()
        self._reset_failures += 1
        attempts = self.config.episode.reset_attempts
        self.get_logger().warning(f'reset {self._reset_failures} of {attempts} failed: {text}')
        if needs_help or self._reset_failures >= attempts:
            self._reset_failures = 0
            self.pilot.machine.on(
                Event.NEED_HELP, now, f'{text}; put the scene right, then call continue_after_help'
            )
            self.get_logger().error(f'needs help: {self.pilot.machine.reason}')
        else:
            self._retry_at = now + 1.0

    def _end_now(self, reason: Truncation) -> None:
        """Truncate the episode and let the robot hold."""
        if self.pilot.in_episode:
            outcome = self.pilot.interrupt(reason)
            self._hold()
            self._publish(outcome)

    def _hold(self) -> None:
        if self._latest is not None:
            self._send(self.pilot.mapper.hold(self._latest.raw), self._latest.stamp)

    # Operators

    def _on_pause(self, request: Any, response: Any) -> Any:
        return self._event(Event.PAUSE, response, truncation=_OPERATOR)

    def _on_resume(self, request: Any, response: Any) -> Any:
        return self._event(Event.RESUME, response)

    def _on_continue(self, request: Any, response: Any) -> Any:
        return self._event(Event.CONTINUE, response)

    def _on_estop(self, request: Any, response: Any) -> Any:
        if self._estop_client is not None and self._estop_client.service_is_ready():
            self._estop_client.call_async(Trigger.Request())
        return self._event(Event.ESTOP, response, truncation=Truncation.FAULT)

    def _event(self, event: Event, response: Any, truncation: Truncation | None = None) -> Any:
        machine = self.pilot.machine
        response.success = machine.on(event, time.monotonic())
        if response.success:
            if truncation is not None:
                self._end_now(truncation)
            response.message = f'{machine.state.name.lower()}: {machine.reason}'
            self.get_logger().info(response.message)
        else:
            response.message = machine.refusal(event)
        self._tell(time.monotonic())
        return response

    def _on_evaluate(self, request: Any, response: Any) -> Any:
        try:
            self.pilot.evaluate(request.episodes)
            response.success = True
            response.message = f'{request.episodes} episodes from the next one on'
        except ValueError as error:
            response.success, response.message = False, str(error)
        return response

    def _on_rollback(self, request: Any, response: Any) -> Any:
        try:
            self.pilot.policies.rollback(request.version)
            response.success = True
            response.message = (
                'stays until a rollback to the newest version'
                if self.pilot.policies.pinned
                else 'follows the learner'
            )
        except ValueError as error:
            response.success, response.message = False, str(error)
        response.version = self.pilot.policies.version
        self.get_logger().info(f'rollback: policy {response.version}, {response.message}')
        return response

    def _on_human(self, message: JointCommand) -> None:
        now = time.monotonic()
        machine = self.pilot.machine
        try:
            commands = {
                name: self.pilot.mapper.ordered(name, message.names, message.values)
                for name in self.config.actions
            }
        except ConfigError as error:
            self.get_logger().warning(f'human_command: {error}', throttle_duration_sec=5.0)
            return
        if machine.state is not State.HUMAN and not machine.on(Event.HUMAN_ON, now):
            return
        self._human_heard = now
        self.pilot.human(commands)
        if not self.pilot.in_episode and self._latest is not None:
            action = self.pilot.mapper.action(commands, self._latest.raw)
            command = self.pilot.mapper.command(action, self._latest.raw)
            self._send(command.channels, self._latest.stamp)

    def _tune(self, config: RobotConfig, changes: Mapping[str, Any]) -> None:
        config = replace(config, agent_id=self.config.agent_id)
        self.pilot.tune(config)
        self.config = config
        self._files.save_change(time.time(), self.pilot.steps, changes)
        for name, value in changes.items():
            self.get_logger().info(f'from step {self.pilot.steps} on {name} is {value}')

    # Reports

    def _tell(self, now: float) -> None:
        pilot, machine = self.pilot, self.pilot.machine
        self._last_status, self._told = now, (machine.state, machine.reason)
        courier = self._sender.status()
        account = machine.account
        message = AgentStatus(
            agent_id=self.config.agent_id,
            state=int(machine.state),
            reason=self._waiting_reason() or machine.reason,
            episode=pilot.episode,
            step=pilot.step,
            steps=pilot.steps,
            policy_version=pilot.policies.version,
            unacknowledged=max(0, self._sender.next_sequence - 1 - courier.durable),
            deadline_misses=pilot.deadline_misses,
            refused_weights=pilot.policies.refused,
            observation_age=pilot.last_age,
            command_latency=pilot.last_latency,
            acting_time=account['acting'],
            resetting_time=account['resetting'],
            waiting_time=account['waiting'],
            human_time=account['human'],
            fault_time=account['fault'],
        )
        message.header.stamp = self.get_clock().now().to_msg()
        self._status.publish(message)
        self._diagnose(message, courier.problem)

    def _waiting_reason(self) -> str:
        if self._acting and self.pilot.wants_action and self._held_back:
            return 'waits for the learner'
        return ''

    def _diagnose(self, status: AgentStatus, problem: str) -> None:
        machine = self.pilot.machine
        level = DiagnosticStatus.OK
        if machine.state in (State.ESTOP, State.NEEDS_HELP) or problem:
            level = DiagnosticStatus.ERROR
        elif machine.state is State.WAITING or self.pilot.policies.pinned:
            level = DiagnosticStatus.WARN
        text = problem or f'{machine.state.name.lower()}: {status.reason}'
        name = f'{self.get_fully_qualified_name()}: agent'
        array = messages.diagnostics(
            name,
            self.config.agent_id,
            level[0] if isinstance(level, bytes) else int(level),
            text,
            {
                'training steps': status.steps,
                'policy version': status.policy_version,
                'refused weights': status.refused_weights,
                'last refusal': self.pilot.policies.refusal,
                'deadline misses': status.deadline_misses,
                'observation age [s]': f'{status.observation_age:.4f}',
                'command latency [s]': f'{status.command_latency:.4f}',
                'unusable sensor messages': self._sensor_errors,
                'not acknowledged': status.unacknowledged,
                'sent again': self._sender.status().resends,
            },
        )
        array.header.stamp = time_msg(self.get_clock().now().nanoseconds)
        self._diagnostics.publish(array)

    # Shutdown

    def ask_to_end(self) -> None:
        """End after the step under way, once the learner has everything, or a second later."""
        if self._shutdown_by is None and self._open:
            if not self.pilot.stop_after_step(Truncation.SHUTDOWN):
                self._end_now(Truncation.SHUTDOWN)
            self._shutdown_by = time.monotonic() + 1.0

    @property
    def ended(self) -> bool:
        """Whether nothing is left to do."""
        if self.exit_code is not None or not self._open:
            return True
        by, now = self._shutdown_by, time.monotonic()
        if by is None or now >= by:
            return by is not None
        if self.pilot.in_episode:
            return False
        unsent = self._sender.status().received < self._sender.next_sequence - 1
        return not (unsent and now - self._learner_heard < 0.5)


def _message_type(name: str) -> type[Any]:
    package, _, message = normalised(name).split('/')
    try:
        return getattr(import_module(f'{package}.msg'), message)  # type: ignore[no-any-return]
    except (ImportError, AttributeError) as error:
        raise ConfigError(f'message type {name!r} is not installed: {error}') from None


def _concatenate(parts: Sequence[Any]) -> Any:
    return np.concatenate(parts) if parts else np.zeros(0)


def main() -> None:
    """Run the node until it has ended or is asked to end."""
    signals: list[int] = []
    # Our own handlers: the episode is truncated and the journal flushed before ROS goes away.
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: signals.append(received))
    code = 0
    node: SacAgentNode | None = None
    try:
        node = SacAgentNode()
        code = _run(node, signals)
    except ConfigError as error:
        sys.stderr.write(f'sac_agent: {" ".join(str(error).split())}\n')
        code = CONFIGURATION_ERROR
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        if node is not None:
            node.close()
            node.destroy_node()
        rclpy.try_shutdown()
    sys.exit(code)


def _run(node: SacAgentNode, signals: Sequence[int]) -> int:
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    if node.node_config.autostart:
        if node.trigger_configure() != TransitionCallbackReturn.SUCCESS:
            return node.exit_code or 1
        node.trigger_activate()
    while not (signals and node.ended) and node.exit_code is None:
        executor.spin_once(timeout_sec=0.1)
        if signals:
            node.ask_to_end()
    return node.exit_code or 0


if __name__ == '__main__':
    main()
