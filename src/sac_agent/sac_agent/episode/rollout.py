"""The episode under way, until its summary."""

from dataclasses import dataclass, field

import numpy as np

from sac_agent.action.selection import Decision
from sac_agent.config import RobotConfig
from sac_agent.records import Array, EpisodeRecord, Observed, StepRecord, Truncation
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
        stop: Why the episode shall be cut at its next observation, if it shall.
    """

    number: int
    evaluation: bool
    sensors: list[Array] = field(default_factory=list)
    actions: list[Array] = field(default_factory=list)
    rewards: list[Array] = field(default_factory=list)
    segment_start: bool = True
    stop: Truncation = Truncation.NONE

    @property
    def length(self) -> int:
        """Number of steps done."""
        return len(self.actions)

    def append(self, action: Array, rewards: Array, sensors: Array) -> None:
        """Add a step: its action, its rewards, and the sensor values after it."""
        self.actions.append(action)
        self.rewards.append(rewards)
        self.sensors.append(sensors)

    def truncation(self, config: RobotConfig, steps: int) -> Truncation:
        """Return why the episode is cut after its last step, if it is.

        Args:
            config: In force.
            steps: Training steps of the stream so far.
        """
        if self.stop is not Truncation.NONE:
            return self.stop
        if self.length >= config.episode.time_limit:
            return Truncation.TIME_LIMIT
        # The learner asks for no more steps, only for the last evaluation.
        if not self.evaluation and steps == config.evaluation.final:
            return Truncation.SHUTDOWN
        return Truncation.NONE

    def record(
        self, decision: Decision, observed: Observed, *, terminated: bool, truncation: Truncation
    ) -> StepRecord:
        """Return what is told about the last step.

        Args:
            decision: Its action.
            observed: After it.
            terminated: The task ended the episode with it.
            truncation: Why the episode was cut with it, if it was.
        """
        return StepRecord(
            episode=self.number,
            step=self.length - 1,
            segment_start=self.segment_start,
            observation=decision.observation,
            next_observation=observed,
            action=decision.action,
            sampled_action=decision.sampled,
            latent=decision.latent,
            clipped=decision.clipped,
            source=decision.source,
            policy_version=decision.policy_version,
            command=decision.command.flat,
            reward=float(self.rewards[-1].sum()),
            reward_terms=self.rewards[-1],
            terminated=terminated,
            truncated=truncation is not Truncation.NONE,
            truncation_reason=truncation,
            evaluation=self.evaluation,
            observation_age=decision.observation_age,
            command_latency=decision.command_latency,
            deadline_missed=decision.deadline_missed,
        )

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
