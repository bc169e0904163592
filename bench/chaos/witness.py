"""A process that only listens: what crossed the topics of a run, as JSON lines on its output.

``witness.py NAMESPACE``. Times are those of the monotonic clock, which nobody steps.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy
from rubbish import STREAM
from sac_msgs.msg import AgentStatus, JointCommand, LearnerStatus, Transition

from sac_core.realtime import prefer

EVERYTHING = QoSProfile(
    history=QoSHistoryPolicy.KEEP_ALL, reliability=QoSReliabilityPolicy.RELIABLE, depth=0
)
NANOSECONDS = 1_000_000_000


def main() -> None:
    """Listen until the process is ended."""
    namespace = sys.argv[1]
    rclpy.init()
    node = rclpy.create_node('witness')

    def listen(kind: Any, topic: str, read: Any) -> None:
        def callback(message: Any) -> None:
            record = read(message)
            if record is not None:
                tell([topic, round(time.monotonic(), 6), *record])

        node.create_subscription(kind, topic, callback, EVERYTHING)

    listen(JointCommand, f'/{namespace}/joint_command', _command)
    listen(JointCommand, f'/{namespace}/applied_command', _command)
    listen(Transition, '/transition', _transition)
    listen(AgentStatus, '/agent_status', _agent)
    listen(LearnerStatus, '/learner_status', _learner)
    listen(DiagnosticArray, '/diagnostics', _diagnostics)
    prefer(7)  # it tells when things came, not when it had time to look
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    while rclpy.ok():
        executor.spin_once(timeout_sec=1.0)


def tell(record: list[Any]) -> None:
    """Write one line."""
    sys.stdout.write(json.dumps(record) + '\n')
    sys.stdout.flush()


def _stamp(stamp: Any) -> int:
    return int(stamp.sec) * NANOSECONDS + int(stamp.nanosec)


def _command(m: JointCommand) -> list[Any] | None:
    if not m.observation_stamp.sec:
        return None  # rubbish, which answers no observation
    return [_stamp(m.observation_stamp), m.sequence, _stamp(m.header.stamp)]


def _transition(m: Transition) -> list[Any] | None:
    if m.stream_id.startswith(STREAM):
        return None
    return [
        m.stream_id, m.sequence, m.episode, m.step, _stamp(m.observation.stamp), m.reward,
        m.policy_version, m.observation_age, m.command_latency,
    ]  # fmt: skip


def _agent(m: AgentStatus) -> list[Any]:
    return [
        m.state, m.reason, m.steps, m.policy_version, m.unacknowledged, m.deadline_misses,
        m.refused_weights,
    ]  # fmt: skip


def _learner(m: LearnerStatus) -> list[Any] | None:
    if m.learner_id == 'rubbish':
        return None
    acks = [[a.stream_id, a.received, a.durable] for a in m.acks]
    return [m.state, m.updates, m.transitions, m.policy_version, m.duplicates, m.rejected, acks]


def _diagnostics(m: DiagnosticArray) -> list[Any]:
    return [[s.name, int.from_bytes(s.level, 'little'), s.message] for s in m.status]


if __name__ == '__main__':
    main()
