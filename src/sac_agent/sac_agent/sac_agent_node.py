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

import numpy as np
import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.signals import SignalHandlerOptions
from sac_msgs.msg import LearnerStatus, PolicyWeights, Transition
from std_msgs.msg import String

from sac_agent import messages, node_parameters
from sac_agent.config import RobotConfig
from sac_agent.episode import Event, State
from sac_agent.errors import ConfigError, SensorError
from sac_agent.image import decode, resize
from sac_agent.journal import JournalError
from sac_agent.operators import Operators
from sac_agent.pacing import Pacing
from sac_agent.pairing import Pairer, Reading
from sac_agent.pilot import Pilot
from sac_agent.policy import NumpyPolicy
from sac_agent.records import Outcome, Progress, Sample, Truncation
from sac_agent.reports import Reports
from sac_agent.reset_cycle import ResetCycle
from sac_agent.run_files import RunFiles
from sac_agent.sender import make_sender, Sender
from sac_agent.sensors import normalised, stamp_of
from sac_core import qos
from sac_core.policy_format import load_policy, PolicyFormatError

HOUSEKEEPING = 0.05  # [s]
STATUS_PERIOD = 1.0  # [s]
LOCKSTEP_PATIENCE = 5.0  # [s] a simulated robot may need for one answer
CONFIGURATION_ERROR = 2

_LIMP = ('limp', 'estop')  # how the driver's state begins when it takes no commands
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
        self._missed = False
        self._unsent = 0
        self._waiting_since: float | None = None
        self._last_status = 0.0
        self._told: tuple[State, str] | None = None
        self._learner_heard = 0.0
        self._driver_state = ''
        self._shutdown_by: float | None = None
        self._reports = Reports(self, self.pilot, self._sender)
        self._reset = ResetCycle(
            self,
            config.episode,
            self._steady,
            now=time.monotonic,
            on_done=self._on_reset_done,
            on_settled=self._settle,
            on_help=self._ask_for_help,
        )
        self._operators = Operators(
            self,
            self.pilot,
            config,
            now=time.monotonic,
            end_episode=self._stop_episode,
            pass_on=self._pass_on,
        )
        self._create_topics()
        self._open = True
        if self.node_config.policy_file:
            try:
                self._use_policy_file(Path(self.node_config.policy_file))
            except (PolicyFormatError, ValueError) as error:
                self.get_logger().fatal(f'policy_file: {error}')
                self.exit_code = CONFIGURATION_ERROR
                return TransitionCallbackReturn.FAILURE
        node_parameters.on_change(self, self._tune)
        self._reports.spec()
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
        self.pilot.machine.on(Event.PAUSE, time.monotonic(), 'deactivated')
        self._stop_episode(_OPERATOR)
        self.pilot.machine.on(Event.RESUME, time.monotonic())
        return super().on_deactivate(state)

    def close(self) -> None:
        """End the episode, flush the journal."""
        if not self._open:
            return
        self._open = False
        self.pilot.machine.on(Event.FINISH, time.monotonic(), 'the node ends')
        self._stop_episode(Truncation.SHUTDOWN)
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
        self.create_subscription(PolicyWeights, 'policy', self._on_policy, qos.LATCHED)
        self.create_subscription(
            LearnerStatus, 'learner_status', self._on_learner_status, qos.STATUS
        )
        if config.episode.driver_state:
            self.create_subscription(
                String, config.episode.driver_state, self._on_driver_state, qos.LATCHED
            )

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
            self._reports.sensor_errors += 1
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
        if not self._acting or not self.pilot.in_episode or self._reset.settling:
            return
        half = round(0.5e9 * self.config.control_period)
        if self.pilot.wants_action or sample.stamp < self._used_stamp + half:
            return
        self._step(sample, missed=False)

    def _on_tick(self) -> None:
        """Clocked: the newest state, whatever else happens."""
        now = time.monotonic()
        sample = self._latest
        if sample is None or now - sample.received > self.config.timing.stale_timeout:
            return
        resetting = self.pilot.machine.state is State.RESETTING
        if resetting or (self._acting and self._reset.settling):
            # Keeps the rate of the command topic; a driver in its reset ignores commands.
            self._hold()
            return
        if not self._acting:
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
        elif not self.lockstep:
            self._hold()
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
            self._reports.step(outcome.record)
        self._unsent = 0
        if outcome.episode is None:
            return
        self._waiting_since = None
        self._reports.episode(outcome.episode)
        self.pilot.machine.on(Event.EPISODE_END, time.monotonic())
        self._files.save_account(self.pilot.machine.account)
        if outcome.evaluation is not None:
            self._reports.evaluation(outcome.evaluation)
            if self.node_config.policy_file:
                self._files.save_evaluation(outcome.evaluation, self.node_config.policy_file)
                self.pilot.machine.on(Event.FINISH, time.monotonic(), 'the evaluation is done')
                self.exit_code = 0
        self._keep_house()

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
                self.pilot.machine.on(Event.FINISH, time.monotonic(), 'the learner has finished')
                self._stop_episode(Truncation.SHUTDOWN)
        elif self._acting and not self._reset.settling:
            self._act()

    # Housekeeping

    def _keep_house(self) -> None:
        """Watch time-outs, drive resets, tell the state."""
        now = time.monotonic()
        machine = self.pilot.machine
        machine.tick(now)
        self._operators.watch()
        self._watch_sensors(now)
        if machine.state is State.WAITING:
            missing = self._missing(now)
            if missing:
                machine.reason = f'for {", ".join(missing)}'
            else:
                machine.on(Event.READY, now)
        if machine.state is State.RESETTING:
            self._drive_reset(now)
        self._settle()
        told = (machine.state, machine.reason)
        if told != self._told or now - self._last_status >= STATUS_PERIOD:
            self._told, self._last_status = told, now
            waits = self._acting and self.pilot.wants_action and self._held_back
            self._reports.status('waits for the learner' if waits else '')

    def _missing(self, now: float) -> list[str]:
        """Return what is not there yet."""
        missing = [self._reset.missing] if self._reset.missing else []
        if self._driver_state.startswith(_LIMP):
            missing.append(f'the driver, which is {self._driver_state}')
        if not self.lockstep:
            missing += self._pairer.silent(now, self.config.timing.stale_timeout)
        return missing

    def _on_driver_state(self, message: String) -> None:
        """Act no more on a robot whose driver has let it go limp."""
        self._driver_state = message.data
        machine = self.pilot.machine
        if not message.data.startswith(_LIMP):
            return
        reason = f'the driver is {message.data}'
        if message.data.startswith('estop') and machine.on(Event.ESTOP, time.monotonic(), reason):
            self.get_logger().error(reason)
            self._stop_episode(Truncation.FAULT)
        elif machine.state in (State.RUNNING, State.HUMAN, State.RESETTING):
            self.get_logger().error(reason)
            self._lose(Truncation.FAULT, reason)

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
        self._reset.postpone(0.5)
        self.pilot.machine.on(Event.LOST, time.monotonic(), reason)
        self._stop_episode(truncation)

    def _drive_reset(self, now: float) -> None:
        ending = self.exit_code is not None or self._shutdown_by is not None
        if ending or not self._reset.due() or self.pilot.machine.state is not State.RESETTING:
            return
        if self._reset.missing:
            self.pilot.machine.on(Event.LOST, now, 'the driver is gone')
            return
        self._reset.begin(self.pilot.next_goal())

    def _on_reset_done(self) -> None:
        if not self.pilot.machine.on(Event.RESET_DONE, time.monotonic()):
            self._reset.abandon()

    def _settle(self) -> None:
        """Begin the episode once a state from after the reset is there."""
        reset, now = self._reset, time.monotonic()
        if not reset.settling or now - reset.done < self.config.episode.settle:
            return
        if self.pilot.machine.state is State.HUMAN:
            return
        if self.pilot.machine.state is not State.RUNNING:
            reset.abandon()
            return
        # In lock-step the last state of the reset comes before its answer, and none after it.
        since = reset.began if self.lockstep else reset.done
        if self._latest is not None and self._latest.received >= since:
            reset.settling = False
            if self.lockstep:
                self._begin(self._latest)
        elif now - reset.done > max(self.config.timing.stale_timeout, 1.0):
            reset.abandon()
            self._lose(_STALE, 'no sensor values after the reset')

    def _ask_for_help(self, text: str) -> None:
        reason = f'{text}; put the scene right, then call continue_after_help'
        if self.pilot.machine.on(Event.NEED_HELP, time.monotonic(), reason):
            self.get_logger().error(f'needs help: {reason}')

    def _stop_episode(self, reason: Truncation) -> None:
        """Truncate the episode and let the robot hold."""
        self._reset.abandon()
        if self.pilot.in_episode:
            outcome = self.pilot.interrupt(reason)
            self._hold()
            self._publish(outcome)

    def _hold(self) -> None:
        if self._latest is not None:
            self._send(self.pilot.mapper.hold(self._latest.raw), self._latest.stamp)

    def _pass_on(self, commands: dict[str, Any]) -> None:
        """Send a person's commands, within the limits, while no episode is under way."""
        if self._latest is not None:
            mapper, raw = self.pilot.mapper, self._latest.raw
            command = mapper.command(mapper.action(commands, raw), raw)
            self._send(command.channels, self._latest.stamp)

    def _tune(self, config: RobotConfig, changes: Mapping[str, Any]) -> None:
        config = replace(config, agent_id=self.config.agent_id)
        self.pilot.tune(config)
        self.config = config
        self._files.save_change(time.time(), self.pilot.steps, changes)
        for name, value in changes.items():
            self.get_logger().info(f'from step {self.pilot.steps} on {name} is {value}')

    # Shutdown

    def ask_to_end(self) -> None:
        """End after the step under way, once the learner has everything, or a second later."""
        if self._shutdown_by is None and self._open:
            self._shutdown_by = time.monotonic() + 1.0
            if not self.pilot.stop_after_step(Truncation.SHUTDOWN):
                self._stop_episode(Truncation.SHUTDOWN)

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
