"""Commands as they come in: paced in lockstep, checked and carried out by the driver.

On the wall clock the driver also notices the death of whoever commands: a commander keeps a
publisher on ``joint_command_alive``, on which nothing is ever sent. The middleware of a living
process asserts it every 20 ms; when that stops for 80 ms, as after SIGKILL, SIGSTOP or a lost
link, the robot holds, without waiting for the next command of a slow control rate.
"""

from __future__ import annotations

from collections.abc import Callable
import time
from typing import Any

from rclpy.event_handler import QoSLivelinessChangedInfo, SubscriptionEventCallbacks
from rclpy.lifecycle import LifecycleNode
from sac_msgs.msg import JointCommand
from std_msgs.msg import Empty

from robot_drivers.driver import Driver, REFUSED_IN_RESET
from robot_drivers.node.messages import MODES
from robot_drivers.node.pacing import Pacer
from robot_drivers.node.state_topics import StateTopics
from robot_drivers.node.steady_timer import create_steady_timer
from sac_core import qos
from sac_core.convert import floats64, seconds


class CommandTopic:
    """Subscribes joint_command, publishes applied_command."""

    def __init__(
        self,
        node: LifecycleNode,
        driver: Driver,
        topics: StateTopics,
        on_answer: Callable[[], None],
    ) -> None:
        """Open the topics; the live parameter ``speed`` of the node slows lockstep down.

        Args:
            node: Owner of the topics.
            driver: Who carries out.
            topics: Where the outcome is told.
            on_answer: Called in lockstep when a command has been answered with a new state.
        """
        self._node = node
        self._on_answer = on_answer
        self._driver = driver
        self._topics = topics
        self._lockstep = driver.clock == 'lockstep'
        self._pacer = Pacer(driver.robot.spec.control_period)
        self._waiting: JointCommand | None = None  # lockstep: command that came before its time
        self._applied = node.create_publisher(JointCommand, 'applied_command', qos.STATE_PUBLISHER)
        self._subscriptions = [
            node.create_subscription(JointCommand, 'joint_command', self._on_command, qos.COMMAND)
        ]
        if not self._lockstep:
            topics.load.commanders = 0
            self._subscriptions.append(
                node.create_subscription(
                    Empty,
                    f'joint_command{qos.ALIVE}',
                    lambda message: None,
                    qos.ALIVE_REQUIRED,
                    event_callbacks=SubscriptionEventCallbacks(liveliness=self._on_alive),
                )
            )
        self._timer = create_steady_timer(node, 1.0, self._on_due)
        self._timer.cancel()

    @property
    def speed(self) -> float:
        """Simulated seconds per second; 0: as fast as possible."""
        return float(self._node.get_parameter('speed').value) if self._lockstep else 0.0

    def rest(self) -> None:
        """Let the next period begin at once, e.g. after a reset."""
        self._pacer.rest(time.monotonic())

    def destroy(self) -> None:
        """Close the topics."""
        self._node.destroy_timer(self._timer)
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._node.destroy_publisher(self._applied)

    def _on_alive(self, change: QoSLivelinessChangedInfo) -> None:
        """Hold when the last one that said it was alive is gone."""
        self._topics.load.commanders = change.alive_count
        if change.alive_count == 0 and change.not_alive_count_change > 0:
            self._driver.commander_lost()
            self._topics.tell()

    def _on_command(self, msg: JointCommand) -> None:
        wait = self._pacer.wait(time.monotonic(), self.speed)
        if not wait:
            self._carry_out(msg)
            return
        self._waiting = msg
        self._timer.timer_period_ns = max(1, int(wait * 1e9))
        self._timer.reset()

    def _on_due(self) -> None:
        self._timer.cancel()
        msg, self._waiting = self._waiting, None
        if msg is not None:
            self._carry_out(msg)

    def _carry_out(self, msg: JointCommand) -> None:
        driver, begin = self._driver, time.monotonic()
        if not driver.activated:
            return
        if self._lockstep:
            self._pacer.begin(begin, self.speed)
            now = driver.now()
        else:
            now = self._node.get_clock().now().nanoseconds * 1e-9
        age = now - seconds(msg.header.stamp)
        mode = MODES.get(msg.mode, str(msg.mode))
        applied = driver.command(msg.names, msg.values, mode, age)
        if applied.sent is not None:
            self._publish(msg, applied.sent)
        if applied.state is not None:
            self._topics.show(applied.state)
            self._on_answer()
        for reason in applied.verdict.reasons:
            if reason != REFUSED_IN_RESET:
                self._node.get_logger().warning(f'command: {reason}', throttle_duration_sec=5.0)
        self._topics.load.busy += time.monotonic() - begin
        self._topics.tell()

    def _publish(self, msg: JointCommand, sent: Any) -> None:
        self._applied.publish(
            JointCommand(
                header=msg.header,
                observation_stamp=msg.observation_stamp,
                sequence=msg.sequence,
                mode=msg.mode,
                names=list(self._driver.robot.spec.joints),
                values=floats64(sent),
            )
        )
