"""The topics between the driver and Gazebo, with a node that plays controllers and bridge."""

from __future__ import annotations

import time

import numpy as np
import pytest

rclpy = pytest.importorskip('rclpy')

from geometry_msgs.msg import PoseStamped  # noqa: E402
from sensor_msgs.msg import JointState  # noqa: E402
from std_msgs.msg import Float64MultiArray  # noqa: E402

from robot_drivers.errors import ConnectionFailedError  # noqa: E402
from robot_drivers.gazebo.ros_wire import RosWire  # noqa: E402


@pytest.fixture
def topics(ros_domain_id):
    """Return a node that plays controllers and bridge, and the wire that listens to it."""
    rclpy.init(domain_id=ros_domain_id)
    node = rclpy.create_node('gazebo', namespace='/claw/gazebo')
    wire = RosWire('/claw/gazebo', ('a', 'b'), ('position_controller',))
    wire.open()
    yield node, wire
    wire.close()
    wire.close()
    node.destroy_node()
    rclpy.shutdown()


def until(node, condition, act=lambda: None, timeout: float = 15.0):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        act()
        rclpy.spin_once(node, timeout_sec=0.02)


def test_wire_sorts_joints_and_sends_commands(topics):
    node, wire = topics
    states = node.create_publisher(JointState, 'joint_states', 10)
    received = []
    node.create_subscription(
        Float64MultiArray, 'position_controller/commands', received.append, 10
    )
    foreign = JointState(name=['x'], position=[1.0], velocity=[1.0])
    broken = JointState(name=['b', 'a'], position=[float('nan'), 1.0], velocity=[0.0, 0.0])
    for _ in range(20):
        states.publish(foreign)
        states.publish(broken)
        time.sleep(0.01)
    assert wire.joints is None
    good = JointState(name=['b', 'c', 'a'], position=[2.0, 3.0, 1.0], velocity=[0.2, 0.3, 0.1])
    until(node, lambda: wire.joints is not None, lambda: states.publish(good))
    np.testing.assert_allclose(wire.joints.position, [1.0, 2.0])
    np.testing.assert_allclose(wire.joints.velocity, [0.1, 0.2])
    np.testing.assert_allclose(wire.joints.effort, [0.0, 0.0])
    until(
        node,
        lambda: received,
        lambda: wire.send('position_controller', np.array([0.5, -0.5])),
    )
    assert list(received[-1].data) == [0.5, -0.5]


def test_wire_tells_pose_and_velocity_of_a_floating_base(topics):
    node, wire = topics
    poses = node.create_publisher(PoseStamped, 'base/pose', 10)
    count = [0]

    def walk() -> None:
        count[0] += 1
        msg = PoseStamped()
        msg.header.stamp.nanosec = 10_000_000 * count[0]
        msg.pose.position.x = 0.004 * count[0]
        angle = 0.02 * count[0]
        msg.pose.orientation.z, msg.pose.orientation.w = np.sin(angle / 2), np.cos(angle / 2)
        poses.publish(msg)

    until(node, lambda: wire.base is not None and wire.base[0].linear_velocity.any(), walk)
    np.testing.assert_allclose(wire.base[0].linear_velocity, [0.4, 0.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(wire.base[0].angular_velocity, [0.0, 0.0, 2.0], atol=1e-3)


def test_wire_names_what_is_missing_to_place_a_robot(topics):
    _, wire = topics
    with pytest.raises(ConnectionFailedError, match='ros_gz_interfaces is not installed'):
        wire.place('minitaur', np.zeros(3), 0.0)
