"""The values that bag files are made of."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

from sac_core.bag.definitions import Definition

FOREVER = {'sec': 9223372036, 'nsec': 854775807}


@dataclass(frozen=True)
class Topic:
    """One topic of a bag.

    Attributes:
        name: Absolute name.
        definition: Its message type.
        latched: Whether a late reader gets the last message (transient local).
    """

    name: str
    definition: Definition
    latched: bool = False

    def qos(self) -> list[dict[str, Any]]:
        """Return the offered QoS as rosbag2 writes it since version 9 of its metadata."""
        return [
            {
                'history': 'keep_last',
                'depth': 1 if self.latched else 1000,
                'reliability': 'reliable',
                'durability': 'transient_local' if self.latched else 'volatile',
                'deadline': FOREVER,
                'lifespan': FOREVER,
                'liveliness': 'automatic',
                'liveliness_lease_duration': FOREVER,
                'avoid_ros_namespace_conventions': False,
            }
        ]

    def qos_text(self) -> str:
        """Return the offered QoS as the storage files hold it."""
        return yaml.dump(self.qos(), Dumper=PlainDumper, sort_keys=False).strip()


class RawMessage(NamedTuple):
    """One stored message.

    Attributes:
        topic: Absolute name.
        type: Message type, e.g. ``sac_msgs/msg/Transition``.
        stamp: Time of recording [ns].
        data: Serialised message with its encapsulation header (CDR).
        position: Where in its file reading has to begin to meet it again.
    """

    topic: str
    type: str
    stamp: int
    data: bytes
    position: int


@dataclass
class FileInfo:
    """What one finished file of a bag holds.

    Attributes:
        name: File name without directory.
        start: First time of recording [ns].
        end: Last time of recording [ns].
        counts: Messages per topic.
        size: File size [bytes].
    """

    name: str
    start: int = 0
    end: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    size: int = 0

    @property
    def count(self) -> int:
        """Number of messages."""
        return sum(self.counts.values())

    def add(self, topic: str, stamp: int) -> None:
        """Account for one message."""
        self.start = min(self.start, stamp) if self.count else stamp
        self.end = max(self.end, stamp) if self.count else stamp
        self.counts[topic] = self.counts.get(topic, 0) + 1


class PlainDumper(yaml.SafeDumper):
    """Writes no anchors, which readers of metadata do not expect."""

    def ignore_aliases(self, data: Any) -> bool:
        """Repeat equal values."""
        return True
