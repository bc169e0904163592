"""The end that was asked for: after the step under way, and what the learner is owed."""

import time

from sac_agent.node.learner_link import LearnerLink
from sac_agent.node.supervisor import Supervisor
from sac_agent.pilot import Pilot
from sac_agent.records import Truncation

PATIENCE = 1.0  # [s] for the step under way and for the learner's acknowledgements


class Shutdown:
    """Lets the agent end in order, once it is asked to."""

    def __init__(self, pilot: Pilot, supervisor: Supervisor, learner: LearnerLink | None) -> None:
        """Wait to be asked.

        Args:
            pilot: Whose episode is cut.
            supervisor: Begins no further one.
            learner: Is owed what was recorded, if it is there.
        """
        self._pilot, self._supervisor, self._learner = pilot, supervisor, learner
        self._by: float | None = None

    def ask(self) -> None:
        """End after the step under way, once the learner has everything, or a second later."""
        if self._by is None:
            self._by = time.monotonic() + PATIENCE
            self._supervisor.ending = True
            if not self._pilot.stop_after_step(Truncation.SHUTDOWN):
                self._supervisor.stop_episode(Truncation.SHUTDOWN)

    @property
    def done(self) -> bool:
        """Whether it was asked for, and nothing is left to do."""
        if self._by is None:
            return False
        if time.monotonic() >= self._by:
            return True
        owed = self._learner is not None and self._learner.owes_acknowledgements
        return not (self._pilot.in_episode or owed)
