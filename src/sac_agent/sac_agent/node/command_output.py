"""Commands out, on the topic of each channel."""

from collections.abc import Mapping

from rclpy.node import Node
from std_msgs.msg import Empty

from sac_agent.config import RobotConfig
from sac_agent.node import messages
from sac_agent.node.recording import Recording
from sac_agent.observation.sensors import normalised
from sac_agent.records import Array
from sac_core import qos


class CommandOutput:
    """Publishes the values of every channel as the message its robot understands."""

    def __init__(self, node: Node, config: RobotConfig, recording: Recording) -> None:
        """Open one topic per channel, and one beside it that shows that we live."""
        self._clock, self._recording = node.get_clock(), recording
        self._channels = {
            name: (
                normalised(channel.type),
                messages.CommandMessages(name, channel, config.control_period),
                node.create_publisher(
                    messages.command_type(channel.type), channel.topic, qos.COMMAND
                ),
            )
            for name, channel in config.actions.items()
        }
        # Nothing is sent there: the middleware asserts these until the process dies, and a driver
        # that hears it no more holds the robot, however slow the control rate is.
        self._alive = [
            node.create_publisher(Empty, f'{topic}{qos.ALIVE}', qos.ALIVE_OFFERED)
            for topic in {channel.topic for channel in config.actions.values()}
        ]

    def send(self, values: Mapping[str, Array], observation: int) -> None:
        """Publish values by channel that answer the observation of a stamp [ns]."""
        now = self._clock.now().nanoseconds
        for name, channel_values in values.items():
            kind, builder, publisher = self._channels[name]
            message = builder.build(channel_values, now, observation)
            publisher.publish(message)
            self._recording.command(publisher.topic_name, kind, message)
