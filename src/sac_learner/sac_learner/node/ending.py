"""When a run ends: the task is solved, or its steps are used up and every robot has tested."""

from collections.abc import Collection

PATIENCE = 60.0  # [s] without a word of a robot that tests; a reset takes 30 s at most


class Ending:
    """Knows what the evaluations said, and which robots have made their last one."""

    def __init__(
        self, limit: int, *, solved_in_a_row: int = 0, patience: float = PATIENCE
    ) -> None:
        """Begin a run.

        Args:
            limit: Training steps of all robots together, 0 for no limit.
            solved_in_a_row: Evaluations in a row that must say solved; 0: none ends the run.
            patience: Silence after which missing evaluations are given up [s].
        """
        self._limit = limit
        self._enough = solved_in_a_row
        self._in_a_row = 0
        self._patience = patience
        self._done: set[str] = set()
        self._settled: set[str] = set()
        self._heard: float | None = None  # once the steps are used up

    @property
    def near(self) -> bool:
        """Whether the steps are used up."""
        return self._heard is not None

    def exhaust(self, now: float) -> bool:
        """Note that the steps are used up and learned from; return whether that is news."""
        if self._heard is None:
            self._heard = now
            return True
        return False

    def tested(self, now: float) -> None:
        """Note the end of an evaluation episode: more may follow."""
        if self._heard is not None:
            self._heard = now

    @property
    def solved(self) -> bool:
        """Whether the newest evaluations say solved, as many as it takes."""
        return 0 < self._enough <= self._in_a_row

    def evaluated(self, agent: str, steps: int, now: float, *, solved: bool = False) -> None:
        """Note an evaluation of an agent after `steps` training steps of its own."""
        self.tested(now)
        self._in_a_row = self._in_a_row + 1 if solved else 0
        if self.near or (self._limit and steps >= self._limit):
            self._done.add(agent)
            self._settled.discard(agent)

    def owes(self, agent: str, transitions: int) -> None:
        """Note how many transitions of an agent are not durable here.

        The step that an evaluation ended goes to the agent's disk first and comes after it.
        """
        if transitions:
            self._settled.discard(agent)
        elif agent in self._done:
            self._settled.add(agent)

    def is_over(self, agents: Collection[str], now: float) -> bool:
        """Return whether the run ends: all agents are through, or nothing is heard any more."""
        if self._heard is None:
            return False
        return self._settled.issuperset(agents) or now - self._heard > self._patience
