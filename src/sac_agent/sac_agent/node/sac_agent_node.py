"""The agent as a lifecycle node: topics, services and timers around a `Pilot`.

Executor: one thread; the journal has a thread of its own. Every callback returns at once.
"""

from collections.abc import Mapping, Sequence
import signal
import sys
import time
import traceback
from typing import Any

import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.signals import SignalHandlerOptions
from sac_msgs.msg import Transition

from sac_agent.config import RobotConfig
from sac_agent.episode.machine import Event, State
from sac_agent.errors import ConfigError
from sac_agent.journal import JournalError
from sac_agent.node import parameters
from sac_agent.node.command_output import CommandOutput
from sac_agent.node.control_loop import ControlLoop
from sac_agent.node.learner_link import LearnerLink
from sac_agent.node.operators import Operators
from sac_agent.node.recording import Recording
from sac_agent.node.reports import Reports
from sac_agent.node.run_files import RunFiles
from sac_agent.node.sender import make_sender, Sender
from sac_agent.node.sensor_input import message_type, SensorInput
from sac_agent.node.shutdown import Shutdown
from sac_agent.node.supervisor import Supervisor
from sac_agent.pilot import Pilot
from sac_agent.policy.policy_file import read_policy
from sac_agent.records import Outcome, Progress, Truncation
from sac_core import qos
from sac_core.executor import one_thread
from sac_core.realtime import prefer
from sac_core.startup import CONFIGURATION_ERROR

HOUSEKEEPING = 0.05  # [s]


class SacAgentNode(LifecycleNode):
    """Acts with the newest policy, records what happens, and resets between episodes."""

    def __init__(self) -> None:
        """Read all parameters; nothing is opened yet.

        Raises:
            ConfigError: A parameter is not admissible.
        """
        super().__init__('sac_agent', automatically_declare_parameters_from_overrides=True)
        self.config, self.node_config = parameters.read(self)
        self.lockstep = self.config.trigger == 'observation'
        self.exit_code: int | None = None
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        # All of the configuration is resolved once here, so that mistakes end the process.
        Pilot(self.config, now=0.0)
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
        config, node_config = self.config, self.node_config
        self._transitions = self.create_publisher(Transition, 'transition', qos.EXPERIENCE)
        try:
            self._sender: Sender = make_sender(
                node_config.run_dir if not node_config.policy_file else '',
                config.agent_id,
                f'{config.agent_id}-{time.time_ns():x}',
                self._transitions.publish,
                config.journal,
            )
        except (JournalError, OSError) as error:
            self.get_logger().error(f'the journal cannot be opened: {error}')
            return TransitionCallbackReturn.FAILURE
        self._files = RunFiles(
            node_config.run_dir, config.agent_id, evaluation_only=bool(node_config.policy_file)
        )
        progress = Progress(
            self._sender.next_episode, self._sender.training_steps, self._files.account()
        )
        self.pilot = Pilot(
            config, now=time.monotonic(), stream_id=self._sender.stream_id, progress=progress
        )
        self._connect()
        self._open = True
        if node_config.policy_file:
            try:
                self._use_policy_file(node_config.policy_file)
            except ValueError as error:
                self.get_logger().fatal(f'policy_file: {error}')
                self.exit_code = CONFIGURATION_ERROR
                return TransitionCallbackReturn.FAILURE
        parameters.on_change(self, self._tune)
        self._reports.spec()
        return TransitionCallbackReturn.SUCCESS

    def _connect(self) -> None:
        """Open all topics and services; each part knows those of its own."""
        config, pilot = self.config, self.pilot
        self._recording = Recording(self, config, self._sender)
        self._recording.record_sensors(message_type)
        sensors = SensorInput(
            self,
            config,
            pilot.readers,
            on_sample=lambda sample: self._supervisor.on_sample(sample),
        )
        self._loop = ControlLoop(
            pilot,
            CommandOutput(self, config, self._recording),
            self.get_clock(),
            lockstep=self.lockstep,
            held_back=self._is_held_back,
            on_outcome=self._on_outcome,
        )
        self._supervisor = Supervisor(
            self, pilot, sensors, self._loop, self._steady, lockstep=self.lockstep
        )
        self._learner: LearnerLink | None = None
        if not self.node_config.policy_file:
            self._learner = LearnerLink(
                self,
                config.agent_id,
                pilot.policies,
                self._sender,
                self._recording,
                on_finished=self._on_learner_finished,
                on_status=self._supervisor.on_learner_news,
            )
            self._learner.go_on_with(self._files.policy)
        self._reports = Reports(self, pilot, self._sender, sensors, self._files)
        self._operators = Operators(
            self,
            pilot,
            config,
            now=time.monotonic,
            end_episode=self._supervisor.stop_episode,
            pass_on=self._loop.pass_on,
        )
        self._shutdown = Shutdown(pilot, self._supervisor, self._learner)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start to act as soon as sensors and driver are there."""
        self._timers = [self.create_timer(HOUSEKEEPING, self._keep_house, clock=self._steady)]
        simulated = self.get_parameter('use_sim_time').value
        if not simulated and not prefer(self.node_config.realtime_priority):
            self.get_logger().info('no real-time priority: not permitted, see realtime_priority')
        if not self.lockstep:
            period = self.config.control_period
            self._timers.append(
                self.create_timer(period, self._supervisor.on_tick, clock=self._steady)
            )
        self._reports.up()
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop acting; the robot holds."""
        for timer in self._timers:
            self.destroy_timer(timer)
        self.pilot.machine.on(Event.PAUSE, time.monotonic(), 'deactivated')
        self._supervisor.stop_episode(Truncation.OPERATOR)
        self.pilot.machine.on(Event.RESUME, time.monotonic())
        return super().on_deactivate(state)

    def close(self) -> None:
        """End the episode, flush the journal."""
        if not self._open:
            return
        self._open = False
        self._finish('the node ends')
        self._files.save_account(self.pilot.machine.account)
        self._files.policy.close()
        self._sender.close()

    def _use_policy_file(self, path: str) -> None:
        policy, version = read_policy(path, self.pilot.spec.spec_hash())
        self.pilot.policies.use(policy, version)
        self.pilot.evaluate(self.node_config.evaluation_episodes)

    # Learning

    def _is_held_back(self, unsent: int) -> bool:
        if self._learner is None or self.pilot.evaluating:
            return False
        return not self._learner.allows(self._sender.next_sequence - 1 + unsent)

    def _on_learner_finished(self) -> None:
        if self.pilot.machine.state is not State.FINISHED:
            self._finish('the learner has finished')

    def _finish(self, reason: str) -> None:
        self.pilot.machine.on(Event.FINISH, time.monotonic(), reason)
        self._supervisor.stop_episode(Truncation.SHUTDOWN)

    def _on_outcome(self, outcome: Outcome) -> None:
        if outcome.record is not None:
            self._recording.acting(outcome.record.policy_version)
            self._reports.step(outcome.record)
        self._files.policy.keep(self.pilot.policies.current)
        if outcome.episode is None:
            return
        self._reports.episode(outcome.episode)
        self.pilot.machine.on(Event.EPISODE_END, time.monotonic())
        self._files.save_account(self.pilot.machine.account)
        if outcome.evaluation is not None:
            self._reports.evaluation(outcome.evaluation)
            # Holds until the learner has heard of all robots; a step more would be owed for ever.
            self._supervisor.ending |= self.pilot.is_last(outcome.evaluation)
            if self.node_config.policy_file:
                self._files.save_evaluation(outcome.evaluation, self.node_config.policy_file)
                self.pilot.machine.on(Event.FINISH, time.monotonic(), 'the evaluation is done')
                self._supervisor.ending = True
                self.exit_code = 0
        self._keep_house()

    def _keep_house(self) -> None:
        """Watch over everything, tell the state when it changes or a while has passed."""
        self._operators.watch()
        self._supervisor.watch()
        now = time.monotonic()
        if self._reports.status_is_due(now):
            waits = self._loop.waits_for_learner
            self._reports.status(now, 'waits for the learner' if waits else '')

    def _tune(self, config: RobotConfig, changes: Mapping[str, Any]) -> None:
        self.pilot.tune(config)
        self.config = config
        self._files.save_change(time.time(), self.pilot.steps, changes)
        self._reports.change(changes)

    # Shutdown

    def ask_to_end(self) -> None:
        """End after the step under way, once the learner has everything, or a second later."""
        if self._open:
            self._shutdown.ask()

    @property
    def ended(self) -> bool:
        """Whether nothing is left to do."""
        return self.exit_code is not None or not self._open or self._shutdown.done


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
    executor = one_thread()
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
