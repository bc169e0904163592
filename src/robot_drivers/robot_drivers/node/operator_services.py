"""What a person may ask of a driver: e-stop, its release, and enabling."""

from __future__ import annotations

from rclpy.lifecycle import LifecycleNode
from std_srvs.srv import Trigger

from robot_drivers.driver import Driver
from robot_drivers.errors import RobotError
from robot_drivers.node.state_topics import StateTopics


class OperatorServices:
    """The services ``~/estop``, ``~/clear_estop`` and ``~/enable``."""

    def __init__(self, node: LifecycleNode, driver: Driver, topics: StateTopics) -> None:
        """Open the services."""
        self._node = node
        self._driver = driver
        self._topics = topics
        self._services = [
            node.create_service(Trigger, '~/estop', self._on_estop),
            node.create_service(Trigger, '~/clear_estop', self._on_clear_estop),
            node.create_service(Trigger, '~/enable', self._on_enable),
        ]

    def destroy(self) -> None:
        """Close the services."""
        for service in self._services:
            self._node.destroy_service(service)

    def _on_estop(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        del request
        self._driver.estop('~/estop was called')
        self._topics.tell()
        response.success, response.message = True, 'limp and latched'
        return response

    def _on_clear_estop(
        self, request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        del request
        self._driver.safety.clear_estop()
        self._topics.tell()
        response.success, response.message = True, 'cleared; call ~/enable to go on'
        return response

    def _on_enable(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        del request
        try:
            if not self._driver.activated:
                raise RobotError('the driver is not active; activate it first')
            self._driver.enable()
            response.success, response.message = True, 'enabled, holding still'
        except RobotError as error:
            response.success, response.message = False, str(error)
        self._topics.tell()
        return response
