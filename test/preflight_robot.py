"""A robot with two joints, and how it may differ from a healthy one."""

from collections.abc import Callable
from dataclasses import dataclass, field
import threading
import time
from typing import Any

import numpy as np
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64, Float64MultiArray
from std_srvs.srv import SetBool


@dataclass
class Fault:
    """How the robot differs from a healthy one."""

    rate: float = 50.0
    publish: bool = True
    type_name: str = 'JointState'
    names: tuple[str, ...] = ('a', 'b')
    stamp: Callable[[int], int] = lambda now: now
    values: Callable[[np.ndarray], np.ndarray] = lambda position: position
    best_effort: bool = False
    subscribe: bool = True
    command_type: Any = Float64MultiArray
    second_commander: bool = False
    start: tuple[float, float] = (0.1, 0.2)
    move: Callable[[np.ndarray], np.ndarray] = lambda change: change
    speak: bool = True
    delay: float = 0.0
    mode: str = 'position'
    second: Any = None  # a further sensor: its messages, by the time of the first
    extra: dict[str, Any] = field(default_factory=dict)


class FakeRobot:
    """Two joints that follow their targets."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault
        self._context = Context()
        rclpy.init(context=self._context)
        self._node = Node('fake_robot', context=self._context)
        self._position = np.array(fault.start)
        self._home = np.array(fault.start)
        self._target = np.array(fault.start)
        self._velocity, self._command = np.zeros(2), np.zeros(2)
        self._pending: list[tuple[float, np.ndarray]] = []
        reliability = (
            ReliabilityPolicy.BEST_EFFORT if fault.best_effort else ReliabilityPolicy.RELIABLE
        )
        kind = JointState if fault.type_name == 'JointState' else Float64
        if fault.publish:
            self._publisher = self._node.create_publisher(
                kind, 'joint_states', QoSProfile(depth=5, reliability=reliability)
            )
            if fault.speak:
                self._node.create_timer(1.0 / fault.rate, self._tell)
        if fault.subscribe:
            self._node.create_subscription(fault.command_type, 'command', self._take, 1)
        if fault.second is not None:
            self._second = self._node.create_publisher(type(fault.second(0)), 'camera', 5)
        self._node.create_service(SetBool, 'wrong', lambda request, response: response)
        if fault.second_commander:
            self._node.create_publisher(Float64MultiArray, 'command', 1)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._context.try_shutdown()
        self._thread.join(5.0)

    def _spin(self) -> None:
        while self._context.ok():
            try:
                self._executor.spin_once(timeout_sec=0.1)
            except Exception:  # the context ends under it
                return

    def _take(self, message: Any) -> None:
        self._pending.append((time.monotonic() + self._fault.delay, np.array(message.data)))

    def _tell(self) -> None:
        while self._pending and self._pending[0][0] <= time.monotonic():
            self._command = self._pending.pop(0)[1]
        self._move(1.0 / self._fault.rate)
        if self._fault.type_name != 'JointState':
            self._publisher.publish(Float64())
            return
        if self._fault.second is not None:
            self._second.publish(self._fault.second(time.time_ns()))
        message = JointState(name=list(self._fault.names))
        message.position = self._fault.values(self._position.copy()).tolist()
        message.velocity = [0.0] * len(self._fault.names)
        stamp = self._fault.stamp(time.time_ns())
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp, 10**9)
        self._publisher.publish(message)

    def _move(self, period: float) -> None:
        command, move = self._command, self._fault.move
        if self._fault.mode == 'position':
            if command.any():
                self._target = self._home + move(command - self._home)
            self._position += 0.5 * (self._target - self._position)
        elif self._fault.mode == 'velocity':
            self._position += move(command) * period
        else:
            self._velocity += move(command) * period - 2.0 * self._velocity * period
            self._position += self._velocity * period
