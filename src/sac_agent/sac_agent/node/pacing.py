"""How far a simulated robot may run ahead of learning."""

from dataclasses import dataclass


@dataclass
class Pacing:
    """Counts what the learner has, what is on its way, and what it allows.

    Attributes:
        budget: Transitions allowed, None before the learner has spoken.
        accepted: Training transitions the learner has, of all agents.
        received: Highest sequence number of our stream below which it misses nothing.
    """

    budget: int | None = None
    accepted: int = 0
    received: int = 0

    def allows(self, last_sequence: int) -> bool:
        """Return whether another step may be taken; without a word from the learner, none."""
        if self.budget is None:
            return False
        return self.accepted + max(0, last_sequence - self.received) < self.budget
