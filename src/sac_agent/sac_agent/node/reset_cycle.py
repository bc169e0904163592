"""Resets through the driver's service, without ever waiting for it."""

from collections.abc import Callable, Mapping
from typing import Any

from rclpy.clock import Clock
from rclpy.node import Node
from rclpy.task import Future
from sac_msgs.srv import ResetRobot
from std_srvs.srv import Trigger

from sac_agent.config import EpisodeConfig
from sac_core.convert import floats64

RETRY_DELAY = 1.0  # [s]
GRACE = 5.0  # [s] beyond the time the driver has for itself
LOST = 2.0  # [s] after which a driver that was asked would say that it is resetting
_RESETTING = 'resetting'  # how the driver's state begins then
_LIMP = 'limp'  # and when it has only just started, or stopped


class ResetCycle:
    """One reset: call, answer, retries, then a short wait for sensor values from after it.

    Attributes:
        began: When the call went out [s].
        done: When the answer came [s].
        settling: A reset is done, and its episode has not begun yet.
    """

    def __init__(
        self,
        node: Node,
        config: EpisodeConfig,
        clock: Clock,
        *,
        now: Callable[[], float],
        on_done: Callable[[], None],
        on_settled: Callable[[], None],
        on_help: Callable[[str], None],
    ) -> None:
        """Open the service.

        Args:
            node: Owner of service and timer.
            config: Service, time-outs and attempts.
            clock: Steady clock of the timer.
            now: Monotonic time [s].
            on_done: Called when the scene is reset.
            on_settled: Called `config.settle` later.
            on_help: Called with the reason when only a person can go on.
        """
        self._node, self._config, self._clock, self._now = node, config, clock, now
        self._on_done, self._on_settled, self._on_help = on_done, on_settled, on_help
        self._type: Any = Trigger if config.reset_type == 'std_srvs/srv/Trigger' else ResetRobot
        self._client = (
            node.create_client(self._type, config.reset_service) if config.reset_service else None
        )
        self._future: Future[Any] | None = None
        self._abandoned: Future[Any] | None = None
        self._timer: Any = None
        self._failures = 0
        self._not_before = 0.0
        self._driver_resets_since: float | None = None
        self._driver_anew = False  # it was limp since the last answer
        self.began = self.done = 0.0
        self.settling = False

    @property
    def missing(self) -> str:
        """What is not there: the service's name, or ''."""
        if self._client is None or self._client.service_is_ready():
            return ''
        return f'service {self._client.srv_name}'

    def postpone(self, delay: float) -> None:
        """Begin no reset for `delay` [s]."""
        self._not_before = self._now() + delay

    def heard(self, driver_state: str) -> None:
        """Take the driver's state, from which a request that got lost is known."""
        self._driver_anew = self._driver_anew or driver_state.startswith(_LIMP)
        if not driver_state.startswith(_RESETTING):
            self._driver_resets_since = None
        elif self._driver_resets_since is None:
            self._driver_resets_since = self._now()

    def driver_resets_for(self) -> float:
        """Return how long the driver has said that it is resetting, 0 if it is not [s]."""
        since = self._driver_resets_since
        return 0.0 if since is None else max(1e-9, self._now() - since)

    def due(self) -> bool:
        """Return whether a reset may be begun now; give up one that got no answer.

        A request to a driver that was killed, or that has only just started, may never arrive. One
        that was limp meanwhile, and does not say that it is resetting, is asked again.
        """
        now = self._now()
        if self._driver_anew and not self.driver_resets_for() and now - self.began > LOST:
            lost = [future for future in (self._future, self._abandoned) if future is not None]
            self._future = self._abandoned = None
            for future in lost:
                future.cancel()
        if self._future is not None:
            if now - self.began <= self._config.reset_timeout + GRACE:
                return False
            late, self._future = self._future, None  # cancelling calls back at once
            late.cancel()
            self._fail('no answer from the driver', needs_help=False)
        if self._abandoned is not None and not self._abandoned.done():
            # The driver can do one reset at a time.
            return now - self.began > self._config.reset_timeout + GRACE
        # One under way, asked for by whomever, ends by itself, or else is no longer waited for.
        under_way = self.driver_resets_for()
        if 0.0 < under_way <= self._config.reset_timeout + GRACE:
            return False
        return now >= self._not_before

    def begin(self, goal: Mapping[str, float]) -> None:
        """Ask for a reset to positions by name [rad or m]."""
        self.began = self._now()
        if self._client is None:
            self._finish()
            return
        self._future = self._client.call_async(self._request(goal))
        self._future.add_done_callback(self._on_answer)

    def _request(self, goal: Mapping[str, float]) -> Any:
        if self._type is Trigger:
            return Trigger.Request()
        return ResetRobot.Request(
            names=list(goal),
            positions=floats64(list(goal.values())),
            timeout=self._config.reset_timeout,
        )

    def abandon(self) -> None:
        """Care no more for the answer of a reset under way, nor for its episode."""
        if self._future is not None:
            self._abandoned, self._future = self._future, None
        self.settling = False

    def _on_answer(self, future: Any) -> None:
        if future is not self._future:
            return
        self._future = None
        answer: Any = future
        if answer.cancelled() or answer.exception() is not None:
            self._fail(str(answer.exception()), needs_help=False)
            return
        response = answer.result()
        if response.success:
            self._finish()
        else:
            needs_help = getattr(response, 'needs_help', False)  # a Trigger cannot say
            self._fail(response.message, needs_help=needs_help)

    def _finish(self) -> None:
        self._failures = 0
        self._driver_anew = False
        self.done = self._now()
        self.settling = True
        self._on_done()
        settle = max(self._config.settle, 1e-3)
        self._timer = self._node.create_timer(settle, self._on_timer, clock=self._clock)

    def _on_timer(self) -> None:
        self._node.destroy_timer(self._timer)
        self._on_settled()

    def _fail(self, text: str, *, needs_help: bool) -> None:
        self._failures += 1
        attempts = self._config.reset_attempts
        self._node.get_logger().warning(f'reset {self._failures} of {attempts} failed: {text}')
        self.postpone(RETRY_DELAY)
        if needs_help or self._failures >= attempts:
            self._failures = 0
            self._on_help(text)
