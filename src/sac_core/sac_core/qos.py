"""QoS per topic, in one place: a mismatch is silence, not an error."""

from rclpy.duration import Duration
from rclpy.qos import (
    QoSDurabilityPolicy,
    QoSHistoryPolicy,
    QoSLivelinessPolicy,
    QoSProfile,
    QoSReliabilityPolicy,
)


def _profile(depth: int, *, reliable: bool = True, latched: bool = False) -> QoSProfile:
    return QoSProfile(
        history=QoSHistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=(
            QoSReliabilityPolicy.RELIABLE if reliable else QoSReliabilityPolicy.BEST_EFFORT
        ),
        durability=(
            QoSDurabilityPolicy.TRANSIENT_LOCAL if latched else QoSDurabilityPolicy.VOLATILE
        ),
    )


STATE_PUBLISHER = _profile(10)
"""Sensor data as published: matches reliable and best-effort readers."""

STATE = _profile(5, reliable=False)
"""Sensor data as read: the newest counts."""

COMMAND = _profile(1)
"""Commands: the newest counts, and it must arrive."""

EXPERIENCE = _profile(1000)
"""Transitions: what overflows is sent again, for the learner acknowledges by number."""

STATUS = _profile(10)
"""Learner and agent status, episode and evaluation summaries."""

LATCHED = _profile(1, latched=True)
"""Policy: a late reader gets the newest one."""

LATCHED_SPECS = _profile(64, latched=True)
"""Agent specs as read by a learner: one of each of up to 64 agents."""

ALIVE = '_alive'
"""What is appended to a command topic: a publisher there shows that whoever commands lives."""


def _alive(lease: float) -> QoSProfile:
    return QoSProfile(
        history=QoSHistoryPolicy.KEEP_LAST,
        depth=1,
        liveliness=QoSLivelinessPolicy.AUTOMATIC,
        liveliness_lease_duration=Duration(seconds=lease),
    )


ALIVE_OFFERED = _alive(0.03)
"""Of a commander: its middleware asserts it after two thirds of the lease, every 20 ms."""

ALIVE_REQUIRED = _alive(0.08)
"""Of a driver: silence after which a commander counts as dead; four assertions may be late."""
