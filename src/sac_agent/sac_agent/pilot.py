"""The agent without ROS: sensor values in, commands and records out.

One control step is `observe` (closes the last step, may end the episode), then `act` (chooses the
next command), then `sent` (when it was published).
"""

import numpy as np

from sac_agent.action.mapper import ActionMapper, Command
from sac_agent.action.selection import ActionSelector, Decision
from sac_agent.agent_spec import agent_spec
from sac_agent.config import RobotConfig
from sac_agent.episode.machine import EpisodeMachine, State
from sac_agent.episode.rollout import Rollout
from sac_agent.episode.upcoming import Upcoming
from sac_agent.observation.observer import Observer
from sac_agent.observation.sensors import layout_of, readers
from sac_agent.policy.store import PolicyStore
from sac_agent.randomness import session_streams
from sac_agent.records import (
    Array,
    EpisodeRecord,
    EvaluationRecord,
    Observed,
    Outcome,
    Progress,
    Sample,
    Truncation,
)
from sac_agent.tasks.reward import WeightedReward
from sac_agent.tasks.task import make_task
from sac_core.spec import AgentSpec


class Pilot:
    """Runs episodes.

    Attributes:
        config: In force; live values may change by `tune`.
        machine: State of the agent.
        mapper: Actions to commands.
        policies: Weights in use and held.
        readers: Of the sensors' messages, by name.
        spec: What transitions mean.
        steps: Executed training steps of the stream.
        task: What the robot shall do.
    """

    def __init__(
        self,
        config: RobotConfig,
        *,
        now: float,
        stream_id: str = '',
        progress: Progress | None = None,
    ) -> None:
        """Resolve the whole configuration.

        Args:
            config: Of the robot.
            now: Monotonic time [s].
            stream_id: Identity of the agent's journal.
            progress: Of earlier sessions of the stream.

        Raises:
            ConfigError: Something in it does not fit; the text says what.
        """
        progress = progress or Progress()
        self.config = config
        self.readers = readers(config.sensors)
        self.layout = layout_of(self.readers)
        self.task = make_task(
            config.task, config.task_parameters, self.layout, config.control_period
        )
        self.mapper = ActionMapper(config.actions, self.layout, config.control_period)
        self._observer = Observer(config.observation, self.layout, self.mapper.names, self.task)
        self.spec = self._make_spec(stream_id)
        self._reward = WeightedReward(self.task, config.reward_weights)
        self.policies = PolicyStore(self.spec)
        self.machine = EpisodeMachine(now, progress.account)
        self.steps = progress.steps
        self.deadline_misses = 0
        self.last_age = self.last_latency = 0.0
        random = session_streams(config.seed, progress.episodes)
        self._selector = ActionSelector(
            config, self.mapper, self.policies, noise=random.noise, uniform=random.uniform
        )
        self._upcoming = Upcoming(
            config.evaluation,
            self.task,
            self.policies,
            steps=progress.steps,
            goals=random.goals,
            evaluation_goals=random.evaluation_goals,
        )
        self._episodes = progress.episodes
        self._rollout: Rollout | None = None
        self._latest: Sample | None = None
        self._observed: Observed | None = None
        self._decision: Decision | None = None
        self._human: Array | None = None

    def _make_spec(self, stream_id: str) -> AgentSpec:
        return agent_spec(
            self.config,
            stream_id,
            observation_names=self._observer.names,
            action_names=self.mapper.names,
            sensor_names=self.layout.names,
            reward_names=self.task.reward_names,
        )

    # Episodes

    @property
    def evaluating(self) -> bool:
        """Whether the episode under way, or else the next one, is one of evaluation."""
        return self._rollout.evaluation if self._rollout else self._upcoming.evaluating

    @property
    def in_episode(self) -> bool:
        """Whether an episode has begun and not ended."""
        return self._rollout is not None

    @property
    def episode(self) -> int:
        """Number of the present or next episode."""
        return self._episodes

    @property
    def step(self) -> int:
        """Steps done in the present episode."""
        return self._rollout.length if self._rollout else 0

    @property
    def wants_action(self) -> bool:
        """Whether an observation waits for an action."""
        return self._observed is not None and self._decision is None and self.in_episode

    def next_goal(self) -> dict[str, float]:
        """Return where to reset to; the same until the reset is done."""
        return self._upcoming.goal(self.steps, self.machine.account['acting'])

    def evaluate(self, episodes: int) -> None:
        """Evaluate from the next episode on; raises as `Evaluator.request`."""
        self._upcoming.evaluate(episodes)

    def conclude(self, transitions: int) -> bool:
        """Evaluate for the last time when all robots together have made the steps of the run.

        Args:
            transitions: Training steps that the learner has, of all robots.

        Returns:
            Whether that is so just now, and a training episode is under way that has to end.
        """
        return self._upcoming.conclude(transitions, self.steps) and self.in_episode

    def is_last(self, evaluation: EvaluationRecord) -> bool:
        """Return whether nothing comes after an evaluation: the steps of the run are used up."""
        return self._upcoming.is_last(evaluation)

    def begin(self, sample: Sample) -> None:
        """Begin an episode where the reset ended."""
        evaluation = self._upcoming.begin(self.steps, self.machine.account['acting'])
        self._rollout = Rollout(self._episodes, evaluation)
        self._selector.reset()
        self._observer.reset()
        self._decision = None
        self._observed = self._observe(sample)
        self._rollout.sensors.append(sample.raw)

    def observe(self, sample: Sample, *, late: bool = False) -> Outcome:
        """Take the sensor values one control period after the last action.

        Args:
            sample: The newest one.
            late: More than that has passed, so the step has missed its deadline.
        """
        self._latest = sample
        rollout, decision = self._rollout, self._decision
        if rollout is None or decision is None:
            return Outcome()
        if late and not decision.deadline_missed:
            decision.deadline_missed = True
            self.deadline_misses += 1
        self._observer.remember(decision.action)
        observed = self._observe(sample)
        action = decision.action.astype(np.float64)
        terms = self._reward.terms(
            decision.observation.sensors, action, sample.raw, rollout.actions[-3:]
        )
        terminated = self.task.terminated(sample.raw)
        rollout.append(action, terms, sample.raw)
        if not rollout.evaluation:
            self.steps += 1
        truncation = Truncation.NONE if terminated else rollout.truncation(self.config, self.steps)
        dropped = decision.deadline_missed and self.config.timing.drop_late
        record = None
        if not dropped:
            record = rollout.record(
                decision, observed, terminated=terminated, truncation=truncation
            )
        rollout.segment_start = dropped
        self._observed, self._decision = observed, None
        if terminated or truncation is not Truncation.NONE:
            return Outcome(record, *self._end(terminated, truncation))
        return Outcome(record)

    def stop_after_step(self, reason: Truncation) -> bool:
        """Truncate the episode at the next observation; return False if there is none to end."""
        if self._rollout is None or self._decision is None:
            return False
        self._rollout.stop = reason
        return True

    def interrupt(self, reason: Truncation) -> Outcome:
        """Truncate the episode now; a step under way is not recorded."""
        if self._rollout is None:
            return Outcome()
        return Outcome(None, *self._end(False, reason))

    # Actions

    def act(self) -> Command:
        """Choose the command for the last observation.

        Raises:
            RuntimeError: No observation waits for an action.
        """
        if not self.wants_action or self._observed is None or self._rollout is None:
            raise RuntimeError('no observation waits for an action; call observe first')
        evaluation = self._rollout.evaluation
        if not evaluation:
            self.policies.adopt()
        self._selector.human = self._human if self.machine.state is State.HUMAN else None
        self._decision = self._selector.select(
            self._observed, steps=self.steps, evaluation=evaluation
        )
        return self._decision.command

    def sent(self, age: float, latency: float, *, missed: bool = False) -> None:
        """Note when the last command was published.

        Args:
            age: Publication minus stamp of the observation [s].
            latency: Publication minus arrival of the observation [s].
            missed: It came later than the control period allows.
        """
        self.last_age, self.last_latency = age, latency
        self.deadline_misses += missed
        if self._decision is not None:
            self._decision.sent(age, latency, missed=missed)

    def human(self, commands: dict[str, Array] | None) -> None:
        """Let a person's command values, by channel, replace the policy; None: let go."""
        if commands is None or self._latest is None:
            self._human = None
        else:
            self._human = self.mapper.action(commands, self._latest.raw)

    # Live values

    def tune(self, config: RobotConfig) -> None:
        """Use changed live values from the next step on.

        Raises:
            ConfigError: A value does not fit.
        """
        reward = WeightedReward(self.task, config.reward_weights)
        self.config, self._reward = config, reward
        self.spec = self._make_spec(self.spec.stream_id)
        self._selector.tune(config)
        self._upcoming.tune(config.evaluation)

    # Within a step

    def _observe(self, sample: Sample) -> Observed:
        self._latest = sample
        return self._observer.observe(sample)

    def _end(
        self, terminated: bool, truncation: Truncation
    ) -> tuple[EpisodeRecord, EvaluationRecord | None]:
        rollout = self._rollout
        assert rollout is not None  # callers check
        self._rollout = self._observed = self._decision = None
        self._episodes += 1
        record = rollout.summary(
            self.task,
            self.config.control_period,
            steps=self.steps,
            terminated=terminated,
            truncation=truncation,
            policy_version=self.policies.version,
        )
        finished = self._upcoming.end_evaluation(record) if rollout.evaluation else None
        return record, finished
