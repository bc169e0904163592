"""``ros2 bag play``: the messages of a bag, published at the times they came."""

import argparse
from pathlib import Path
import time
from typing import Any

from builtin_interfaces.msg import Time
import rclpy
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosbags.highlevel import AnyReader
from rosbags.interfaces import Connection, QosDurability, QosReliability
from rosgraph_msgs.msg import Clock

from .. import messages
from ..errors import CommandError
from ..graph import absolute, hidden_node

SETTLE = 0.5  # [s] for subscribers to find the new publishers
PATIENCE = 10.0  # [s] to wait at most for those that are there but have not found them
DEPTH = 1000  # messages that a publisher keeps until they have arrived


def configure(verbs: Any) -> None:
    """Describe the command line."""
    verb = verbs.add_parser('play', help='publish the messages of a bag')
    verb.add_argument('bag_path')
    verb.add_argument('-r', '--rate', type=float, default=1.0, help='times as fast')
    verb.add_argument('-l', '--loop', action='store_true', help='again and again')
    verb.add_argument('-d', '--delay', type=float, default=0.0, help='wait before the first [s]')
    verb.add_argument('--start-offset', type=float, default=0.0, help='skip the beginning [s]')
    verb.add_argument('--topics', nargs='+', default=[], help='these only')
    verb.add_argument('-m', '--remap', nargs='+', default=[], metavar='OLD:=NEW')
    verb.add_argument(
        '--clock',
        nargs='?',
        type=float,
        const=40.0,
        default=0.0,
        metavar='HZ',
        help='publish the time of the bag on /clock',
    )
    verb.set_defaults(function=run)


def run(options: argparse.Namespace) -> None:
    """Publish the bag once, or until interrupted.

    Raises:
        CommandError: There is no bag.
    """
    path = Path(options.bag_path)
    if not path.exists():
        raise CommandError(f"Bag path '{path}' does not exist!")
    wanted = {absolute(name) for name in options.topics}
    renamed = dict(rule.split(':=', 1) for rule in options.remap)
    with hidden_node() as node, AnyReader([path]) as reader:
        chosen = [item for item in reader.connections if not wanted or item.topic in wanted]
        publishers = {
            item.id: _publisher(node, item, renamed.get(item.topic, item.topic)) for item in chosen
        }
        clock = node.create_publisher(Clock, '/clock', 10) if options.clock else None
        time.sleep(SETTLE + options.delay)
        _wait_for_subscribers(node, list(publishers.values()))
        while rclpy.ok():
            _play(reader, chosen, publishers, clock, options)
            if not options.loop:
                break
        for publisher in publishers.values():
            publisher.wait_for_all_acked()


def _play(
    reader: AnyReader,
    connections: list[Connection],
    publishers: dict[int, Publisher],
    clock: Publisher | None,
    options: argparse.Namespace,
) -> None:
    first = reader.start_time + int(options.start_offset * 1e9)
    began = time.monotonic()
    next_tick = first
    for count, message in enumerate(reader.messages(connections, start=first), 1):
        connection, stamp, raw = message
        while clock is not None and next_tick <= stamp:
            _wait(began, (next_tick - first) / 1e9 / options.rate)
            clock.publish(Clock(clock=Time(sec=next_tick // 10**9, nanosec=next_tick % 10**9)))
            next_tick += int(1e9 * options.rate / options.clock)
        _wait(began, (stamp - first) / 1e9 / options.rate)
        publisher = publishers[connection.id]
        publisher.publish(bytes(raw))
        if count % (DEPTH // 2) == 0:
            publisher.wait_for_all_acked(Duration(seconds=1))  # nothing unread is overwritten


def _wait_for_subscribers(node: Node, publishers: list[Publisher]) -> None:
    """Return once all subscribers in the graph are matched, which takes seconds now and then."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and any(
        publisher.get_subscription_count() < node.count_subscribers(publisher.topic_name)
        for publisher in publishers
    ):
        time.sleep(0.05)


def _wait(began: float, offset: float) -> None:
    time.sleep(max(0.0, began + offset - time.monotonic()))


def _publisher(node: Node, connection: Connection, topic: str) -> Publisher:
    offered = getattr(connection.ext, 'offered_qos_profiles', [])
    latched = bool(offered) and all(
        item.durability == QosDurability.TRANSIENT_LOCAL for item in offered
    )
    lossy = bool(offered) and any(
        item.reliability == QosReliability.BEST_EFFORT for item in offered
    )
    profile = QoSProfile(
        depth=DEPTH,
        reliability=ReliabilityPolicy.BEST_EFFORT if lossy else ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )
    return node.create_publisher(messages.load(connection.msgtype), topic, profile)
