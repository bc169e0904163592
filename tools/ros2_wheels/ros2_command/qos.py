"""Quality of service: as the user says, else so that it fits the other side."""

import argparse
from collections.abc import Sequence

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.topic_endpoint_info import TopicEndpointInfo

RELIABILITY = {
    'reliable': ReliabilityPolicy.RELIABLE,
    'best_effort': ReliabilityPolicy.BEST_EFFORT,
}
DURABILITY = {
    'volatile': DurabilityPolicy.VOLATILE,
    'transient_local': DurabilityPolicy.TRANSIENT_LOCAL,
}
HISTORY = {'keep_last': HistoryPolicy.KEEP_LAST, 'keep_all': HistoryPolicy.KEEP_ALL}
PROFILES = {
    'default': ('reliable', 'volatile', 10),
    'sensor_data': ('best_effort', 'volatile', 5),
    'services_default': ('reliable', 'volatile', 10),
    'parameters': ('reliable', 'volatile', 1000),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument('--qos-profile', choices=PROFILES)
    parser.add_argument('--qos-depth', type=int)
    parser.add_argument('--qos-history', choices=HISTORY)
    parser.add_argument('--qos-reliability', choices=RELIABILITY)
    parser.add_argument('--qos-durability', choices=DURABILITY)


def for_publisher(options: argparse.Namespace) -> QoSProfile:
    """Return the profile that the user asked for."""
    return _with_options(options, 'reliable', 'volatile', 10)


def for_subscription(
    options: argparse.Namespace, publishers: Sequence[TopicEndpointInfo], depth: int = 10
) -> QoSProfile:
    """Return a profile that suits all publishers, as far as the user leaves it open."""
    reliable = bool(publishers) and all(
        info.qos_profile.reliability == ReliabilityPolicy.RELIABLE for info in publishers
    )
    latched = bool(publishers) and all(
        info.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL for info in publishers
    )
    return _with_options(
        options,
        'reliable' if reliable else 'best_effort',
        'transient_local' if latched else 'volatile',
        depth,
    )


def _with_options(
    options: argparse.Namespace, reliability: str, durability: str, depth: int
) -> QoSProfile:
    if options.qos_profile:
        reliability, durability, depth = PROFILES[options.qos_profile]
    return QoSProfile(
        depth=options.qos_depth or depth,
        history=HISTORY[options.qos_history or 'keep_last'],
        reliability=RELIABILITY[options.qos_reliability or reliability],
        durability=DURABILITY[options.qos_durability or durability],
    )
