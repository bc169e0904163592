"""What the driver node tells: states, its level, diagnostics, and the clock of a simulation."""

from __future__ import annotations

import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.lifecycle import LifecycleNode
from rosgraph_msgs.msg import Clock as ClockMsg
from std_msgs.msg import String

from robot_drivers.driver import Driver, RESETTING
from robot_drivers.node.diagnostics import Load, status
from robot_drivers.node.messages import stamp_msg, StatePublishers
from robot_drivers.node.steady_timer import create_steady_timer
from robot_drivers.robot import RobotState
from robot_drivers.safety import Level
from sac_core import qos

REPORT_PERIOD = 1.0  # [s]


class StateTopics:
    """Publishers of one driver; `show` and `tell` are called after everything that happens."""

    def __init__(self, node: LifecycleNode, driver: Driver) -> None:
        """Open the topics; /clock in lockstep only, where the driver makes the time."""
        self.load = Load(time.monotonic())
        self._node = node
        self._driver = driver
        self._told = ''  # last published driver_state
        self._states = StatePublishers(node, driver.robot.spec)
        self._clock: Any = (
            node.create_publisher(ClockMsg, '/clock', 10) if driver.clock == 'lockstep' else None
        )
        self._activity = node.create_publisher(String, 'driver_state', qos.LATCHED)
        self._diagnostics = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self._timer = create_steady_timer(node, REPORT_PERIOD, self._report)

    def show(self, state: RobotState | None) -> None:
        """Publish a measurement, if there is one."""
        if state is None:
            return
        self.load.states += 1
        if self._clock is not None:
            self._clock.publish(ClockMsg(clock=stamp_msg(state.stamp)))
        self._states.publish(state)

    def tell(self) -> None:
        """Publish the level when it changed, and log what a person must know."""
        driver = self._driver
        text = driver.activity
        before, self._told = self._told, text
        if text == before:
            return
        self._activity.publish(String(data=text))
        if driver.safety.level in (Level.LIMP, Level.ESTOP) and driver.activated:
            self._node.get_logger().error(text)
        elif RESETTING not in (text, before):  # every episode has a reset
            self._node.get_logger().info(text)

    def destroy(self) -> None:
        """Close the topics."""
        self._node.destroy_timer(self._timer)
        self._states.destroy()
        for publisher in (self._clock, self._activity, self._diagnostics):
            if publisher is not None:
                self._node.destroy_publisher(publisher)

    def _report(self) -> None:
        name = self._node.get_fully_qualified_name()
        message = DiagnosticArray(
            status=[status(name, self._driver, self.load.report(time.monotonic()))]
        )
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._diagnostics.publish(message)
