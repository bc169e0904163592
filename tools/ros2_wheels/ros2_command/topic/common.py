"""What the verbs share: the type of a topic, and spinning until something is done."""

from collections.abc import Callable
import sys

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.topic_endpoint_info import TopicEndpointInfo

from ..errors import CommandError
from ..graph import wait_until


def type_of(node: Node, topic: str, given: str | None, patient: bool = False) -> str:
    """Return the type of a topic as the user or the graph says.

    Raises:
        CommandError: Nobody uses the topic, or with several types.
    """
    if given:
        return given

    def look() -> list[str] | None:
        return dict(node.get_topic_names_and_types()).get(topic)

    types = wait_until(node, look)
    if types is None:
        print(f'WARNING: topic [{topic}] does not appear to be published yet', file=sys.stderr)
        while patient and types is None:
            types = wait_until(node, look)
    if types is None:
        raise CommandError('Could not determine the type for the passed topic')
    if len(types) > 1:
        raise CommandError(
            f"Cannot use topic '{topic}', as it has more than one type: [{', '.join(types)}]"
        )
    return types[0]


def publishers_of(node: Node, topic: str) -> list[TopicEndpointInfo]:
    """Return the publishers of a topic, once there is one."""
    return (
        wait_until(node, lambda: node.get_publishers_info_by_topic(topic) or None, timeout=1.0)
        or []
    )


def spin_until(node: Node, is_done: Callable[[], bool]) -> None:
    """Execute callbacks until something is done or the user interrupts."""
    while rclpy.ok() and not is_done():
        try:
            rclpy.spin_once(node, timeout_sec=0.5)
        except ExternalShutdownException:  # SIGTERM
            return
