"""What people may do to a running agent: services, and a topic to take over."""

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from sac_msgs.msg import JointCommand
from sac_msgs.srv import Evaluate, RollbackPolicy
from std_srvs.srv import Trigger

from sac_agent.config import RobotConfig
from sac_agent.episode.machine import Event, State
from sac_agent.errors import ConfigError
from sac_agent.pilot import Pilot
from sac_agent.records import Truncation
from sac_core import qos


class Operators:
    """Serves pause, resume, estop, continue_after_help, evaluate, rollback and human_command."""

    def __init__(
        self,
        node: Node,
        pilot: Pilot,
        config: RobotConfig,
        *,
        now: Callable[[], float],
        end_episode: Callable[[Truncation], None],
        pass_on: Callable[[dict[str, Any]], None],
    ) -> None:
        """Open services and topic.

        Args:
            node: Owner.
            pilot: What is operated.
            config: Of the robot.
            now: Monotonic time [s].
            end_episode: Truncates the episode under way.
            pass_on: Sends a person's commands while no episode is under way.
        """
        self._node, self._pilot, self._config, self._now = node, pilot, config, now
        self._end_episode, self._pass_on = end_episode, pass_on
        self._heard = 0.0
        estop = config.episode.estop_service
        self._estop = node.create_client(Trigger, estop) if estop else None
        for name, event, truncation in (
            ('pause', Event.PAUSE, Truncation.OPERATOR),
            ('resume', Event.RESUME, None),
            ('continue_after_help', Event.CONTINUE, None),
            ('estop', Event.ESTOP, Truncation.FAULT),
        ):
            node.create_service(Trigger, f'~/{name}', self._on(event, truncation))
        node.create_service(Evaluate, '~/evaluate', self._on_evaluate)
        node.create_service(RollbackPolicy, '~/rollback', self._on_rollback)
        node.create_subscription(JointCommand, 'human_command', self._on_human, qos.COMMAND)

    def watch(self) -> None:
        """Notice when a person has let go."""
        now = self._now()
        silence = now - self._heard
        human = self._pilot.machine.state is State.HUMAN
        if human and silence > self._config.timing.human_timeout:
            self._pilot.human(None)
            self._pilot.machine.on(Event.HUMAN_OFF, now)

    def _on(self, event: Event, truncation: Truncation | None) -> Callable[[Any, Any], Any]:
        def serve(request: Any, response: Any) -> Any:
            machine = self._pilot.machine
            driver = self._estop if event is Event.ESTOP else None
            if driver is not None and driver.service_is_ready():
                driver.call_async(Trigger.Request())
            response.success = machine.on(event, self._now())
            if not response.success:
                response.message = machine.refusal(event)
                return response
            if truncation is not None:
                self._end_episode(truncation)
            response.message = f'{machine.state.name.lower()}: {machine.reason}'
            self._node.get_logger().info(response.message)
            return response

        return serve

    def _on_evaluate(self, request: Any, response: Any) -> Any:
        try:
            self._pilot.evaluate(request.episodes)
            response.success = True
            response.message = f'{request.episodes} episodes from the next one on'
        except ValueError as error:
            response.success, response.message = False, str(error)
        return response

    def _on_rollback(self, request: Any, response: Any) -> Any:
        policies = self._pilot.policies
        try:
            policies.rollback(request.version)
            response.success = True
            response.message = (
                'stays until a rollback to the newest version'
                if policies.pinned
                else 'follows the learner'
            )
        except ValueError as error:
            response.success, response.message = False, str(error)
        response.version = policies.version
        self._node.get_logger().info(f'rollback: policy {response.version}, {response.message}')
        return response

    def _on_human(self, message: JointCommand) -> None:
        now = self._now()
        pilot, machine = self._pilot, self._pilot.machine
        try:
            commands = {
                name: pilot.mapper.ordered(name, message.names, message.values)
                for name in self._config.actions
            }
        except ConfigError as error:
            self._node.get_logger().warning(f'human_command: {error}', throttle_duration_sec=5.0)
            return
        if machine.state is not State.HUMAN and not machine.on(Event.HUMAN_ON, now):
            return
        self._heard = now
        pilot.human(commands)
        if not pilot.in_episode:
            self._pass_on(commands)
