"""What the agent hears from the learner: weights, acknowledgements, how far it may go."""

from collections.abc import Callable
import time

from rclpy.node import Node
from sac_msgs.msg import LearnerStatus, PolicyWeights

from sac_agent.journal import JournalError
from sac_agent.node import messages
from sac_agent.node.pacing import Pacing
from sac_agent.node.recording import Recording
from sac_agent.node.sender import Sender
from sac_agent.policy.kept import KeptPolicy
from sac_agent.policy.store import PolicyStore
from sac_core import qos

PRESENCE = 0.5  # [s] without a word after which a learner counts as gone


class LearnerLink:
    """Subscribes the learner's topics."""

    def __init__(
        self,
        node: Node,
        agent_id: str,
        policies: PolicyStore,
        sender: Sender,
        recording: Recording,
        *,
        on_finished: Callable[[], None],
        on_status: Callable[[int], None],
    ) -> None:
        """Open the topics.

        Args:
            node: Owner.
            agent_id: Whose acknowledgements count.
            policies: Takes the weights.
            sender: Takes the acknowledgements.
            recording: Takes the weights that were accepted.
            on_finished: Called when the learner has finished.
            on_status: Called after any other word from it, with the training steps that it has.
        """
        self._node, self._agent_id = node, agent_id
        self._policies, self._sender, self._recording = policies, sender, recording
        self._on_finished, self._on_news = on_finished, on_status
        self._pacing = Pacing()
        self._heard = 0.0
        node.create_subscription(PolicyWeights, 'policy', self._on_policy, qos.LATCHED)
        node.create_subscription(LearnerStatus, 'learner_status', self._on_status, qos.STATUS)

    def go_on_with(self, kept: KeptPolicy) -> None:
        """Take up the policy that an earlier process acted with, until weights come.

        It passes the checks that weights pass; what is refused is as if it were not there.
        """
        log = self._node.get_logger()
        try:
            offer = kept.load()
            reason = self._policies.offer(offer) if offer else ''
        except ValueError as error:
            offer, reason = None, str(error)
        if reason:
            log.warning(f'the policy in the run directory is not used: {reason}')
        elif offer:
            self._policies.adopt()
            self._recording.offered(messages.weights(offer))
            log.info(f'goes on with policy {offer.version} until the learner sends weights')

    def allows(self, last_sequence: int) -> bool:
        """Return whether a simulated robot may take another step."""
        return self._pacing.allows(last_sequence)

    @property
    def owes_acknowledgements(self) -> bool:
        """Whether a learner that is there has not received everything yet."""
        unsent = self._sender.status().received < self._sender.next_sequence - 1
        return unsent and time.monotonic() - self._heard < PRESENCE

    def _on_policy(self, message: PolicyWeights) -> None:
        before = self._policies.refused
        reason = self._policies.offer(messages.offer(message))
        if self._policies.refused > before:
            self._node.get_logger().warning(
                f'weights refused: {reason}', throttle_duration_sec=5.0
            )
        elif not reason:
            self._recording.offered(message)

    def _on_status(self, message: LearnerStatus) -> None:
        self._heard = time.monotonic()
        self._pacing.budget = message.transition_budget
        self._pacing.accepted = message.transitions
        for ack in message.acks:
            if (ack.agent_id, ack.stream_id) == (self._agent_id, self._sender.stream_id):
                self._pacing.received = ack.received
                self._acknowledge(ack.received, ack.durable)
        if message.state == LearnerStatus.STATE_FINISHED:
            self._on_finished()
        else:
            self._on_news(message.transitions)

    def _acknowledge(self, received: int, durable: int) -> None:
        try:
            self._sender.on_ack(received, durable)
        except JournalError as error:
            self._node.get_logger().error(str(error), throttle_duration_sec=5.0)
