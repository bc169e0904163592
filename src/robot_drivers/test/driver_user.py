"""Somebody who talks to the driver node from another process."""

from __future__ import annotations

from collections.abc import Callable
import signal
import subprocess
import sys
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.srv import ChangeState
import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rosgraph_msgs.msg import Clock
from sac_msgs.msg import JointCommand
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger

from robot_drivers.dclaw.config import JOINTS
from sac_core import qos
from sac_core.convert import floats64, seconds

NODE = [sys.executable, '-m', 'robot_drivers.node.robot_node', '--ros-args']


class User:
    """Somebody in another process who talks to the driver."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command, env=environment, stderr=subprocess.PIPE, text=True
        )
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node('user', context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.messages: dict[str, list[Any]] = {}
        for kind, topic, profile in (
            (JointState, 'joint_states', qos.STATE),
            (Image, 'image_raw', qos.STATE),
            (Clock, '/clock', qos.STATE),
            (JointCommand, 'applied_command', qos.STATE),
            (DiagnosticArray, '/diagnostics', qos.STATE),
            (String, 'driver_state', qos.LATCHED),
        ):
            received = self.messages.setdefault(topic, [])
            self.node.create_subscription(kind, topic, received.append, profile)
        self.publisher = self.node.create_publisher(JointCommand, 'joint_command', qos.COMMAND)

    def until(self, condition: Callable[[], Any], timeout: float = 20.0) -> Any:
        deadline = time.monotonic() + timeout
        while not (value := condition()):
            assert time.monotonic() < deadline, self.messages['driver_state'][-1:]
            self.executor.spin_once(timeout_sec=0.05)
        return value

    def call(self, kind: Any, name: str, request: Any) -> Any:
        client = self.node.create_client(kind, f'driver/{name}')
        self.until(client.service_is_ready)
        future = client.call_async(request)
        self.until(future.done)
        return future.result()

    def trigger(self, name: str) -> Any:
        return self.call(Trigger, name, Trigger.Request())

    def change(self, transition: int) -> bool:
        request = ChangeState.Request()
        request.transition.id = transition
        return bool(self.call(ChangeState, 'change_state', request).success)

    def last(self, topic: str) -> Any:
        return self.until(lambda: self.messages[topic])[-1]

    def stamp(self) -> float:
        return seconds(self.last('joint_states').header.stamp)

    def command(self, target: np.ndarray, *, stamp: Any = None, names=JOINTS) -> None:
        msg = JointCommand(names=list(names), values=floats64(target))
        msg.header.stamp = stamp or self.last('joint_states').header.stamp
        self.publisher.publish(msg)

    def moves(self, target: np.ndarray) -> bool:
        """Send a command; say whether one has been applied since the last question."""
        self.messages['applied_command'].clear()
        self.new('joint_states')
        self.command(target)
        self.new('joint_states')
        return bool(self.messages['applied_command'])

    def state(self) -> str:
        return str(self.last('driver_state').data)

    def diagnosed(self, key: str) -> str:
        values = self.last('/diagnostics').status[0].values
        return next((str(pair.value) for pair in values if pair.key == key), '')

    def new(self, topic: str) -> Any:
        """Return the next message."""
        count = len(self.messages[topic])
        return self.until(lambda: self.messages[topic][count:])[0]

    def close(self) -> None:
        if not self.context.ok():
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=20)
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)
