"""The driver node: one lifecycle node for every robot, simulated or real. Wiring only.

Executor: single-threaded. The topics and services are in `state_topics`, `command_topic`,
`reset_service` and `operator_services`; what they decide is in `driver` and `safety`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
import signal
import sys
import time
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.signals import SignalHandlerOptions

from robot_drivers.driver import Driver, ResetResult
from robot_drivers.errors import OccupiedError, RobotError
from robot_drivers.node.command_topic import CommandTopic
from robot_drivers.node.config import NodeConfig
from robot_drivers.node.operator_services import OperatorServices
from robot_drivers.node.reset_service import ResetService
from robot_drivers.node.state_topics import StateTopics
from robot_drivers.node.steady_timer import create_steady_timer
from robot_drivers.registry import find_robot
from robot_drivers.robot import Connection
from robot_drivers.safety import Level, SafetyConfig
from sac_core.executor import one_thread
from sac_core.parameters import declare_config, on_change, refuse_unknown
from sac_core.realtime import prefer
from sac_core.startup import CONFIGURATION_ERROR

IDLE_PERIOD = 0.1  # [s] lockstep: how often a waiting robot shows its state again
RECOVERY_PERIOD = 1.0  # [s] simulation: between two attempts to enable a robot after a fault
CONNECT_PERIOD = 0.1  # [s] between two attempts to find an emulated robot


class RobotNode(LifecycleNode):
    """Owns the robot: publishes its state, carries out commands that are safe."""

    def __init__(
        self, cancelled: Callable[[], bool] = lambda: False, context: Context | None = None
    ) -> None:
        """Declare the parameters; the robot waits for configuration.

        Args:
            cancelled: Whether somebody wants to end while a robot is waited for.
            context: Of ROS; None: the process's own.

        Raises:
            ValueError: A parameter is unknown or not admissible.
        """
        super().__init__('driver', context=context)
        self.settings = declare_config(self, NodeConfig)
        self._robot_type = find_robot(self.settings.robot)
        self._robot_config = declare_config(
            self, self._robot_type.config, prefix=f'{self.settings.robot}.'
        )
        self._safety_config = declare_config(self, SafetyConfig, prefix='safety.')
        on_change(self, SafetyConfig, self._on_safety, prefix='safety.')
        self.autostart = bool(
            self.declare_parameter('autostart', self.settings.backend == 'sim').value
        )
        refuse_unknown(self)
        self._cancelled = cancelled
        self._lockstep = self.settings.clock == 'lockstep'
        self.driver: Driver | None = None
        self.failure = ''  # why configuration or activation failed

    def _on_safety(self, name: str, value: Any) -> None:
        """Take over a changed safety parameter, from the next command on."""
        self._safety_config = replace(self._safety_config, **{name: value})
        if self.driver is not None:
            self.driver.safety.configure(self._safety_config)

    # Lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Open the robot and the topics; nothing moves."""
        del state
        settings = self.settings
        try:
            connection = Connection(
                port=settings.port or self._robot_type.default_port[settings.backend],
                backend=settings.backend,  # type: ignore[arg-type]
                clock=settings.clock,  # type: ignore[arg-type]
                camera=settings.camera,
                camera_device=settings.camera_device,
            )
            robot = self._robot_type.create(self._robot_config, connection)
            driver = Driver(robot, self._safety_config, connection.clock)
            self._connect(driver)
        except (RobotError, ValueError) as error:
            self.failure = str(error)
            return TransitionCallbackReturn.FAILURE
        self.driver = driver
        self._open_topics(driver)
        self._topics.tell()
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Switch the motors on, holding still; from here on commands count."""
        assert self.driver is not None
        try:
            self.driver.enable()
        except RobotError as error:
            self.failure = str(error)
            self.get_logger().error(self.failure)
            return TransitionCallbackReturn.FAILURE
        self.driver.activated = True
        if not self._lockstep and not prefer(self.settings.realtime_priority):
            self.get_logger().info('no real-time priority: not permitted, see realtime_priority')
        self._commands.rest()
        self._topics.show(self.driver.state)
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let the motors go limp; the state stays visible."""
        assert self.driver is not None
        self.driver.disable('deactivated')
        self.driver.activated = False
        self._resets.finish(ResetResult(False, 'the driver was deactivated'))
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close everything."""
        del state
        self.close()
        if self.driver is not None:
            self.driver = None
            for timer in (self._cycle_timer, self._recovery_timer):
                self.destroy_timer(timer)
            for part in (self._operators, self._resets, self._commands, self._topics):
                part.destroy()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close everything."""
        return self.on_cleanup(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close everything; the node can be configured again."""
        return self.on_cleanup(state)

    def close(self) -> None:
        """Let the motors go limp, whatever happened."""
        if self.driver is not None:
            self.driver.close()

    def _connect(self, driver: Driver) -> None:
        patience = self.settings.connect_timeout if self.settings.backend == 'sim' else 0.0
        deadline = time.monotonic() + patience
        while True:
            try:
                driver.connect()
                return
            except OccupiedError:
                raise
            except RobotError:
                if time.monotonic() > deadline or self._cancelled():
                    raise
                time.sleep(CONNECT_PERIOD)  # start-up only: no callback waits for us yet

    def _open_topics(self, driver: Driver) -> None:
        self._topics = StateTopics(self, driver)
        self._commands = CommandTopic(self, driver, self._topics, on_answer=self._on_answer)
        self._resets = ResetService(
            self,
            driver,
            self._topics,
            speed=lambda: self._commands.speed,
            on_end=self._commands.rest,
        )
        self._operators = OperatorServices(self, driver, self._topics)
        period = IDLE_PERIOD if self._lockstep else 1.0 / driver.robot.spec.update_rate
        self._cycle_timer = create_steady_timer(self, period, self._on_cycle)
        self._recovery_timer = create_steady_timer(self, RECOVERY_PERIOD, self._on_recovery)

    # Periodic work

    def _on_answer(self) -> None:
        """Show the state of a waiting robot again only after a while."""
        self._cycle_timer.reset()

    def _on_cycle(self) -> None:
        driver = self.driver
        if driver is None or (self._lockstep and driver.resetting):
            return
        begin = time.monotonic()
        self._topics.show(driver.cycle())
        self._topics.load.busy += time.monotonic() - begin
        self._topics.tell()

    def _on_recovery(self) -> None:
        """Enable a simulated robot after a fault, as a person would."""
        driver = self.driver
        if driver is None or not (self.settings.recover and driver.activated and driver.fault):
            return
        if driver.safety.level is not Level.LIMP:
            return
        try:
            driver.enable()
        except RobotError as error:
            self.get_logger().warning(f'not enabled yet: {error}', throttle_duration_sec=5.0)
            return
        self._commands.rest()
        self._topics.show(driver.state)
        self._topics.tell()


def main() -> int:
    """Run until SIGINT or SIGTERM; 2: a wrong parameter, or the robot could not be opened."""
    # A KeyboardInterrupt inside a C++ callback would abort the process before it goes limp.
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    interrupted: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: interrupted.append(received))
    node = None
    try:
        try:
            node = RobotNode(lambda: bool(interrupted))
        except ValueError as error:
            return _complain(str(error))
        if node.trigger_configure() is not TransitionCallbackReturn.SUCCESS:
            if interrupted:
                return 0
            return _complain(node.failure or 'configuration failed, see the log')
        if node.autostart and node.trigger_activate() is not TransitionCallbackReturn.SUCCESS:
            return _complain(node.failure)
        spin(node, interrupted)
    except ExternalShutdownException:
        pass
    finally:
        if node is not None:
            node.close()
        rclpy.try_shutdown()
    return 0


def spin(node: RobotNode, interrupted: Sequence[int]) -> None:
    """Serve until a signal has arrived, in one thread."""
    executor = one_thread()
    executor.add_node(node)
    while rclpy.ok() and not interrupted:
        executor.spin_once(timeout_sec=0.2)


def _complain(reason: str) -> int:
    sys.stderr.write(f'robot_node: {reason}\n')
    return CONFIGURATION_ERROR


if __name__ == '__main__':
    sys.exit(main())
