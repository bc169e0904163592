"""The learner as a ROS node: topics and parameters around a worker thread.

Executor: one thread, the main one; its callbacks only pass messages on. The worker thread owns
everything that learns and publishes policies.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
import signal
import sys
import threading
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
import rclpy
from rclpy.executors import Executor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future
from sac_msgs.msg import (
    AgentSpec,
    AgentStatus,
    EpisodeSummary,
    EvaluationSummary,
    LearnerStatus,
    PolicyWeights,
    Transition,
    TransitionAck,
)
from sac_msgs.srv import RelabelReplay
from std_srvs.srv import SetBool, Trigger

from sac_core import convert, qos
from sac_core.bag import BagError
from sac_core.executor import one_thread
from sac_core.parameters import declare_config, on_change, refuse_unknown
from sac_core.policy_format import checksum, pack
from sac_core.startup import CONFIGURATION_ERROR
from sac_learner.checkpoint import CheckpointError
from sac_learner.intake import bags
from sac_learner.node.session import Session
from sac_learner.node.worker import Worker
from sac_learner.replay import ReplayError
from sac_learner.run.directory import RunDirectory, RunDirectoryError
from sac_learner.sac.config import preset, SacConfig
from sac_learner.settings import LearnerSettings
from sac_learner.training.policies import Policy

STATUS_PERIOD = 0.04  # [s]
DIAGNOSTICS_PERIOD = 1.0  # [s]


class LearnerNode(Node):
    """Consumes transitions, publishes policies, acknowledges what it has."""

    def __init__(self) -> None:
        """Declare the parameters and open the topics.

        Raises:
            ValueError: A parameter is not admissible, or the run directory cannot be used.
        """
        super().__init__('sac_learner')
        self._settings = declare_config(self, LearnerSettings)
        config = declare_config(self, SacConfig, defaults=preset(self._settings.preset))
        refuse_unknown(self)
        if not self._settings.run_dir:
            raise ValueError('parameter run_dir is missing: give the directory of the run')
        run = RunDirectory(Path(self._settings.run_dir))
        self.session = session = Session(
            config, self._settings, run, publish=self._publish_policy, log=self.get_logger().info
        )
        self.worker = Worker(session, self._settings.nice)
        self._policies = self.create_publisher(PolicyWeights, 'policy', qos.LATCHED)
        self._status = self.create_publisher(LearnerStatus, 'learner_status', qos.STATUS)
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', qos.STATUS)
        for kind, topic, handler, profile in (
            (AgentSpec, 'agent_spec', session.on_spec, qos.LATCHED_SPECS),
            (Transition, 'transition', session.on_transition, qos.EXPERIENCE),
            (EpisodeSummary, 'episode', session.on_episode, qos.STATUS),
            (EvaluationSummary, 'evaluation', session.on_evaluation, qos.STATUS),
            (AgentStatus, 'agent_status', session.on_agent_status, qos.STATUS),
        ):
            self.create_subscription(kind, topic, partial(self.worker.call, handler), profile)
        self.create_service(Trigger, '~/save', self._on_save)
        self.create_service(SetBool, '~/pause', self._on_pause)
        self.create_service(RelabelReplay, '~/relabel', self._on_relabel)
        on_change(self, SacConfig, self._set_parameter)
        on_change(self, LearnerSettings, self._set_parameter)
        # Wall clock: learning goes on while a simulated clock stands still.
        wall = rclpy.clock.Clock(clock_type=rclpy.clock.ClockType.STEADY_TIME)
        self.create_timer(STATUS_PERIOD, self._publish_status, clock=wall)
        self.create_timer(DIAGNOSTICS_PERIOD, self._publish_diagnostics, clock=wall)
        self.get_logger().info(
            f'run {run.path}, seed {self._settings.seed}, '
            f'{self._settings.thread_count()} threads on {self._settings.device}'
        )

    def _publish_policy(self, policy: Policy) -> None:
        data = pack(policy.arrays, policy.architecture)
        mean = b'' if policy.averaged is None else pack(policy.averaged, policy.architecture)
        msg = PolicyWeights(
            learner_id=self.session.learner_id,
            version=policy.version,
            updates=policy.updates,
            spec_hash=self.session.spec_hash,
            architecture=policy.architecture.to_json(),
            crc32=checksum(data),
            data=convert.octets(data),
            averaged_crc32=checksum(mean),
            averaged=convert.octets(mean),
        )
        msg.header.stamp = self.get_clock().now().to_msg()
        if self.context.ok():
            self._policies.publish(msg)

    def _publish_status(self) -> None:
        values = self.session.status()
        metrics: dict[str, float] = values.pop('metrics')
        acks = [
            TransitionAck(agent_id=agent, stream_id=stream, received=received, durable=durable)
            for agent, stream, received, durable in values.pop('acks')
        ]
        msg = LearnerStatus(
            **values,
            acks=acks,
            metric_names=list(metrics),
            metric_values=convert.floats64(list(metrics.values())),
        )
        msg.header.stamp = self.get_clock().now().to_msg()
        self._status.publish(msg)

    def _publish_diagnostics(self) -> None:
        values = self.session.diagnostics()
        error, problems = self.session.failure, self.session.problems
        level = DiagnosticStatus.WARN if problems else DiagnosticStatus.OK
        status = DiagnosticStatus(
            level=DiagnosticStatus.ERROR if error else level,
            name=f'{self.get_name()}: learning',
            message=error or '; '.join(problems.values()) or str(values.get('state', '')),
            hardware_id=self.session.learner_id,
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
        )
        array = DiagnosticArray(status=[status])
        array.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(array)

    def _set_parameter(self, name: str, value: Any) -> None:
        """Change a live parameter from the next update on.

        Raises:
            ValueError: The value is not admissible together with the others.
        """
        self.session.check(name, value)
        self.worker.call(self.session.on_parameter, name, value)

    def _on_save(self, request: Any, response: Any) -> Any:
        self.worker.call(self.session.on_save)
        response.success = bool(self.session.spec_hash)
        response.message = 'saving' if response.success else 'nothing has been learned yet'
        return response

    async def _on_relabel(self, request: Any, response: Any) -> Any:
        """Read the bags in a thread, for that may take a while, and let the worker apply them."""
        done: Future = Future(executor=self.executor)
        paths = [Path(name).expanduser() for name in request.bags]

        def read() -> None:
            try:
                labels = bags.labels(paths)
            except (BagError, OSError) as error:
                done.set_result((0, str(error)))
                return
            self.worker.call(
                self.session.on_relabel, labels, lambda count: done.set_result((count, ''))
            )

        threading.Thread(target=read, name='labels', daemon=True).start()
        count, problem = await done
        response.success, response.relabelled = not problem, count
        response.message = problem or f'{count} transitions have new labels'
        return response

    def _on_pause(self, request: Any, response: Any) -> Any:
        self.session.paused = request.data
        response.success = True
        return response


def main(argv: Sequence[str] | None = None) -> int:
    """Run the node until the run is complete or interrupted; what was learned is saved."""
    # A KeyboardInterrupt inside a C++ callback would abort the process, so signals set a flag.
    rclpy.init(args=argv, signal_handler_options=SignalHandlerOptions.NO)
    interrupted = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: interrupted.set())
    try:
        node = LearnerNode()
    except (ValueError, RunDirectoryError, ReplayError, CheckpointError) as error:
        rclpy.logging.get_logger('sac_learner').fatal(str(error))
        rclpy.try_shutdown()
        return CONFIGURATION_ERROR
    except OSError as error:  # such as a full disk; whoever starts us may try again
        rclpy.logging.get_logger('sac_learner').fatal(
            f'the run directory cannot be written: {error}'
        )
        rclpy.try_shutdown()
        return 1
    executor = one_thread()
    executor.add_node(node)
    node.worker.start()
    while node.worker.running and not interrupted.is_set():
        executor.spin_once(timeout_sec=0.2)
    node.worker.stop()
    if not interrupted.is_set():
        _announce_end(executor)
    rclpy.try_shutdown()
    if node.session.failure:
        sys.stderr.write(f'sac_learner: {node.session.failure}\n')
    return node.session.exit_code


def _announce_end(executor: Executor) -> None:
    """Spin a little longer, so that the agents hear that the run is finished."""
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        executor.spin_once(timeout_sec=0.1)


if __name__ == '__main__':
    sys.exit(main())
