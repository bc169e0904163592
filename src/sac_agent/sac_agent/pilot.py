"""The agent without ROS: sensor values in, commands and records out.

One control step is `observe` (closes the last step, may end the episode), then `act` (chooses the
next command), then `sent` (when it was published).
"""

from collections import deque
from dataclasses import dataclass, field
from math import erf, sqrt

import numpy as np
import numpy.typing as npt
import yaml

from sac_agent.action import ActionMapper, Command
from sac_agent.config import RobotConfig
from sac_agent.episode import EpisodeMachine, State
from sac_agent.errors import ConfigError
from sac_agent.evaluation import BestPolicy, EvaluationSchedule
from sac_agent.observation import ObservationBuilder
from sac_agent.records import (
    EpisodeRecord,
    EvaluationRecord,
    Observed,
    Source,
    StepRecord,
    Truncation,
)
from sac_agent.sensors import layout_of, readers
from sac_agent.settings import plain
from sac_agent.smoothing import LatentNoise
from sac_agent.tasks.task import make_task, Trajectory
from sac_agent.weights import PolicyStore
from sac_core.spec import AgentSpec, ObservationSpec

Array = npt.NDArray[np.float64]
Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Progress:
    """How far a stream is, kept over restarts."""

    episodes: int = 0
    steps: int = 0
    account: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    """One complete set of sensor values.

    Attributes:
        stamp: Of the oldest message [ns].
        received: Arrival of the newest on the monotonic clock [s].
        raw: Values in the order of the layout, (S,).
        image: As the policy sees it, (H, W, 3), or None.
    """

    stamp: int
    received: float
    raw: Array
    image: Image | None = None


@dataclass(frozen=True)
class Outcome:
    """What an observation brought about."""

    record: StepRecord | None = None
    episode: EpisodeRecord | None = None
    evaluation: EvaluationRecord | None = None


@dataclass
class _Pending:
    """A step under way: all but what follows from the next observation."""

    observation: Observed
    action: npt.NDArray[np.float32]
    sampled: npt.NDArray[np.float32]
    latent: npt.NDArray[np.float32]
    clipped: npt.NDArray[np.bool_]
    source: Source
    policy_version: int
    command: Array
    observation_age: float = 0.0
    command_latency: float = 0.0
    deadline_missed: bool = False


@dataclass
class _Episode:
    """The episode under way."""

    number: int
    evaluation: bool
    sensors: list[Array] = field(default_factory=list)
    actions: list[Array] = field(default_factory=list)
    rewards: list[Array] = field(default_factory=list)
    segment_start: bool = True


def make_spec(
    config: RobotConfig,
    builder: ObservationBuilder,
    mapper: ActionMapper,
    sensor_names: tuple[str, ...],
    reward_names: tuple[str, ...],
    stream_id: str,
) -> AgentSpec:
    """Return the description that agent and learner agree on."""
    size = config.image.size
    return AgentSpec(
        agent_id=config.agent_id or 'robot',
        stream_id=stream_id,
        task=config.task,
        control_period=config.control_period,
        observation=ObservationSpec(
            names=builder.names, image_shape=(size, size, 3) if config.image.source else None
        ),
        action_names=mapper.names,
        sensor_names=sensor_names,
        reward_names=reward_names,
        config=yaml.safe_dump(plain(config), sort_keys=True),
    )


class Pilot:
    """Runs episodes.

    Attributes:
        config: In force; live values may change by `tune`.
        machine: State of the agent.
        policies: Weights in use and held.
        spec: What transitions mean.
        steps: Executed training steps of the stream.
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
        self._builder = ObservationBuilder(
            config.observation, self.layout, self.mapper.names, self.task
        )
        self.spec = make_spec(
            config,
            self._builder,
            self.mapper,
            self.layout.names,
            self.task.reward_names,
            stream_id,
        )
        self._weights = self._reward_weights(config)
        self.policies = PolicyStore(self.spec)
        self.machine = EpisodeMachine(now, progress.account)
        self.steps = progress.steps
        self.deadline_misses = 0
        self.last_age = self.last_latency = 0.0
        self._episodes = progress.episodes
        # A restarted session continues with other numbers, not with those it had already.
        seed = np.random.SeedSequence([config.seed, progress.episodes])
        noise, uniform, goals, evaluation_goals = (np.random.default_rng(s) for s in seed.spawn(4))
        self._uniform = LatentNoise(self.mapper.size, config.smoothing.correlation, uniform)
        self._noise = LatentNoise(self.mapper.size, config.smoothing.correlation, noise)
        self._goals, self._evaluation_goals = goals, evaluation_goals
        self._schedule = EvaluationSchedule(config.evaluation, progress.steps)
        self._best = BestPolicy()
        self._collapsed = False
        self._episode: _Episode | None = None
        self._goal: dict[str, float] | None = None
        self._next_is_evaluation = False
        self._faults = 0  # that cut evaluation episodes of the batch under way
        self._latest: Sample | None = None
        self._observed: Observed | None = None
        self._pending: _Pending | None = None
        self._stop: Truncation = Truncation.NONE
        self._images: deque[Image] = deque(maxlen=config.observation.delay + 1)
        self._last_action = np.zeros(self.mapper.size)
        self._human: Array | None = None

    # Episodes

    @property
    def evaluating(self) -> bool:
        """Whether the episode under way, or else the next one, is one of evaluation."""
        return self._episode.evaluation if self._episode else self._schedule.running

    @property
    def in_episode(self) -> bool:
        """Whether an episode has begun and not ended."""
        return self._episode is not None

    @property
    def episode(self) -> int:
        """Number of the present or next episode."""
        return self._episodes

    @property
    def step(self) -> int:
        """Steps done in the present episode."""
        return len(self._episode.actions) if self._episode else 0

    @property
    def wants_action(self) -> bool:
        """Whether an observation waits for an action."""
        return self._observed is not None and self._pending is None and self.in_episode

    def next_goal(self) -> dict[str, float]:
        """Return where to reset to; the same until the reset is done."""
        if self._goal is None:
            acting = self.machine.account['acting']
            self._next_is_evaluation = self._schedule.begin_episode(self.steps, acting)
            if not self._next_is_evaluation or not self.policies.current:
                self.policies.adopt()
            rng = self._evaluation_goals if self._next_is_evaluation else self._goals
            self._goal = self.task.reset_goal(rng, evaluation=self._next_is_evaluation)
        return self._goal

    def evaluate(self, episodes: int) -> None:
        """Evaluate from the next episode on; raises as `EvaluationSchedule.request`."""
        if self.policies.current is None and self.policies.newest is None:
            raise ValueError('there is no policy to evaluate yet')
        self._schedule.request(episodes)
        self._goal = None

    def begin(self, sample: Sample) -> None:
        """Begin an episode where the reset ended."""
        self.next_goal()
        self._goal = None
        self._episode = _Episode(self._episodes, self._next_is_evaluation)
        # One policy for the whole batch, so that the figures say something about it.
        if self._next_is_evaluation and not self._schedule.begun:
            if self._collapsed:
                self.policies.follow()
            self._collapsed = False
            self.policies.adopt()
        self._stop = Truncation.NONE
        self._noise.reset()
        self._uniform.reset()
        self._builder.reset()
        self._images.clear()
        self._last_action = np.zeros(self.mapper.size)
        self._pending = None
        self._observed = self._observe(sample)
        self._episode.sensors.append(sample.raw)

    def observe(self, sample: Sample) -> Outcome:
        """Take the sensor values one control period after the last action."""
        self._latest = sample
        episode, pending = self._episode, self._pending
        if episode is None or pending is None:
            return Outcome()
        self._builder.remember(pending.action)
        observed = self._observe(sample)
        action = pending.action.astype(np.float64)
        terms = self.task.reward(
            pending.observation.sensors, action, sample.raw, episode.actions[-3:]
        )
        terms = np.asarray(terms, dtype=np.float64) * self._weights
        terminated = self.task.terminated(sample.raw)
        episode.sensors.append(sample.raw)
        episode.actions.append(action)
        episode.rewards.append(terms)
        if not episode.evaluation:
            self.steps += 1
        truncation = Truncation.NONE if terminated else self._truncation(episode)
        dropped = pending.deadline_missed and self.config.timing.drop_late
        record = None
        if not dropped:
            record = StepRecord(
                episode=episode.number,
                step=len(episode.actions) - 1,
                segment_start=episode.segment_start,
                observation=pending.observation,
                next_observation=observed,
                action=pending.action,
                sampled_action=pending.sampled,
                latent=pending.latent,
                clipped=pending.clipped,
                source=pending.source,
                policy_version=pending.policy_version,
                command=pending.command,
                reward=float(terms.sum()),
                reward_terms=terms,
                terminated=terminated,
                truncated=truncation is not Truncation.NONE,
                truncation_reason=truncation,
                evaluation=episode.evaluation,
                observation_age=pending.observation_age,
                command_latency=pending.command_latency,
                deadline_missed=pending.deadline_missed,
            )
        episode.segment_start = dropped
        self._observed, self._pending = observed, None
        if terminated or truncation is not Truncation.NONE:
            summary, evaluation = self._end(terminated, truncation)
            return Outcome(record, summary, evaluation)
        return Outcome(record)

    def _truncation(self, episode: _Episode) -> Truncation:
        if self._stop is not Truncation.NONE:
            return self._stop
        if len(episode.actions) >= self.config.episode.time_limit:
            return Truncation.TIME_LIMIT
        # The learner asks for no more steps, only for the last evaluation.
        if not episode.evaluation and self.steps == self.config.evaluation.final:
            return Truncation.SHUTDOWN
        return Truncation.NONE

    def stop_after_step(self, reason: Truncation) -> bool:
        """Truncate the episode at the next observation; return False if there is none to end."""
        if self._episode is None or self._pending is None:
            return False
        self._stop = reason
        return True

    def interrupt(self, reason: Truncation) -> Outcome:
        """Truncate the episode now; a step under way is not recorded."""
        if self._episode is None:
            return Outcome()
        summary, evaluation = self._end(False, reason)
        return Outcome(None, summary, evaluation)

    # Actions

    def act(self) -> Command:
        """Choose the command for the last observation.

        Raises:
            RuntimeError: No observation waits for an action.
        """
        if not self.wants_action or self._observed is None or self._episode is None:
            raise RuntimeError('no observation waits for an action; call observe first')
        observed = self._observed
        if not self._episode.evaluation:
            self.policies.adopt()
        sampled, latent, source = self._choose(observed)
        limits = self.config.limits
        action = np.clip(sampled, -limits.action, limits.action)
        if limits.action_rate < 2.0 and source is not Source.HUMAN:
            low, high = (
                self._last_action - limits.action_rate,
                self._last_action + limits.action_rate,
            )
            action = np.clip(action, low, high)
        command = self.mapper.command(action, observed.sensors)
        stored = command.applied if limits.stored_action == 'applied' else action
        self._last_action = action
        self._pending = _Pending(
            observation=observed,
            action=stored.astype(np.float32),
            sampled=sampled.astype(np.float32),
            latent=latent.astype(np.float32),
            clipped=command.clipped | (np.abs(action - sampled) > 1e-6),
            source=source,
            policy_version=0 if source is Source.UNIFORM else self.policies.version,
            command=command.flat,
        )
        return command

    def sent(self, age: float, latency: float, *, missed: bool = False) -> None:
        """Note when the last command was published.

        Args:
            age: Publication minus stamp of the observation [s].
            latency: Publication minus arrival of the observation [s].
            missed: It came later than the control period allows.
        """
        self.last_age, self.last_latency = age, latency
        self.deadline_misses += missed
        if self._pending is not None:
            self._pending.observation_age = age
            self._pending.command_latency = latency
            self._pending.deadline_missed = missed

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
        weights = self._reward_weights(config)
        self.config, self._weights = config, weights
        self._noise.correlation = self._uniform.correlation = config.smoothing.correlation

    def _reward_weights(self, config: RobotConfig) -> Array:
        names = self.task.reward_names
        for name in config.reward_weights:
            if name not in names:
                raise ConfigError(
                    f'reward_weights.{name}: unknown reward term; there are {", ".join(names)}'
                )
        return np.array([config.reward_weights.get(name, 1.0) for name in names])

    def _choose(self, observed: Observed) -> tuple[Array, Array, Source]:
        none = np.zeros(self.mapper.size)
        if self._human is not None and self.machine.state is State.HUMAN:
            return self._human, none, Source.HUMAN
        policy = self.policies.current
        evaluation = self._episode is not None and self._episode.evaluation
        if evaluation and policy is not None:
            action, _, _ = policy.network.act(observed.vector, observed.image)
            return action.astype(np.float64), none, Source.MEAN
        if policy is None or self.steps < self.config.warmup.steps:
            latent = self._uniform.sample()
            # The normal distribution function makes smooth normal noise smooth uniform noise.
            return np.array([erf(x / sqrt(2.0)) for x in latent]), latent, Source.UNIFORM
        latent = self._noise.sample()
        action, _, _ = policy.network.act(observed.vector, observed.image, latent)
        return action.astype(np.float64), latent, Source.POLICY

    def _observe(self, sample: Sample) -> Observed:
        self._latest = sample
        image = sample.image
        if image is not None:
            if not self._images:
                self._images.extend([image] * (self._images.maxlen or 1))
            else:
                self._images.append(image)
            image = self._images[0]
        return Observed(sample.stamp, self._builder.push(sample.raw), image, sample.raw)

    def _end(
        self, terminated: bool, truncation: Truncation
    ) -> tuple[EpisodeRecord, EvaluationRecord | None]:
        episode = self._episode
        assert episode is not None  # callers check
        self._episode = self._observed = self._pending = None
        self._stop = Truncation.NONE
        self._episodes += 1
        length = len(episode.actions)
        metrics: dict[str, float] = {}
        success = False
        if length:
            trajectory = Trajectory(
                np.array(episode.sensors), np.array(episode.actions), terminated,
                self.config.control_period,
            )  # fmt: skip
            metrics = self.task.metrics(trajectory)
            success = self.task.success(trajectory)
        rewards = np.array(episode.rewards).reshape(length, len(self.task.reward_names))
        record = EpisodeRecord(
            episode=episode.number,
            evaluation=episode.evaluation,
            steps=self.steps,
            length=length,
            duration=length * self.config.control_period,
            episode_return=float(rewards.sum()),
            success=success,
            terminated=terminated,
            truncation_reason=truncation,
            policy_version=self.policies.version,
            metrics=metrics,
            reward_sums=dict(
                zip(self.task.reward_names, map(float, rewards.sum(axis=0)), strict=True)
            ),
        )
        finished = None
        whole = terminated or truncation is Truncation.TIME_LIMIT
        if episode.evaluation and truncation is Truncation.FAULT and length:
            # A policy that brings a fault about, such as hot motors, would be tried for ever.
            self._faults += 1
            whole = self._faults > self.config.evaluation.episodes
        # An evaluation episode that was cut short says nothing, so it is repeated.
        if episode.evaluation and whole:
            finished = self._schedule.end_episode(record)
            if finished is not None:
                self._faults = 0
                self._judge(finished)
        return record, finished

    def _judge(self, evaluation: EvaluationRecord) -> None:
        best, collapsed = self._best.judge(evaluation, self.config.evaluation.rollback_drop)
        if best:
            self.policies.mark_best()
        elif collapsed:
            self.policies.rollback()
            self._collapsed = True

    def progress(self) -> Progress:
        """Return what a later session of the stream has to know."""
        return Progress(self._episodes, self.steps, dict(self.machine.account))
