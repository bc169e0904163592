"""What the agent node publishes about itself, and keeps in the journal."""

from collections.abc import Mapping
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from rclpy.serialization import serialize_message
from sac_msgs.msg import AgentSpec, AgentStatus, EpisodeSummary, EvaluationSummary

from sac_agent.episode.machine import State
from sac_agent.journal import JournalError
from sac_agent.node import messages
from sac_agent.node.run_files import RunFiles
from sac_agent.node.sender import Sender
from sac_agent.node.sensor_input import SensorInput
from sac_agent.pilot import Pilot
from sac_agent.records import EpisodeRecord, EvaluationRecord, StepRecord
from sac_core import qos
from sac_core.convert import spec_to_msg

STATUS_PERIOD = 1.0  # [s] between two, as long as nothing happens


class Reports:
    """Publishes steps, episodes, evaluations, status and diagnostics."""

    def __init__(
        self, node: Node, pilot: Pilot, sender: Sender, sensors: SensorInput, files: RunFiles
    ) -> None:
        """Open the topics."""
        self._node, self._pilot, self._sender, self._sensors = node, pilot, sender, sensors
        self._files = files
        self._agent_id = pilot.spec.agent_id
        self._first = 1
        self._last_status = 0.0
        self._told: tuple[State, str] | None = None
        self._spec = node.create_publisher(AgentSpec, 'agent_spec', qos.LATCHED)
        self._status = node.create_publisher(AgentStatus, 'agent_status', qos.STATUS)
        self._episode = node.create_publisher(EpisodeSummary, 'episode', qos.STATUS)
        self._evaluation = node.create_publisher(EvaluationSummary, 'evaluation', qos.STATUS)
        self._diagnostics = node.create_publisher(DiagnosticArray, '/diagnostics', 10)

    def spec(self) -> None:
        """Introduce the agent."""
        message = spec_to_msg(self._pilot.spec)
        message.first_sequence = self._first = self._sender.status().first
        self._publish(self._spec, message, '/agent_spec')

    def change(self, changes: Mapping[str, Any]) -> None:
        """Introduce the agent anew, and log the values that have changed, by name."""
        self.spec()  # the learner keeps the configuration in its checkpoints
        for name, value in changes.items():
            self._node.get_logger().info(f'from step {self._pilot.steps} on {name} is {value}')

    def step(self, record: StepRecord) -> None:
        """Send one executed step."""
        message = messages.transition(
            record, self._agent_id, self._sender.stream_id, self._sender.next_sequence
        )
        try:
            self._sender.transition(serialize_message(message), evaluation=record.evaluation)
        except JournalError as error:
            self._complain(f'a step is not recorded: {error}')

    def episode(self, record: EpisodeRecord) -> None:
        """Publish an ended episode."""
        message = messages.episode(record, self._agent_id, self._sender.stream_id)
        self._publish(self._episode, message, '/episode')

    def evaluation(self, record: EvaluationRecord) -> None:
        """Publish an evaluation, and log it in one line."""
        self._publish(self._evaluation, messages.evaluation(record, self._agent_id), '/evaluation')
        metrics = ', '.join(f'{name} {value:.3f}' for name, value in record.metrics.items())
        self._node.get_logger().info(
            f'evaluation at step {record.steps}: success {100 * record.success_rate:.0f} % of '
            f'{record.episodes}, return {record.mean_return:.1f}, {metrics}'
            + (', solved' if record.solved else '')
        )
        policies = self._pilot.policies
        if policies.pinned:
            self._node.get_logger().warning(
                f'the return collapsed: back to policy {policies.version} until the next '
                'evaluation'
            )

    def up(self) -> None:
        """Log what the agent is, and where it goes on."""
        pilot, config = self._pilot, self._pilot.config
        self._node.get_logger().info(
            f'{self._agent_id} is up: task {config.task}, {config.control_rate:g} Hz, '
            f'{pilot.spec.observation.vector_size} observations, '
            f'{pilot.spec.action_size} actions, episode {pilot.episode}, step {pilot.steps}'
        )

    def status_is_due(self, now: float) -> bool:
        """Return whether the state has changed, or was told a while ago.

        Args:
            now: Monotonic time [s].
        """
        machine = self._pilot.machine
        changed = (machine.state, machine.reason) != self._told
        return changed or now - self._last_status >= STATUS_PERIOD

    def status(self, now: float, reason: str = '') -> None:
        """Publish state and diagnostics.

        Args:
            now: Monotonic time [s].
            reason: Why the agent waits within a state, instead of the state's own reason.
        """
        pilot, machine = self._pilot, self._pilot.machine
        self._told, self._last_status = (machine.state, machine.reason), now
        courier = self._sender.status()
        account = machine.account
        if courier.first != self._first:
            self.spec()  # the journal has deleted a file
        message = AgentStatus(
            agent_id=self._agent_id,
            state=int(machine.state),
            reason=reason or machine.reason,
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
        self._publish(self._status, message)
        self._diagnose(message, courier.problem or self._files.problem, courier.resends)

    def _diagnose(self, status: AgentStatus, problem: str, resends: int) -> None:
        state, policies = self._pilot.machine.state, self._pilot.policies
        level: Any = DiagnosticStatus.OK
        if state in (State.ESTOP, State.NEEDS_HELP) or problem:
            level = DiagnosticStatus.ERROR
        elif state is State.WAITING or policies.pinned:
            level = DiagnosticStatus.WARN
        values = {
            'training steps': status.steps,
            'policy version': status.policy_version,
            'refused weights': status.refused_weights,
            'last refusal': policies.refusal,
            'deadline misses': status.deadline_misses,
            'observation age [s]': f'{status.observation_age:.4f}',
            'command latency [s]': f'{status.command_latency:.4f}',
            'unusable sensor messages': self._sensors.errors,
            'not acknowledged': status.unacknowledged,
            'sent again': resends,
        }
        name = f'{self._node.get_fully_qualified_name()}: agent'
        text = problem or f'{state.name.lower()}: {status.reason}'
        array = messages.diagnostics(name, self._agent_id, level, text, values)
        self._publish(self._diagnostics, array)

    def _publish(self, publisher: Any, message: Any, recorded_as: str = '') -> None:
        message.header.stamp = self._node.get_clock().now().to_msg()
        publisher.publish(message)
        if recorded_as:
            try:
                self._sender.record(recorded_as, serialize_message(message))
            except JournalError as error:
                self._complain(f'{recorded_as} is not recorded: {error}')

    def _complain(self, text: str) -> None:
        self._node.get_logger().error(text, throttle_duration_sec=5.0)
