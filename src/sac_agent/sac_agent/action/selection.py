"""Which action is taken: policy, uniform warm-up or a person, within the agent's limits."""

from dataclasses import dataclass
from math import erf, sqrt

import numpy as np
import numpy.typing as npt

from sac_agent.action.mapper import ActionMapper, Command
from sac_agent.action.smoothing import LatentNoise
from sac_agent.config import RobotConfig
from sac_agent.policy.store import PolicyStore
from sac_agent.records import Array, Observed, Source


@dataclass
class Decision:
    """An action and how it came about; the fields are those of Transition.msg.

    Attributes:
        observation: What it answers.
        action: Stored for learning, (A,).
        sampled: As the policy gave it, (A,).
        latent: Noise behind it, (A,).
        clipped: Where a limit changed it, (A,).
        source: Who chose it.
        policy_version: That chose it; 0 for warm-up.
        command: What the driver is told.
        observation_age: Publication minus stamp of the observation [s].
        command_latency: Publication minus arrival of the observation [s].
        deadline_missed: It came later than the control period allows, or the step's end did.
    """

    observation: Observed
    action: npt.NDArray[np.float32]
    sampled: npt.NDArray[np.float32]
    latent: npt.NDArray[np.float32]
    clipped: npt.NDArray[np.bool_]
    source: Source
    policy_version: int
    command: Command
    observation_age: float = 0.0
    command_latency: float = 0.0
    deadline_missed: bool = False

    def sent(self, age: float, latency: float, *, missed: bool) -> None:
        """Note when the command was published; arguments as those of the fields."""
        self.observation_age = age
        self.command_latency = latency
        self.deadline_missed = missed


class ActionSelector:
    """Chooses one action per observation.

    Attributes:
        human: A person's action, (A,), in place of the policy's; None: nobody is in command.
    """

    def __init__(
        self,
        config: RobotConfig,
        mapper: ActionMapper,
        policies: PolicyStore,
        *,
        noise: np.random.Generator,
        uniform: np.random.Generator,
    ) -> None:
        """Take random streams of their own for policy and warm-up."""
        self._config = config
        self._mapper = mapper
        self._policies = policies
        correlation = config.smoothing.correlation
        self._noise = LatentNoise(mapper.size, correlation, noise)
        self._uniform = LatentNoise(mapper.size, correlation, uniform)
        self._last = np.zeros(mapper.size)
        self.human: Array | None = None

    def tune(self, config: RobotConfig) -> None:
        """Use changed limits and smoothing from the next action on."""
        self._config = config
        self._noise.correlation = self._uniform.correlation = config.smoothing.correlation

    def reset(self) -> None:
        """Begin a new episode."""
        self._noise.reset()
        self._uniform.reset()
        self._last = np.zeros(self._mapper.size)

    def select(self, observed: Observed, *, steps: int, evaluation: bool) -> Decision:
        """Return the action for an observation.

        Args:
            observed: The newest one.
            steps: Training steps so far; the first of them are warm-up.
            evaluation: Take the mean of the policy, without noise.
        """
        sampled, latent, source = self._choose(observed, steps, evaluation)
        action = self._limited(sampled, source)
        command = self._mapper.command(action, observed.sensors)
        applied = self._config.limits.stored_action == 'applied'
        stored = command.applied if applied else action
        self._last = action
        return Decision(
            observation=observed,
            action=stored.astype(np.float32),
            sampled=sampled.astype(np.float32),
            latent=latent.astype(np.float32),
            clipped=command.clipped | (np.abs(action - sampled) > 1e-6),
            source=source,
            policy_version=0 if source is Source.UNIFORM else self._policies.version,
            command=command,
        )

    def _choose(
        self, observed: Observed, steps: int, evaluation: bool
    ) -> tuple[Array, Array, Source]:
        none = np.zeros(self._mapper.size)
        if self.human is not None:
            return self.human, none, Source.HUMAN
        policy = self._policies.current
        if evaluation and policy is not None:
            action, _, _ = policy.evaluated.act(observed.vector, observed.image)
            return action.astype(np.float64), none, Source.MEAN
        if policy is None or steps < self._config.warmup.steps:
            latent = self._uniform.sample()
            # The normal distribution function makes smooth normal noise smooth uniform noise.
            return np.array([erf(x / sqrt(2.0)) for x in latent]), latent, Source.UNIFORM
        latent = self._noise.sample()
        action, _, _ = policy.network.act(observed.vector, observed.image, latent)
        return action.astype(np.float64), latent, Source.POLICY

    def _limited(self, sampled: Array, source: Source) -> Array:
        limits = self._config.limits
        action = np.clip(sampled, -limits.action, limits.action)
        if limits.action_rate >= 2.0 or source is Source.HUMAN:
            return action
        return np.clip(action, self._last - limits.action_rate, self._last + limits.action_rate)
