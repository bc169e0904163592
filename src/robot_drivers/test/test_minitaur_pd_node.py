"""The PD node on its topics; its decisions are tested in test_minitaur_motor.py."""

import os
import subprocess
import sys
import time

import pytest

pytest.importorskip('rclpy')
pytest.importorskip('sac_msgs')

import rclpy
import rclpy.executors
from sac_msgs.msg import JointCommand
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray

from robot_drivers.minitaur import leg
from robot_drivers.minitaur.pd_node import PdNode
from sac_core import qos

STATE = JointState(name=list(leg.MOTOR_JOINTS), position=[2.0] * 8, velocity=[0.1] * 8)
COMMAND = JointCommand(names=list(leg.LEG_CHANNELS), values=[*[0.0] * 4, *[2.2] * 4])


class Bench:
    """The node and its neighbours in one executor."""

    def __init__(self):
        self.node = PdNode()
        self.robot = rclpy.create_node('robot')
        self.efforts = []
        self.robot.create_subscription(
            Float64MultiArray,
            'effort_controller/commands',
            lambda msg: self.efforts.append(msg.data.tolist()),
            qos.COMMAND,
        )
        self.state = self.robot.create_publisher(JointState, 'joint_states', qos.STATE_PUBLISHER)
        self.command = self.robot.create_publisher(JointCommand, 'joint_command', qos.COMMAND)
        self.executor = rclpy.executors.SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.executor.add_node(self.robot)

    def spin_until(self, condition, seconds=5.0):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end
            self.executor.spin_once(timeout_sec=0.02)

    def connect(self):
        self.node.trigger_configure()
        self.spin_until(
            lambda: self.state.get_subscription_count() and self.command.get_subscription_count()
        )


@pytest.fixture
def bench(ros_domain_id):
    rclpy.init(domain_id=ros_domain_id)
    bench = Bench()
    yield bench
    bench.executor.shutdown()
    bench.node.destroy_node()
    bench.robot.destroy_node()
    rclpy.shutdown()


def test_nothing_is_sent_before_activation(bench):
    bench.connect()
    bench.command.publish(COMMAND)
    for _ in range(10):
        bench.state.publish(STATE)
        bench.executor.spin_once(timeout_sec=0.02)
    assert bench.efforts == []


def test_command_becomes_torque_then_damping_then_rest(bench):
    bench.connect()
    bench.node.trigger_activate()

    def push():
        bench.command.publish(COMMAND)
        bench.state.publish(STATE)
        return bench.efforts and min(bench.efforts[-1]) > 0.5

    bench.spin_until(push)

    def starve():
        bench.state.publish(STATE)
        return max(bench.efforts[-1]) < 0.0

    bench.spin_until(starve)
    bench.spin_until(lambda: bench.efforts[-1] == [0.0] * 8)


def test_deactivation_sends_zero(bench):
    bench.connect()
    bench.node.trigger_activate()

    def push():
        bench.command.publish(COMMAND)
        bench.state.publish(STATE)
        return bench.efforts and min(bench.efforts[-1]) > 0.5

    bench.spin_until(push)
    bench.node.trigger_deactivate()
    bench.spin_until(lambda: bench.efforts[-1] == [0.0] * 8)


def test_malformed_messages_are_counted_and_change_nothing(bench):
    bench.connect()
    bench.node.trigger_activate()
    bad = JointCommand(names=['a'], values=[1.0, 2.0])

    def push():
        bench.command.publish(bad)
        bench.state.publish(JointState(name=['a'], position=[0.0]))
        return bench.node._refused > 1

    bench.spin_until(push)
    assert all(effort == [0.0] * 8 for effort in bench.efforts)


def test_misspelt_parameter_ends_the_node_with_code_2(ros_domain_id):
    program = 'import sys; from robot_drivers.main import minitaur_pd; sys.exit(minitaur_pd())'
    result = subprocess.run(
        [sys.executable, '-c', program, '--ros-args', '-p', 'comand_timeout:=0.1'],
        env=os.environ | {'ROS_DOMAIN_ID': str(ros_domain_id)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 2
    assert "unknown parameter 'comand_timeout'; did you mean command_timeout" in result.stderr
