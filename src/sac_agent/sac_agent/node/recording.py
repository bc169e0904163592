"""What the journal holds besides transitions: weights that acted, commands, raw sensor topics."""

from typing import Any

from rclpy.node import Node
from rclpy.serialization import serialize_message
from sac_msgs.msg import PolicyWeights

from sac_agent.config import RobotConfig
from sac_agent.journal import JournalError
from sac_agent.node.sender import Sender
from sac_agent.observation.sensors import normalised
from sac_core import qos

HELD = 16  # weights that have come but not acted yet; newer ones replace them anyway
POLICY_TOPIC = '/policy'


class Recording:
    """Hands over to the journal what its options ask for."""

    def __init__(self, node: Node, config: RobotConfig, sender: Sender) -> None:
        """Record nothing yet."""
        self._node, self._config, self._sender = node, config.journal, sender
        self._sensors = config.sensors
        self._commands: dict[str, str] = {}  # types by topic
        self._held: dict[int, PolicyWeights] = {}
        self._recorded: tuple[str, int, bool] | None = None

    def offered(self, message: PolicyWeights) -> None:
        """Note weights that were accepted; they are recorded if they act."""
        if self._config.weights:
            self._held[message.version] = message
            while len(self._held) > HELD:
                del self._held[next(iter(self._held))]

    def acting(self, version: int) -> None:
        """Record the weights of a version, unless they were the last ones recorded.

        To be called before the transition is handed over, so that readers meet them in order.
        """
        message = self._held.get(version)
        if message is None:
            return
        # A kept policy is recorded without its average, which comes with the learner's word.
        recorded = message.learner_id, version, bool(message.averaged)
        if recorded == self._recorded:
            return
        self._recorded = recorded
        self._record(POLICY_TOPIC, serialize_message(message))
        for older in [v for v in self._held if v < version]:
            del self._held[older]

    def command(self, topic: str, type_name: str, message: Any) -> None:
        """Record a published command.

        Args:
            topic: Absolute name.
            type_name: E.g. sac_msgs/msg/JointCommand.
            message: As published.
        """
        if not self._config.commands:
            return
        if topic not in self._commands:
            self._announce(topic, type_name)
            self._commands[topic] = type_name
        self._record(topic, serialize_message(message))

    def record_sensors(self, message_type: Any) -> None:
        """Subscribe the raw messages of every sensor, if they are asked for.

        Args:
            message_type: Returns the class of a message type by name.
        """
        if not self._config.sensors:
            return
        for sensor in self._sensors.values():
            topic = self._node.resolve_topic_name(sensor.topic)
            self._announce(topic, normalised(sensor.type))
            self._node.create_subscription(
                message_type(sensor.type),
                sensor.topic,
                lambda payload, topic=topic: self._record(topic, payload),
                qos.STATE,
                raw=True,
            )

    def _announce(self, topic: str, type_name: str) -> None:
        try:
            self._sender.add_topic(topic, type_name)
        except JournalError as error:
            self._complain(topic, error)

    def _record(self, topic: str, payload: bytes) -> None:
        try:
            self._sender.record(topic, payload)
        except JournalError as error:
            self._complain(topic, error)

    def _complain(self, topic: str, error: JournalError) -> None:
        self._node.get_logger().error(
            f'{topic} is not recorded: {error}', throttle_duration_sec=5.0
        )
