"""When to evaluate, and what came of it."""

from collections.abc import Sequence

import numpy as np

from sac_agent.config import EvaluationConfig
from sac_agent.policy.store import PolicyStore
from sac_agent.records import EpisodeRecord, EvaluationRecord, Truncation


class EvaluationSchedule:
    """Decides before every episode whether it is one of evaluation.

    Attributes:
        running: A batch has begun and is not complete.
    """

    def __init__(self, config: EvaluationConfig, steps: int = 0) -> None:
        """Continue a stream of `steps` training steps; the next batch comes at a multiple."""
        self._config = config
        self._next = self._after(steps)
        self._left = 0
        self._size = 0
        self._episodes: list[EpisodeRecord] = []
        self._steps = 0
        self._robot_time = 0.0

    @property
    def running(self) -> bool:
        """Whether a batch is under way."""
        return self._left > 0

    @property
    def begun(self) -> bool:
        """Whether a batch is under way and an episode of it has ended."""
        return self.running and bool(self._episodes)

    def request(self, episodes: int) -> None:
        """Evaluate next, whatever the schedule says.

        Raises:
            ValueError: The number is not positive, or a batch is under way.
        """
        if episodes < 1:
            raise ValueError(f'episodes must be at least 1, got {episodes}')
        if self.running:
            raise ValueError(f'an evaluation is under way, {self._left} episodes are left')
        self._size = self._left = episodes
        self._episodes = []

    def begin_episode(self, steps: int, robot_time: float) -> bool:
        """Return whether the episode that begins now is one of evaluation.

        Args:
            steps: Training steps so far.
            robot_time: Acting time so far [s].
        """
        if not self.running and self._next is not None and steps >= self._next:
            self.request(self._config.episodes)
            self._next = self._after(steps)
        if self.running and not self._episodes:
            self._steps, self._robot_time = steps, robot_time
        return self.running

    def _after(self, steps: int) -> int | None:
        """Return the step of the next evaluation after `steps`."""
        every, final = self._config.every, self._config.final
        nexts = [(steps // every + 1) * every] if every else []
        if final > steps:
            nexts.append(final)
        return min(nexts, default=None)

    def end_episode(self, episode: EpisodeRecord) -> EvaluationRecord | None:
        """Take an ended evaluation episode; return the summary if it was the last of a batch."""
        self._episodes.append(episode)
        self._left -= 1
        if self._left > 0:
            return None
        return summary(
            self._episodes, self._steps, self._robot_time, self._config.solved_success_rate
        )


def summary(
    episodes: Sequence[EpisodeRecord], steps: int, robot_time: float, solved: float
) -> EvaluationRecord:
    """Return the figures of a batch; metrics are medians over its episodes."""
    names = list(episodes[0].metrics)
    success_rate = float(np.mean([episode.success for episode in episodes]))
    return EvaluationRecord(
        steps=steps,
        policy_version=episodes[-1].policy_version,
        episodes=len(episodes),
        success_rate=success_rate,
        mean_return=float(np.mean([episode.episode_return for episode in episodes])),
        metrics={n: float(np.median([e.metrics[n] for e in episodes])) for n in names},
        solved=success_rate >= solved,
        robot_time=robot_time,
    )


class BestPolicy:
    """Judges whether an evaluation is the best so far, or a collapse."""

    def __init__(self) -> None:
        """Start without an evaluation."""
        self._best: tuple[float, float] | None = None
        self._worst_return = np.inf

    def judge(self, evaluation: EvaluationRecord, drop: float) -> tuple[bool, bool]:
        """Return whether this evaluation is the best, and whether it is a collapse.

        Args:
            evaluation: Just finished.
            drop: Share of the range between worst and best return that is a collapse; 0: never.
        """
        score = (evaluation.success_rate, evaluation.mean_return)
        is_best = self._best is None or score >= self._best
        collapsed = False
        if self._best is not None and drop > 0 and not is_best:
            spread = self._best[1] - self._worst_return
            collapsed = spread > 0 and evaluation.mean_return < self._best[1] - drop * spread
        if is_best:
            self._best = score
        self._worst_return = min(self._worst_return, evaluation.mean_return)
        return is_best, collapsed


class Evaluator:
    """Which episodes are evaluated, with which policy, and what follows for the weights in use."""

    def __init__(self, config: EvaluationConfig, policies: PolicyStore, steps: int) -> None:
        """Continue a stream of `steps` training steps."""
        self._config = config
        self._policies = policies
        self._schedule = EvaluationSchedule(config, steps)
        self._best = BestPolicy()
        self._collapsed = False
        self._faults = 0  # that cut episodes of the batch under way

    @property
    def running(self) -> bool:
        """Whether a batch is under way."""
        return self._schedule.running

    def request(self, episodes: int) -> None:
        """Evaluate from the next episode on.

        Raises:
            ValueError: There is no policy yet, or as `EvaluationSchedule.request`.
        """
        if self._policies.current is None and self._policies.newest is None:
            raise ValueError('there is no policy to evaluate yet')
        self._schedule.request(episodes)

    def tune(self, config: EvaluationConfig) -> None:
        """Use a changed `rollback_drop` from the next evaluation on."""
        self._config = config

    def next_episode(self, steps: int, robot_time: float) -> bool:
        """Return whether the episode after this reset is evaluated; adopt weights where not."""
        evaluated = self._schedule.begin_episode(steps, robot_time)
        if not evaluated or not self._policies.current:
            self._policies.adopt()
        return evaluated

    def begin_episode(self) -> None:
        """Fix one policy for the whole batch, so that the figures say something about it."""
        if self._schedule.begun:
            return
        if self._collapsed:
            self._policies.follow()
        self._collapsed = False
        self._policies.adopt()

    def end_episode(self, episode: EpisodeRecord) -> EvaluationRecord | None:
        """Take an ended episode; return the summary if it was the last of a batch.

        One that was cut short says nothing, so it is repeated.
        """
        whole = episode.terminated or episode.truncation_reason is Truncation.TIME_LIMIT
        if episode.truncation_reason is Truncation.FAULT and episode.length:
            # A policy that brings a fault about, such as hot motors, would be tried for ever.
            self._faults += 1
            whole = self._faults > self._config.episodes
        evaluation = self._schedule.end_episode(episode) if whole else None
        if evaluation is not None:
            self._faults = 0
            self._judge(evaluation)
        return evaluation

    def _judge(self, evaluation: EvaluationRecord) -> None:
        best, collapsed = self._best.judge(evaluation, self._config.rollback_drop)
        if best:
            self._policies.mark_best()
        elif collapsed:
            self._policies.rollback()
            self._collapsed = True
