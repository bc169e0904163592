"""Joint controller of Minitaur as a node, for robots that take torques (Gazebo, ros2_control).

Subscribes joint_states and joint_command, publishes std_msgs/Float64MultiArray on
effort_controller/commands, the topic of ros2_control's forward_command_controller, motors in the
order of `leg.MOTOR_JOINTS`. Single-threaded; one effort per joint state, at most ``rate`` per
second.
"""

from __future__ import annotations

import sys

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from sac_msgs.msg import JointCommand
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray

from robot_drivers.minitaur.torque_loop import TorqueLoop, TorqueLoopConfig
from robot_drivers.node.steady_timer import create_steady_timer
from sac_core import qos
from sac_core.parameters import declare_config, refuse_unknown
from sac_core.startup import CONFIGURATION_ERROR


class PdNode(LifecycleNode):
    """Turns leg commands into torques while active."""

    def __init__(self) -> None:
        """Declare the parameters; everything else waits for configuration."""
        super().__init__('minitaur_pd')
        self._config = declare_config(self, TorqueLoopConfig)
        self.declare_parameter('autostart', False)
        refuse_unknown(self)
        self._loop = TorqueLoop(self._config)
        self._next = 0.0
        self._refused = self._sent = 0

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Open the topics; no torque yet."""
        del state
        self._loop = TorqueLoop(self._config)
        self._efforts = self.create_lifecycle_publisher(
            Float64MultiArray, 'effort_controller/commands', qos.COMMAND
        )
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', qos.STATUS)
        self._inputs = [
            self.create_subscription(JointState, 'joint_states', self._on_state, qos.STATE),
            self.create_subscription(JointCommand, 'joint_command', self._on_command, qos.COMMAND),
        ]
        self._timers = [
            create_steady_timer(self, self._config.state_timeout, self._watch),
            create_steady_timer(self, 1.0, self._report),
        ]
        return TransitionCallbackReturn.SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Leave the motors without torque."""
        self._limp()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close the topics."""
        del state
        for timer in self._timers:
            self.destroy_timer(timer)
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        self.destroy_publisher(self._efforts)
        self.destroy_publisher(self._diagnostics)
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Leave the motors without torque."""
        del state
        self._limp()
        return TransitionCallbackReturn.SUCCESS

    def _on_state(self, msg: JointState) -> None:
        now = self._now()
        try:
            self._loop.measure(msg.name, msg.position, msg.velocity, now)
        except ValueError as error:
            self._refuse(error)
            return
        if now >= self._next:
            self._next = max(self._next + 1.0 / self._config.rate, now)
            self._publish(now)

    def _on_command(self, msg: JointCommand) -> None:
        try:
            if msg.mode != JointCommand.MODE_POSITION:
                raise ValueError(f'command has mode {msg.mode}, this node takes positions')
            self._loop.command(msg.names, msg.values, self._now())
        except ValueError as error:
            self._refuse(error)

    def _watch(self) -> None:
        """Send zeros when joint states stopped; a torque once sent would stay for ever."""
        self._publish(self._now())

    def _publish(self, now: float) -> None:
        if self._efforts.is_activated:
            self._efforts.publish(Float64MultiArray(data=self._loop.torque(now).tolist()))
            self._sent += 1

    def _limp(self) -> None:
        efforts = getattr(self, '_efforts', None)
        if efforts is not None and efforts.is_activated:
            efforts.publish(Float64MultiArray(data=[0.0] * 8))

    def _refuse(self, error: ValueError) -> None:
        self._refused += 1
        self.get_logger().warning(str(error), throttle_duration_sec=2.0)

    def _report(self) -> None:
        holds = self._loop.holds(self._now())
        status = DiagnosticStatus(
            level=DiagnosticStatus.OK if holds else DiagnosticStatus.WARN,
            name=f'{self.get_name()}: joint controller',
            message='following' if holds else 'no command: legs are damped',
            hardware_id='minitaur',
            values=[
                KeyValue(key='efforts sent', value=str(self._sent)),
                KeyValue(key='messages refused', value=str(self._refused)),
            ],
        )
        array = DiagnosticArray(status=[status])
        array.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(array)

    def _now(self) -> float:
        return float(self.get_clock().now().nanoseconds) * 1e-9


def main(args: list[str] | None = None) -> int:
    """Run the node until it is interrupted; 2: a parameter is wrong."""
    rclpy.init(args=args)
    try:
        node = PdNode()
    except ValueError as error:
        sys.stderr.write(f'minitaur_pd_node: {error}\n')
        rclpy.try_shutdown()
        return CONFIGURATION_ERROR
    if node.get_parameter('autostart').value:
        node.trigger_configure()
        node.trigger_activate()
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown()
    return 0
