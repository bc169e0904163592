"""Where transitions go: the journal's courier, or straight out where no run directory is given."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from sac_agent.journal import Courier, JournalConfig
from sac_agent.journal.dispatcher import CourierStatus

RECORDED = {
    '/agent_spec': 'sac_msgs/msg/AgentSpec',
    '/episode': 'sac_msgs/msg/EpisodeSummary',
    '/evaluation': 'sac_msgs/msg/EvaluationSummary',
    '/policy': 'sac_msgs/msg/PolicyWeights',
}
"""Topics of the journal besides the transitions."""

LATCHED = ('/agent_spec', '/policy')


class Sender(Protocol):
    """Takes serialised transitions, numbered without gaps."""

    stream_id: str
    next_sequence: int
    next_episode: int
    training_steps: int

    def transition(self, payload: bytes, *, evaluation: bool = False) -> None:
        """Send the transition that carries `next_sequence`."""

    def add_topic(self, name: str, type_name: str, *, latched: bool = False) -> None:
        """Announce a further topic to record."""

    def record(self, topic: str, payload: bytes) -> None:
        """Record a message of a further topic."""

    def on_ack(self, received: int, durable: int) -> None:
        """Take an acknowledgement."""

    def status(self) -> CourierStatus:
        """Return the account."""

    def close(self, timeout: float = 10.0) -> None:
        """Finish."""


class DirectSender:
    """Publishes at once and keeps nothing: for evaluation, where no learner listens."""

    def __init__(self, stream_id: str, publish: Callable[[bytes], None]) -> None:
        """Begin a stream that ends with the process."""
        self.stream_id = stream_id
        self.next_sequence = 1
        self.next_episode = 0
        self.training_steps = 0
        self._publish = publish
        self._received = self._durable = 0

    def transition(self, payload: bytes, *, evaluation: bool = False) -> None:
        """Publish."""
        self._publish(payload)
        self.next_sequence += 1
        self.training_steps += not evaluation

    def add_topic(self, name: str, type_name: str, *, latched: bool = False) -> None:
        """Do nothing."""

    def record(self, topic: str, payload: bytes) -> None:
        """Do nothing."""

    def on_ack(self, received: int, durable: int) -> None:
        """Note what arrived."""
        self._received, self._durable = received, durable

    def status(self) -> CourierStatus:
        """Return the account; everything counts as recorded."""
        return CourierStatus(1, self.next_sequence - 1, self._received, self._durable)

    def close(self, timeout: float = 10.0) -> None:
        """Do nothing."""


def make_sender(
    run_dir: str,
    agent_id: str,
    stream_id: str,
    publish: Callable[[bytes], None],
    config: JournalConfig,
) -> Sender:
    """Return a courier with a journal in ``run_dir/bags/agent_id``, or a direct sender."""
    if not run_dir:
        return DirectSender(stream_id, publish)
    courier = Courier(Path(run_dir) / 'bags' / agent_id, agent_id, publish, config)
    for name, type_name in RECORDED.items():
        courier.add_topic(name, type_name, latched=name in LATCHED)
    return courier
