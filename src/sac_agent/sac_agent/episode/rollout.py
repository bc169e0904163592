"""The episode under way, until its summary."""

from dataclasses import dataclass, field

import numpy as np

from sac_agent.records import Array, EpisodeRecord, Truncation
from sac_agent.tasks.task import Task, Trajectory


@dataclass
class Rollout:
    """What one episode has brought so far.

    Attributes:
        number: Of the episode in its stream.
        evaluation: Whether the deterministic policy is judged by it.
        sensors: Raw values, one more than actions, each (S,).
        actions: Each (A,), in [-1, 1].
        rewards: Weighted reward terms, each (R,).
        segment_start: Whether the next step does not follow a recorded one.
    """

    number: int
    evaluation: bool
    sensors: list[Array] = field(default_factory=list)
    actions: list[Array] = field(default_factory=list)
    rewards: list[Array] = field(default_factory=list)
    segment_start: bool = True

    @property
    def length(self) -> int:
        """Number of steps done."""
        return len(self.actions)

    def append(self, action: Array, rewards: Array, sensors: Array) -> None:
        """Add a step: its action, its rewards, and the sensor values after it."""
        self.actions.append(action)
        self.rewards.append(rewards)
        self.sensors.append(sensors)

    def summary(
        self,
        task: Task,
        period: float,
        *,
        steps: int,
        terminated: bool,
        truncation: Truncation,
        policy_version: int,
    ) -> EpisodeRecord:
        """Return the summary of the ended episode.

        Args:
            task: Judges it.
            period: Control period [s].
            steps: Training steps of the stream so far.
            terminated: The task ended it.
            truncation: Why it was cut, if it was.
            policy_version: That acted last.
        """
        metrics: dict[str, float] = {}
        success = False
        if self.length:
            trajectory = Trajectory(
                np.array(self.sensors), np.array(self.actions), terminated, period
            )
            metrics = task.metrics(trajectory)
            success = task.success(trajectory)
        rewards = np.array(self.rewards).reshape(self.length, len(task.reward_names))
        sums = map(float, rewards.sum(axis=0))
        return EpisodeRecord(
            episode=self.number,
            evaluation=self.evaluation,
            steps=steps,
            length=self.length,
            duration=self.length * period,
            episode_return=float(rewards.sum()),
            success=success,
            terminated=terminated,
            truncation_reason=truncation,
            policy_version=policy_version,
            metrics=metrics,
            reward_sums=dict(zip(task.reward_names, sums, strict=True)),
        )
