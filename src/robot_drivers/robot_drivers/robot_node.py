"""The driver node: one lifecycle node for every robot, simulated or real. Wiring only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
import signal
import sys
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future
from rosgraph_msgs.msg import Clock as ClockMsg
from sac_msgs.msg import JointCommand
from sac_msgs.srv import ResetRobot
from std_msgs.msg import String
from std_srvs.srv import Trigger

from robot_drivers.diagnostics import Load, status
from robot_drivers.driver import Driver, REFUSED_IN_RESET, ResetResult, RESETTING
from robot_drivers.errors import OccupiedError, RobotError
from robot_drivers.messages import MODES, stamp_msg, StatePublishers
from robot_drivers.node_config import NodeConfig
from robot_drivers.pacing import Pacer
from robot_drivers.realtime import prefer
from robot_drivers.registry import find_robot
from robot_drivers.robot import Connection, RobotState
from robot_drivers.safety import Level, SafetyConfig
from sac_core import qos
from sac_core.convert import floats64, seconds
from sac_core.parameters import declare_config, on_change

IDLE_PERIOD = 0.1  # [s] lockstep: how often a waiting robot shows its state again
RECOVERY_PERIOD = 1.0  # [s] simulation: between two attempts to enable a robot after a fault
CONNECT_PERIOD = 0.1  # [s] between two attempts to find an emulated robot


class RobotNode(LifecycleNode):
    """Owns the robot: publishes its state, carries out commands that are safe."""

    def __init__(self, cancelled: Callable[[], bool] = lambda: False) -> None:
        """Declare the parameters; the robot waits for configuration.

        Args:
            cancelled: Whether somebody wants to end while a robot is waited for.
        """
        super().__init__('driver')
        self.settings = declare_config(self, NodeConfig)
        robot = find_robot(self.settings.robot)
        self._robot_config = declare_config(self, robot.config, prefix=f'{self.settings.robot}.')
        self._safety_config = declare_config(self, SafetyConfig, prefix='safety.')
        on_change(self, SafetyConfig, self._on_safety, prefix='safety.')
        self.autostart = bool(
            self.declare_parameter('autostart', self.settings.backend == 'sim').value
        )
        self._robot_type = robot
        self._cancelled = cancelled
        self._lockstep = self.settings.clock == 'lockstep'
        self.driver: Driver | None = None
        self._enabled_once = False
        self._pending: Future | None = None  # reset that somebody waits for
        self._waiting: JointCommand | None = None  # lockstep: command that came before its time
        self._pacer = Pacer(1.0)
        self._told = ''  # last published driver_state
        self._load = Load(time.monotonic())
        self.failure = ''  # why configuration failed

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
            self.driver = Driver(robot, self._safety_config, connection.clock)
            self._connect()
        except (RobotError, ValueError) as error:
            self.failure = str(error)
            self.driver = None
            return TransitionCallbackReturn.FAILURE
        self._open_topics()
        self._tell()
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
        self._enabled_once = True
        if not self._lockstep and not prefer(self.settings.realtime_priority):
            self.get_logger().info('no real-time priority: not permitted, see realtime_priority')
        self._pacer.rest(time.monotonic())
        self._show(self.driver.state)
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let the motors go limp; the state stays visible."""
        if self.driver is not None:
            self.driver.disable('deactivated')
        self._enabled_once = False
        self._finish_reset(ResetResult(False, 'the driver was deactivated'))
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close everything."""
        del state
        self._close()
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

    def _connect(self) -> None:
        assert self.driver is not None
        patience = self.settings.connect_timeout if self.settings.backend == 'sim' else 0.0
        deadline = time.monotonic() + patience
        while True:
            try:
                self.driver.connect()
                return
            except OccupiedError:
                raise
            except RobotError:
                if time.monotonic() > deadline or self._cancelled():
                    raise
                time.sleep(CONNECT_PERIOD)  # start-up only: no callback waits for us yet

    def _open_topics(self) -> None:
        assert self.driver is not None
        spec = self.driver.robot.spec
        self._pacer = Pacer(spec.control_period)
        self._states = StatePublishers(self, spec)
        self._clock_topic = (
            self.create_publisher(ClockMsg, '/clock', 10) if self._lockstep else None
        )
        self._applied = self.create_publisher(JointCommand, 'applied_command', qos.STATE_PUBLISHER)
        self._activity = self.create_publisher(String, 'driver_state', qos.LATCHED)
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self.create_subscription(JointCommand, 'joint_command', self._on_command, qos.COMMAND)
        self.create_service(ResetRobot, '~/reset', self._on_reset)
        self.create_service(Trigger, '~/estop', self._on_estop)
        self.create_service(Trigger, '~/clear_estop', self._on_clear_estop)
        self.create_service(Trigger, '~/enable', self._on_enable)
        period = IDLE_PERIOD if self._lockstep else 1.0 / spec.update_rate
        self._cycle_timer = self.create_timer(period, self._on_cycle)
        self._reset_timer = self.create_timer(self._reset_period(), self._on_reset_step)
        self._reset_timer.cancel()
        self._pace_timer = self.create_timer(1.0, self._on_due)
        self._pace_timer.cancel()
        self._report_timer = self.create_timer(1.0, self._on_report)
        self._recovery_timer = self.create_timer(RECOVERY_PERIOD, self._on_recovery)

    def _close(self) -> None:
        self.close()
        self.driver = None
        for timer in list(self.timers):
            self.destroy_timer(timer)
        for subscription in list(self.subscriptions):
            self.destroy_subscription(subscription)
        for name in ('estop', 'clear_estop', 'enable', 'reset'):
            for service in list(self.services):
                if service.srv_name.endswith(f'/{name}'):
                    self.destroy_service(service)
        self._states.destroy()
        for publisher in (self._clock_topic, self._applied, self._activity, self._diagnostics):
            if publisher is not None:
                self.destroy_publisher(publisher)

    # Commands

    def _on_command(self, msg: JointCommand) -> None:
        wait = self._pacer.wait(time.monotonic(), self._speed())
        if not wait:
            self._carry_out(msg)
            return
        self._waiting = msg
        self._pace_timer.timer_period_ns = max(1, int(wait * 1e9))
        self._pace_timer.reset()

    def _speed(self) -> float:
        return float(self.get_parameter('speed').value) if self._lockstep else 0.0

    def _on_due(self) -> None:
        self._pace_timer.cancel()
        msg, self._waiting = self._waiting, None
        if msg is not None:
            self._carry_out(msg)

    def _carry_out(self, msg: JointCommand) -> None:
        driver = self.driver
        if driver is None or not self._enabled_once:
            return
        begin = time.monotonic()
        if self._lockstep:
            self._pacer.begin(begin, self._speed())
            now = driver.now()
        else:
            now = self.get_clock().now().nanoseconds * 1e-9
        age = now - seconds(msg.header.stamp)
        mode = MODES.get(msg.mode, str(msg.mode))
        applied = driver.command(msg.names, msg.values, mode, age)
        if applied.sent is not None:
            self._publish_applied(msg, applied.sent)
        if applied.state is not None:
            self._show(applied.state)
            self._cycle_timer.reset()
        for reason in applied.verdict.reasons:
            if reason != REFUSED_IN_RESET:
                self.get_logger().warning(f'command: {reason}', throttle_duration_sec=5.0)
        self._load.busy += time.monotonic() - begin
        self._tell()

    def _publish_applied(self, msg: JointCommand, sent: Any) -> None:
        assert self.driver is not None
        spec = self.driver.robot.spec
        self._applied.publish(
            JointCommand(
                header=msg.header,
                observation_stamp=msg.observation_stamp,
                sequence=msg.sequence,
                mode=msg.mode,
                names=list(spec.joints),
                values=floats64(sent),
            )
        )

    # State

    def _on_cycle(self) -> None:
        if self.driver is None or (self._lockstep and self.driver.resetting):
            return
        begin = time.monotonic()
        self._show(self.driver.cycle())
        self._load.busy += time.monotonic() - begin
        self._tell()

    def _show(self, state: RobotState | None) -> None:
        if state is None:
            return
        self._load.states += 1
        if self._clock_topic is not None:
            self._clock_topic.publish(ClockMsg(clock=stamp_msg(state.stamp)))
        self._states.publish(state)

    def _tell(self) -> None:
        """Publish the level when it changed, and log what a person must know."""
        assert self.driver is not None
        text = self.driver.activity
        before, self._told = self._told, text
        if text == before:
            return
        self._activity.publish(String(data=text))
        if self.driver.safety.level in (Level.LIMP, Level.ESTOP) and self._enabled_once:
            self.get_logger().error(text)
        elif RESETTING not in (text, before):  # every episode has a reset
            self.get_logger().info(text)

    # Reset

    def _reset_period(self) -> float:
        assert self.driver is not None
        period = self.driver.robot.spec.control_period
        if not self._lockstep:
            return period
        speed = self._speed()
        return period / speed if speed else 0.0002

    async def _on_reset(
        self, request: ResetRobot.Request, response: ResetRobot.Response
    ) -> ResetRobot.Response:
        result = ResetResult(False, 'the driver is not active; activate it first')
        if self.driver is not None and self._enabled_once:
            try:
                if len(request.names) != len(request.positions):
                    raise ValueError(
                        f'{len(request.positions)} positions for {len(request.names)} names'
                    )
                goal = dict(zip(request.names, request.positions, strict=True))
                self.driver.start_reset(goal, request.timeout)
                self._tell()
                future = self._pending = Future()
                self._reset_timer.timer_period_ns = int(self._reset_period() * 1e9)
                self._reset_timer.reset()
                result = await future
            except (RobotError, ValueError) as error:
                result = ResetResult(False, str(error))
        response.success = result.success
        response.message = result.message
        response.needs_help = result.needs_help
        return response

    def _on_reset_step(self) -> None:
        if self.driver is None:
            return
        state, result = self.driver.step_reset()
        self._show(state)
        if result is not None:
            self._finish_reset(result)
        self._tell()

    def _finish_reset(self, result: ResetResult) -> None:
        self._reset_timer.cancel()
        self._pacer.rest(time.monotonic())
        future, self._pending = self._pending, None
        if future is not None:
            future.set_result(result)

    # Services

    def _on_estop(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        del request
        if self.driver is not None:
            self.driver.estop('~/estop was called')
            self._tell()
        response.success, response.message = True, 'limp and latched'
        return response

    def _on_clear_estop(
        self, request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        del request
        if self.driver is not None:
            self.driver.safety.clear_estop()
            self._tell()
        response.success, response.message = True, 'cleared; call ~/enable to go on'
        return response

    def _on_enable(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        del request
        try:
            if self.driver is None or not self._enabled_once:
                raise RobotError('the driver is not active; activate it first')
            self.driver.enable()
            response.success, response.message = True, 'enabled, holding still'
        except RobotError as error:
            response.success, response.message = False, str(error)
        if self.driver is not None:
            self._tell()
        return response

    # Diagnostics

    def _on_recovery(self) -> None:
        """Enable a simulated robot after a fault, as a person would."""
        driver = self.driver
        if driver is None or not (self.settings.recover and self._enabled_once and driver.fault):
            return
        if driver.safety.level is not Level.LIMP:
            return
        try:
            driver.enable()
        except RobotError as error:
            self.get_logger().warning(f'not enabled yet: {error}', throttle_duration_sec=5.0)
            return
        self._pacer.rest(time.monotonic())
        self._show(driver.state)
        self._tell()

    def _on_report(self) -> None:
        if self.driver is None:
            return
        load = self._load.report(time.monotonic())
        message = DiagnosticArray(
            status=[status(self.get_fully_qualified_name(), self.driver, load)]
        )
        message.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(message)


def main() -> int:
    """Run until SIGINT or SIGTERM; 2: the robot could not be opened or activated."""
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
    from rclpy.experimental import EventsExecutor

    executor = EventsExecutor()
    executor.add_node(node)
    while rclpy.ok() and not interrupted:
        executor.spin_once(timeout_sec=0.2)


def _complain(reason: str) -> int:
    sys.stderr.write(f'robot_node: {reason}\n')
    return 2


if __name__ == '__main__':
    sys.exit(main())
