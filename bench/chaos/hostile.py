"""A process that sends rubbish on every topic of a run: ``hostile.py NAMESPACE MODE JOINT...``."""

from __future__ import annotations

import sys
import time

import rclpy
from rubbish import Rubbish
from sac_msgs.msg import AgentSpec, JointCommand, LearnerStatus, PolicyWeights, Transition
from sensor_msgs.msg import JointState

from sac_core import qos

PERIOD = 0.005  # [s] between two rounds


def main() -> None:
    """Send until the process is ended."""
    namespace, mode, seed, *joints = sys.argv[1:]
    rclpy.init()
    node = rclpy.create_node('hostile')
    rubbish = Rubbish(int(seed), joints, namespace)
    publish = {
        kind: node.create_publisher(kind, topic, profile).publish
        for kind, topic, profile in (
            (Transition, '/transition', qos.EXPERIENCE),
            (PolicyWeights, '/policy', qos.LATCHED),
            (AgentSpec, '/agent_spec', qos.LATCHED),
            (LearnerStatus, '/learner_status', qos.STATUS),
            (JointCommand, f'/{namespace}/joint_command', qos.COMMAND),
            (JointState, f'/{namespace}/joint_states', qos.STATE_PUBLISHER),
        )
    }
    while rclpy.ok():
        now = time.time()
        publish[Transition](rubbish.transition())
        publish[PolicyWeights](rubbish.weights())
        publish[AgentSpec](rubbish.spec())
        publish[LearnerStatus](rubbish.status())
        publish[JointCommand](rubbish.command(int(mode), now))
        publish[JointState](rubbish.joint_state(now))
        time.sleep(PERIOD)


if __name__ == '__main__':
    main()
