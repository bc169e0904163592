"""What the next episode shall be: where it begins, and whether it is one of evaluation."""

import numpy as np

from sac_agent.config import EvaluationConfig
from sac_agent.episode.evaluation import Evaluator
from sac_agent.policy.store import PolicyStore
from sac_agent.records import EpisodeRecord, EvaluationRecord
from sac_agent.tasks.task import Task


class Upcoming:
    """Plans one episode ahead, since the reset has to know its goal."""

    def __init__(
        self,
        config: EvaluationConfig,
        task: Task,
        policies: PolicyStore,
        *,
        steps: int,
        goals: np.random.Generator,
        evaluation_goals: np.random.Generator,
    ) -> None:
        """Continue a stream of `steps` training steps.

        Args:
            config: When to evaluate.
            task: Draws the goals.
            policies: To evaluate.
            steps: Training steps so far.
            goals: Randomness of training episodes.
            evaluation_goals: Randomness of evaluation episodes.
        """
        self._config, self._task, self._policies = config, task, policies
        self._evaluator = Evaluator(config, policies, steps)
        self._goals, self._evaluation_goals = goals, evaluation_goals
        self._goal: dict[str, float] | None = None
        self._evaluated = False
        self._concluded = False

    @property
    def evaluating(self) -> bool:
        """Whether the next episode is one of evaluation, as far as is known."""
        return self._evaluator.running

    def goal(self, steps: int, robot_time: float) -> dict[str, float]:
        """Return where to reset to; the same until the episode begins.

        Args:
            steps: Training steps so far.
            robot_time: Acting time so far [s].
        """
        if self._goal is None:
            self._evaluated = self._evaluator.next_episode(steps, robot_time)
            rng = self._evaluation_goals if self._evaluated else self._goals
            self._goal = self._task.reset_goal(rng, evaluation=self._evaluated)
        return self._goal

    def begin(self, steps: int, robot_time: float) -> bool:
        """Let the episode begin; return whether it is one of evaluation."""
        self.goal(steps, robot_time)
        self._goal = None
        if self._evaluated:
            self._evaluator.begin_episode()
        return self._evaluated

    def end_evaluation(self, episode: EpisodeRecord) -> EvaluationRecord | None:
        """Take an ended evaluation episode; see `Evaluator.end_episode`."""
        return self._evaluator.end_episode(episode)

    def evaluate(self, episodes: int) -> None:
        """Evaluate from the next episode on; raises as `Evaluator.request`."""
        self._evaluator.request(episodes)
        self._goal = None

    def conclude(self, transitions: int, steps: int) -> bool:
        """Evaluate for the last time when all robots together have made the steps of the run.

        Args:
            transitions: Training steps that the learner has, of all robots.
            steps: Training steps of this one.

        Returns:
            Whether that is so just now.
        """
        # A robot that makes all steps by itself evaluates after its own last one.
        by_others = self._config.final and steps < self._config.final <= transitions
        if not by_others or self._concluded:
            return False
        self._concluded = True
        nobody = self._policies.current is None and self._policies.newest is None
        if self._evaluator.running or nobody:
            return False
        self.evaluate(self._config.episodes)
        return True

    def is_last(self, evaluation: EvaluationRecord) -> bool:
        """Return whether nothing comes after an evaluation: the steps of the run are used up."""
        final = self._config.final
        return bool(final) and (self._concluded or evaluation.steps >= final)

    def tune(self, config: EvaluationConfig) -> None:
        """Use changed live values from now on."""
        self._config = config
        self._evaluator.tune(config)
