"""Moves one joint after the other a little, in whatever its commands are, and watches."""

from collections.abc import Callable
from dataclasses import dataclass
import time

import numpy as np
from rclpy.node import Node

from sac_agent.config import ActionConfig
from sac_agent.node import messages
from sac_agent.observation.builder import spread
from sac_agent.tools.checks import Array
from sac_agent.tools.motion_checks import Nudge
from sac_core import qos

POSITION = 0.03  # of the range of a joint
SHARE = 0.1  # of the largest speed or effort
LONG, SHORT = 1.0, 0.25  # [s] of a motion, and of a push
VISIBLE = 0.2  # of the motion that is asked for
NOISE = 1e-3  # [rad or m] below which nothing has moved

WARNING = {
    'position': f'moves by {100 * POSITION:g} % of its range and back',
    'velocity': f'moves with {100 * SHARE:g} % of its speed for {LONG:g} s and back',
    'effort': f'is pushed with {100 * SHARE:g} % of its effort for {SHORT:g} s',
}


@dataclass(frozen=True)
class Plan:
    """How a joint is moved.

    Attributes:
        steps: Commands and how long each is sent [s]; the first one is watched.
        rest: Command at the end.
        asked: Motion that the first one brings about; only its sign where `sized` is false.
        sized: Whether the size of the motion is known.
    """

    steps: tuple[tuple[Array, float], ...]
    rest: Array
    asked: float
    sized: bool


def plan(channel: ActionConfig, start: Array, joint: int) -> Plan:
    """Return how to move a joint from where all are, (J,)."""
    size = len(channel.names)
    low, high = spread(channel.low, size, 'low'), spread(channel.high, size, 'high')
    if channel.mode == 'position':
        step = POSITION * (high[joint] - low[joint])
        asked = step if start[joint] + step <= high[joint] else -step
        rest = np.clip(start, low, high)
        target = rest.copy()
        target[joint] = start[joint] + asked
        return Plan(((target, LONG), (rest, LONG)), rest, asked, sized=True)
    rest = np.zeros(size)
    push = rest.copy()
    push[joint] = SHARE * (high[joint] if high[joint] > 0 else low[joint])
    if channel.mode == 'velocity':
        back = np.clip(-push, low, high)
        return Plan(((push, LONG), (back, LONG)), rest, float(push[joint]) * LONG, sized=True)
    return Plan(((push, SHORT),), rest, float(np.sign(push[joint])), sized=False)


class Nudger:
    """Moves the joints of a robot that nobody else commands."""

    def __init__(
        self,
        node: Node,
        period: float,
        positions: Callable[[ActionConfig], Array | None],
        spin: Callable[..., None],
    ) -> None:
        """Move nothing yet.

        Args:
            node: Publishes the commands.
            period: Control period [s].
            positions: Returns the measured positions of a channel's joints, (J,).
            spin: ``spin(duration, until=None)`` lets messages come.
        """
        self._node, self._period = node, period
        self._positions, self._spin = positions, spin

    def channel(self, name: str, channel: ActionConfig, patience: float) -> list[Nudge]:
        """Move every joint of a channel; return what each did.

        Args:
            name: Of the channel.
            channel: Whose positions are measured.
            patience: For somebody to listen [s].
        """
        builder = messages.CommandMessages(name, channel, self._period)
        publisher = self._node.create_publisher(
            messages.command_type(channel.type), channel.topic, qos.COMMAND
        )
        self._spin(patience, until=lambda: publisher.get_subscription_count() > 0)

        def send(values: Array) -> None:
            now = self._node.get_clock().now().nanoseconds
            publisher.publish(builder.build(values, now, now))
            self._spin(self._period)

        answers = [self._joint(channel, send, joint) for joint in range(len(channel.names))]
        self._node.destroy_publisher(publisher)
        return answers

    def _joint(self, channel: ActionConfig, send: Callable[[Array], None], joint: int) -> Nudge:
        start = self._measured(channel)
        way = plan(channel, start, joint)
        threshold = VISIBLE * abs(way.asked) if way.sized else NOISE
        moved, delay = np.zeros(len(start)), float('nan')
        began = time.monotonic()
        for number, (values, duration) in enumerate(way.steps):
            end = time.monotonic() + duration
            while time.monotonic() < end:
                send(values)
                if number == 0:
                    moved = self._measured(channel) - start
                    if np.isnan(delay) and np.abs(moved).max() > threshold:
                        delay = time.monotonic() - began
        send(way.rest)
        return Nudge(joint, way.asked, moved, delay, way.sized)

    def _measured(self, channel: ActionConfig) -> Array:
        position = self._positions(channel)
        assert position is not None  # the caller asked before
        return position
