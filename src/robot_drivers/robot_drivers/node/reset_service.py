"""The service ``~/reset``: the robot's scripted reset in small steps, so that nothing waits."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.lifecycle import LifecycleNode
from rclpy.task import Future
from sac_msgs.srv import ResetRobot

from robot_drivers.driver import Driver, ResetResult
from robot_drivers.errors import RobotError
from robot_drivers.node.state_topics import StateTopics
from robot_drivers.node.steady_timer import create_steady_timer

FAST = 0.0002  # [s] lockstep without a set speed: between two steps, for the executor


class ResetService:
    """Steps a reset by a timer and answers at its end; states go on being published."""

    def __init__(
        self,
        node: LifecycleNode,
        driver: Driver,
        topics: StateTopics,
        *,
        speed: Callable[[], float],
        on_end: Callable[[], None],
    ) -> None:
        """Open the service.

        Args:
            node: Owner of service and timer.
            driver: Who resets.
            topics: Where states and the outcome are told.
            speed: Simulated seconds per second in lockstep; 0: as fast as possible.
            on_end: Called when a reset has ended, in whatever way.
        """
        self._node = node
        self._driver = driver
        self._topics = topics
        self._speed = speed
        self._on_end = on_end
        self._pending: Future[ResetResult] | None = None  # reset that somebody waits for
        self._service = node.create_service(ResetRobot, '~/reset', self._on_reset)
        self._timer = create_steady_timer(node, driver.robot.spec.control_period, self._step)
        self._timer.cancel()

    def finish(self, result: ResetResult) -> None:
        """Answer who waits, if anybody does."""
        self._timer.cancel()
        self._on_end()
        future, self._pending = self._pending, None
        if future is not None:
            future.set_result(result)

    def destroy(self) -> None:
        """Close the service."""
        self._node.destroy_timer(self._timer)
        self._node.destroy_service(self._service)

    async def _on_reset(
        self, request: ResetRobot.Request, response: ResetRobot.Response
    ) -> ResetRobot.Response:
        try:
            self._begin(request)
            future = self._pending = Future()
            result = await future
        except (RobotError, ValueError) as error:
            result = ResetResult(False, str(error))
        response.success = result.success
        response.message = result.message
        response.needs_help = result.needs_help
        return response

    def _begin(self, request: ResetRobot.Request) -> None:
        if not self._driver.activated:
            raise RobotError('the driver is not active; activate it first')
        names, positions = request.names, request.positions
        if len(names) != len(positions):
            raise ValueError(f'{len(positions)} positions for {len(names)} names')
        goal = dict(zip(names, positions, strict=True))
        self._driver.start_reset(goal, request.timeout)
        self._topics.tell()
        self._timer.timer_period_ns = int(self._period() * 1e9)
        self._timer.reset()

    def _period(self) -> float:
        """Return the time between two steps [s]."""
        period = self._driver.robot.spec.control_period
        if self._driver.clock == 'wall':
            return period
        speed = self._speed()
        return period / speed if speed else FAST

    def _step(self) -> None:
        state, result = self._driver.step_reset()
        self._topics.show(state)
        if result is not None:
            self.finish(result)
        self._topics.tell()
