"""``ros2 bag record``: topics into a bag, as they come."""

import argparse
from datetime import datetime
from pathlib import Path
import signal
import time
from typing import Any

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import HistoryPolicy
from rosbags.interfaces import (
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import StoragePlugin, Writer

from .. import messages, qos
from ..errors import CommandError
from ..graph import absolute, hidden_node, is_hidden
from .types import Types

PLUGINS = {'mcap': StoragePlugin.MCAP, 'sqlite3': StoragePlugin.SQLITE3}
FOREVER = QosTime(sec=9223372036, nsec=854775807)
LOOK_AROUND = 0.25  # [s] between two looks for new topics


def configure(verbs: Any) -> None:
    """Describe the command line."""
    verb = verbs.add_parser('record', help='record topics')
    verb.add_argument('topics_positional', nargs='*', metavar='topic')
    verb.add_argument('--topics', nargs='+', default=[], metavar='TOPIC')
    verb.add_argument('-a', '--all', '--all-topics', action='store_true', help='every topic')
    verb.add_argument(
        '-o', '--output', help='directory of the bag; default: rosbag2_ and the time'
    )
    verb.add_argument('-s', '--storage', choices=PLUGINS, default='mcap')
    verb.add_argument('--use-sim-time', action='store_true', help='stamp with simulated time')
    verb.set_defaults(function=run)


class Recorder:
    """Subscribes to topics as they appear and writes what comes."""

    def __init__(self, node: Node, writer: Writer, wanted: set[str] | None) -> None:
        """Record the topics ``wanted``, or all with None."""
        self._node = node
        self._writer = writer
        self._wanted = wanted
        self._types = Types()
        self._recorded: set[str] = set()
        self.count = 0

    def look_around(self) -> None:
        """Begin to record wanted topics that have a publisher by now."""
        for topic, types in self._node.get_topic_names_and_types():
            wanted = topic in self._wanted if self._wanted is not None else not is_hidden(topic)
            if wanted and topic not in self._recorded and self._node.count_publishers(topic):
                self._recorded.add(topic)
                self._subscribe(topic, types[0])

    def _subscribe(self, topic: str, type_name: str) -> None:
        publishers = self._node.get_publishers_info_by_topic(topic)
        options = argparse.Namespace(
            qos_profile=None,
            qos_depth=None,
            qos_history='keep_all',
            qos_reliability=None,
            qos_durability=None,
        )
        profile = qos.for_subscription(options, publishers)
        self._types.learn(type_name)
        connection = self._writer.add_connection(
            topic,
            type_name,
            typestore=self._types.store,
            offered_qos_profiles=[_offered(info.qos_profile) for info in publishers],
        )

        def write(raw: bytes) -> None:
            self.count += 1
            self._writer.write(connection, self._node.get_clock().now().nanoseconds, raw)

        self._node.create_subscription(messages.load(type_name), topic, write, profile, raw=True)
        self._node.get_logger().info(f"Subscribed to topic '{topic}'")


def run(options: argparse.Namespace) -> None:
    """Record until interrupted.

    Raises:
        CommandError: No topic is named, or the bag exists.
    """
    names = {absolute(name) for name in (*options.topics, *options.topics_positional)}
    if not names and not options.all:
        raise CommandError('Invalid choice: name topics to record, or --all')
    path = Path(options.output or datetime.now().strftime('rosbag2_%Y_%m_%d-%H_%M_%S'))
    if path.exists():
        raise CommandError(f"Output folder '{path}' already exists.")
    # SIGTERM too must close the bag: without its end it cannot be read.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with (
        hidden_node(options) as node,
        Writer(path, version=9, storage_plugin=PLUGINS[options.storage]) as writer,
    ):
        recorder = Recorder(node, writer, None if options.all else names)
        node.get_logger().info(f"Recording to '{path}'")
        looked = 0.0
        try:
            while rclpy.ok():
                if time.monotonic() - looked > LOOK_AROUND:
                    recorder.look_around()
                    looked = time.monotonic()
                rclpy.spin_once(node, timeout_sec=LOOK_AROUND)
        except (KeyboardInterrupt, ExternalShutdownException):
            pass
    print(f"Recorded {recorder.count} messages to '{path}'")


def _offered(profile: Any) -> Qos:
    keeps_all = profile.history == HistoryPolicy.KEEP_ALL
    return Qos(
        history=QosHistory.KEEP_ALL if keeps_all else QosHistory.KEEP_LAST,
        depth=profile.depth,
        reliability=QosReliability(int(profile.reliability)),
        durability=QosDurability(int(profile.durability)),
        deadline=FOREVER,
        lifespan=FOREVER,
        liveliness=QosLiveliness.AUTOMATIC,
        liveliness_lease_duration=FOREVER,
        avoid_ros_namespace_conventions=False,
    )
