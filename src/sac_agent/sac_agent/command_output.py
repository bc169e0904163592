"""Commands out, on the topic of each channel."""

from collections.abc import Mapping

from rclpy.node import Node

from sac_agent import messages
from sac_agent.config import RobotConfig
from sac_agent.records import Array
from sac_core import qos


class CommandOutput:
    """Publishes the values of every channel as the message its robot understands."""

    def __init__(self, node: Node, config: RobotConfig) -> None:
        """Open one topic per channel."""
        self._clock = node.get_clock()
        self._channels = {
            name: (
                messages.CommandMessages(name, channel, config.control_period),
                node.create_publisher(
                    messages.command_type(channel.type), channel.topic, qos.COMMAND
                ),
            )
            for name, channel in config.actions.items()
        }

    def send(self, values: Mapping[str, Array], observation: int) -> None:
        """Publish values by channel that answer the observation of a stamp [ns]."""
        now = self._clock.now().nanoseconds
        for name, channel_values in values.items():
            builder, publisher = self._channels[name]
            publisher.publish(builder.build(channel_values, now, observation))
