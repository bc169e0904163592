"""One stream of transitions, decided once more."""

from math import erf, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from sac_agent.action.mapper import ActionMapper
from sac_agent.config import from_mapping, RobotConfig
from sac_agent.errors import ConfigError
from sac_agent.layout import SensorLayout
from sac_agent.observation.builder import ObservationBuilder
from sac_agent.records import Source
from sac_agent.tasks.task import make_task, Task
from sac_agent.tools.difference import DifferenceError, expect_same
from sac_agent.tools.noise_source import NoiseSource
from sac_agent.tools.weights_source import Weights

Array = npt.NDArray[np.float64]
ROUNDING = 1e-5
"""Where the exact noise is not known, the recorded float32 numbers are off by less than this."""


class Decisions:
    """Computes observations, actions, commands and rewards again and compares them."""

    def __init__(self, weights: Weights, tolerance: float = 0.0) -> None:
        """Begin without a configuration.

        Args:
            weights: Policies by version.
            tolerance: Admissible difference of actions and commands.
        """
        self._weights = weights
        self._tolerance = tolerance
        self.steps = self.exact = self.noise_repeated = self.drawn = 0
        self.notes: set[str] = set()
        self._agent_id = ''
        self._content: tuple[Any, ...] = ()
        self._noises: dict[Source, NoiseSource] = {}
        self._sessions: list[int] = []
        self._previous: Any = None
        self._last_action: Array = np.zeros(0)
        self._history: list[Array] = []
        self._known_past = False

    def configure(self, spec: Any) -> None:
        """Use a recorded agent spec from here on.

        Raises:
            ConfigError: Its configuration is unusable.
        """
        content = (spec.config, tuple(spec.sensor_names), tuple(spec.observation_names))
        if content == self._content:
            return  # it stands again at the beginning of every file
        self._content = content
        config = from_mapping(yaml.safe_load(spec.config), 'config of the bag')
        layout = SensorLayout(tuple(spec.sensor_names))
        self._agent_id = str(spec.agent_id)
        self._config: RobotConfig = config
        self._mapper = ActionMapper(config.actions, layout, config.control_period)
        self._task: Task | None = None
        self._builder: ObservationBuilder | None = None
        try:
            self._task = make_task(
                config.task, config.task_parameters, layout, config.control_period
            )
            builder = ObservationBuilder(
                config.observation, layout, self._mapper.names, self._task
            )
            if builder.names == tuple(spec.observation_names):
                self._builder = builder
            else:
                self.notes.add(
                    'observations are not repeated: they hold features of another task than '
                    f'{config.task}'
                )
        except ConfigError as error:
            self.notes.add(f'observations and rewards are not repeated: {error}')
        names = self._task.reward_names if self._task else ()
        self._reward_weights = np.array([config.reward_weights.get(n, 1.0) for n in names])
        self._known_past = False
        for source, child in ((Source.POLICY, 0), (Source.UNIFORM, 1)):
            noise = self._noises.setdefault(source, NoiseSource(child, self._sessions))
            noise.configure(config.seed, self._mapper.size, config.smoothing.correlation)

    def account(self) -> str:
        """Return one line about what was verified."""
        text = (
            f'{self._agent_id}: {self.steps} steps verified, {self.exact} of them bit for bit, '
            f'noise repeated from the seed for {self.noise_repeated} of {self.drawn}'
        )
        return '; '.join([text, *sorted(self.notes)])

    def verify(self, message: Any) -> None:
        """Verify the next transition of the stream.

        Raises:
            DifferenceError: It does not follow from the bag; the text says what.
        """
        self._begin(message)
        self._observation(message)
        sampled, exact = self._sampled(message)
        self._command(message, sampled, exact)
        self._labels(message)
        self._remember(message)
        self.steps += 1
        self.exact += exact

    def _begin(self, message: Any) -> None:
        previous = self._previous
        if message.step == 0:
            self._last_action = np.zeros(self._mapper.size)
            self._history = []
            self._known_past = True
            if self._builder is not None:
                self._builder.reset()
        elif not _follows(previous, message):
            # A step between was not recorded; what depends on it is taken as recorded.
            self._known_past = False
            if previous is not None:
                self._last_action = previous.action.astype(np.float64)
        if previous is not None and not message.segment_start:
            for name in ('vector', 'sensors'):
                expect_same(
                    f'observation.{name}',
                    getattr(message.observation, name),
                    getattr(previous.next_observation, name),
                    'the next observation of the step before',
                )

    def _observation(self, message: Any) -> None:
        if self._builder is None or not self._known_past:
            return
        if message.step == 0:
            self._push('observation', message.observation)
        self._builder.remember(message.action)
        self._push('next_observation', message.next_observation)

    def _push(self, name: str, observation: Any) -> None:
        assert self._builder is not None  # the caller asked
        vector = self._builder.push(np.array(observation.sensors))
        expect_same(f'{name}.vector', observation.vector, vector, 'what follows from the sensors')

    def _sampled(self, message: Any) -> tuple[Array, bool]:
        """Return the action before limits, and whether it is known exactly."""
        source = Source(message.source)
        latent = message.latent
        repeated = self._noise(source, message)
        if source is Source.UNIFORM:
            noise = latent.astype(np.float64) if repeated is None else repeated
            sampled = np.array([erf(x / sqrt(2.0)) for x in noise])
            exact = repeated is not None
        elif source in (Source.POLICY, Source.MEAN):
            explores = source is Source.POLICY
            network = self._weights.get(int(message.policy_version), explores=explores)
            if network is None:
                raise DifferenceError(
                    f'weights of version {message.policy_version} are not in the bag; name where '
                    'they are with --weights'
                )
            noise = latent if explores else None
            action, _, _ = network.act(message.observation.vector, self._image(message), noise)
            sampled, exact = action.astype(np.float64), True
        else:
            return message.sampled_action.astype(np.float64), False
        tolerance = self._tolerance if exact else max(self._tolerance, ROUNDING)
        uniform = source is Source.UNIFORM
        origin = 'what the noise' if uniform else f'what policy {message.policy_version}'
        numbers = sampled.astype(np.float32)
        expect_same(
            'sampled_action', message.sampled_action, numbers, f'{origin} gives', tolerance
        )
        return sampled, exact

    def _noise(self, source: Source, message: Any) -> Array | None:
        if source not in self._noises:
            return None
        self.drawn += 1
        repeated = self._noises[source].match(message.latent, message.episode)
        self.noise_repeated += repeated is not None
        return repeated

    def _image(self, message: Any) -> npt.NDArray[np.uint8] | None:
        if not self._config.image.source:
            return None
        size = self._config.image.size
        image = message.observation.image
        if not len(image) and self._previous is not None:
            image = self._previous.next_observation.image
        if len(image) != 3 * size * size:
            raise DifferenceError(
                f'observation.image holds {len(image)} bytes, not {3 * size * size}'
            )
        return np.asarray(image).reshape(size, size, 3)

    def _command(self, message: Any, sampled: Array, exact: bool) -> None:
        limits = self._config.limits
        action = np.clip(sampled, -limits.action, limits.action)
        if limits.action_rate < 2.0 and message.source != Source.HUMAN:
            low = self._last_action - limits.action_rate
            action = np.clip(action, low, self._last_action + limits.action_rate)
            exact = exact and self._known_past
        command = self._mapper.command(action, np.array(message.observation.sensors))
        self._last_action = action
        tolerance = self._tolerance if exact else max(self._tolerance, ROUNDING)
        if message.source == Source.HUMAN:
            tolerance = np.inf  # a person's command is not repeatable
        stored = command.applied if limits.stored_action == 'applied' else action
        why = 'what the limits make of the sampled action'
        expect_same('action', message.action, stored.astype(np.float32), why, tolerance)
        scale = float(np.abs(command.flat).max(initial=1.0)) if tolerance else 1.0
        expect_same('command', message.command, command.flat, why, tolerance * scale)
        if exact:
            clipped = command.clipped | (np.abs(action - sampled) > 1e-6)
            expect_same('clipped', message.clipped, clipped, why)

    def _labels(self, message: Any) -> None:
        if float(np.sum(message.reward_terms)) != message.reward:
            raise DifferenceError(
                f'reward is {message.reward!r}, not the sum of its terms, '
                f'{float(np.sum(message.reward_terms))!r}'
            )
        if self._task is None or not self._known_past:
            return
        after = np.array(message.next_observation.sensors)
        terms = self._task.reward(
            np.array(message.observation.sensors),
            message.action.astype(np.float64),
            after,
            self._history[-3:],
        )
        terms = np.asarray(terms, dtype=np.float64) * self._reward_weights
        expect_same('reward_terms', message.reward_terms, terms, f'what {self._config.task} gives')
        terminated = bool(self._task.terminated(after))
        if terminated != message.terminated:
            raise DifferenceError(
                f'terminated is {bool(message.terminated)}, {self._config.task} says {terminated}'
            )
        if message.terminated and message.truncated:
            raise DifferenceError('is both terminated and truncated')

    def _remember(self, message: Any) -> None:
        self._previous = message
        self._history.append(message.action.astype(np.float64))


def _follows(previous: Any, message: Any) -> bool:
    """Return whether no step between two transitions is missing; an end may be."""
    return (
        previous is not None
        and previous.episode == message.episode
        and previous.step + 1 == message.step
    )
