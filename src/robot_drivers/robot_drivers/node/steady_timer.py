"""Timers that a stepped wall clock neither stops nor hurries."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.timer import Timer


def create_steady_timer(node: Node, period: float, callback: Callable[[], None]) -> Timer:
    """Return a timer on the steady clock.

    One on the node's own clock, which is the default, stands still for as long as the clock of the
    computer was set back: no cycle would watch over the robot meanwhile.

    Args:
        node: Owner of the timer.
        period: Time between two calls [s].
        callback: What is called.
    """
    return node.create_timer(period, callback, clock=Clock(clock_type=ClockType.STEADY_TIME))
