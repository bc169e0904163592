"""Task and twin in one process, without ROS, for comparison with other learners.

Observation, action, reward and ends are the code the node runs. The twin is named by a string, so
that this package does not depend on the simulation.
"""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import gymnasium
from gymnasium import spaces
import numpy as np
import numpy.typing as npt

from sac_agent.action.mapper import ActionMapper
from sac_agent.action.smoothing import LatentNoise
from sac_agent.config import find_file, from_file, nodes, RobotConfig, section
from sac_agent.errors import ConfigError
from sac_agent.observation.builder import ObservationBuilder
from sac_agent.observation.image import resize
from sac_agent.observation.sensors import layout_of, readers
from sac_agent.tasks.task import make_task, Trajectory

Array = npt.NDArray[np.float64]
Observation = npt.NDArray[np.float32] | dict[str, npt.NDArray[Any]]

LEARNER = 'sac_learner'  # section of a robot's file
ENVIRONMENTS = {
    'sac/DclawValve-v0': ('dclaw_valve.yaml', 'robot_drivers.sim.dclaw:DclawTwin'),
    'sac/DclawValveImage-v0': ('dclaw_valve_image.yaml', 'robot_drivers.sim.dclaw:DclawTwin'),
    'sac/MinitaurWalk-v0': ('minitaur_walk.yaml', 'robot_drivers.minitaur.twin:MinitaurTwin'),
    'sac/SawyerStack-v0': ('sawyer_stack.yaml', 'robot_drivers.sawyer.twin:SawyerTwin'),
}


def register() -> None:
    """Make the environments known to ``gymnasium.make``."""
    for name, (config, twin) in ENVIRONMENTS.items():
        if name not in gymnasium.registry:
            gymnasium.register(
                name,
                entry_point='sac_agent.gym_env:TwinEnv',
                kwargs={'config': config, 'twin': twin},
            )


class TwinEnv(gymnasium.Env[Any, npt.NDArray[np.float32]]):
    """A simulated robot with its task.

    The twin has ``joint_names``, ``command_names``, ``reset(goal)``, ``step(command)``,
    ``sensors()``: arrays by source, e.g. joint_states.position, an image under the sensor's own
    name, and ``render(width, height)``. Where the policy sees images, its constructor takes
    ``image_shape``, height and width; they are twice what the policy sees unless given.

    Attributes:
        observation_names: One per element of the observation vector.
    """

    metadata: dict[str, Any] = {'render_modes': []}  # noqa: RUF012  as in the base class

    def __init__(
        self,
        config: str | Path | RobotConfig,
        twin: str,
        twin_options: Mapping[str, Any] | None = None,
        *,
        settings: str | Path = '',
        evaluation: bool = False,
    ) -> None:
        """Build task and twin.

        Args:
            config: Robot file, also by the bare name of one that is installed.
            twin: ``module:Class``.
            twin_options: Arguments of the twin.
            settings: File with further settings over the robot file's, found like it.
            evaluation: Use the goals of evaluation episodes.

        Raises:
            ConfigError: Configuration and twin do not fit together.
        """
        self._files: list[Path] = []
        if isinstance(config, RobotConfig):
            if settings:
                raise ConfigError(f'settings: {settings} needs the file of a robot as config')
            self.config = config
        else:
            self._files = _files(config, settings)
            self.config = from_file(*self._files)
        module, _, name = twin.partition(':')
        options = dict(twin_options or {})
        if self.config.image.source:
            options.setdefault('image_shape', (2 * self.config.image.size,) * 2)
        self.twin = getattr(import_module(module), name)(**options)
        self._evaluation = evaluation
        self.layout = layout_of(readers(self.config.sensors))
        period = self.config.control_period
        self.task = make_task(self.config.task, self.config.task_parameters, self.layout, period)
        self.mapper = ActionMapper(self.config.actions, self.layout, period)
        self._builder = ObservationBuilder(
            self.config.observation, self.layout, self.mapper.names, self.task
        )
        self._order = [self._command_index(name) for name in self.twin.command_names]
        self._places: list[tuple[str, int]] | None = None
        weights = self.config.reward_weights
        self._weights = np.array([weights.get(n, 1.0) for n in self.task.reward_names])
        bound = self.config.observation.clip
        self.observation_names = self._builder.names
        vector = spaces.Box(-bound, bound, (len(self.observation_names),), np.float32)
        size = self.config.image.size
        self._image = self.config.image.source
        self.observation_space = (
            spaces.Dict({'vector': vector, 'image': spaces.Box(0, 255, (size, size, 3), np.uint8)})
            if self._image
            else vector
        )
        self.action_space = spaces.Box(-1.0, 1.0, (self.mapper.size,), np.float32)
        self._sensors: list[Array] = []
        self._actions: list[Array] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode; ``options['goal']`` replaces the task's own."""
        super().reset(seed=seed)
        goal = (options or {}).get('goal')
        if goal is None:
            goal = self.task.reset_goal(self.np_random, evaluation=self._evaluation)
        self.twin.reset(goal)
        sensors = self.twin.sensors()
        raw = self._raw(sensors)
        self._builder.reset()
        self._sensors, self._actions = [raw], []
        return self._observation(raw, sensors), {}

    def step(
        self, action: npt.NDArray[np.float32]
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Act for one control period; at the end of an episode `info` holds its metrics."""
        limit = self.config.limits.action
        bounded = np.clip(np.asarray(action, dtype=np.float64), -limit, limit)
        before = self._sensors[-1]
        command = self.mapper.command(bounded, before)
        stored = command.applied if self.config.limits.stored_action == 'applied' else bounded
        # As in the data: actions are recorded with single precision.
        stored = stored.astype(np.float32).astype(np.float64)
        self.twin.step(command.flat[self._order])
        sensors = self.twin.sensors()
        after = self._raw(sensors)
        self._builder.remember(stored)
        terms = self.task.reward(before, stored, after, self._actions[-3:]) * self._weights
        terminated = self.task.terminated(after)
        self._sensors.append(after)
        self._actions.append(stored)
        truncated = not terminated and len(self._actions) >= self.config.episode.time_limit
        info: dict[str, Any] = {'reward_terms': terms}
        if terminated or truncated:
            trajectory = Trajectory(
                np.array(self._sensors), np.array(self._actions), terminated,
                self.config.control_period,
            )  # fmt: skip
            info |= self.task.metrics(trajectory)
            info['is_success'] = self.task.success(trajectory)
        return self._observation(after, sensors), float(terms.sum()), terminated, truncated, info

    def exploration_noise(self, random: np.random.Generator) -> LatentNoise:
        """Return noise as smooth as the robot's own exploration."""
        return LatentNoise(self.mapper.size, self.config.smoothing.correlation, random)

    def run_settings(self) -> dict[str, Any]:
        """Return how the robot's files want it to be learned and evaluated, as a launch does."""
        learner: dict[str, Any] = {}
        for file in self._files:
            if LEARNER in nodes(file):
                learner |= section(file, LEARNER)
        evaluation = self.config.evaluation
        return {
            'learner': {'warmup_steps': self.config.warmup.steps} | learner,
            'gym': {
                'eval_every': evaluation.every,
                'eval_episodes': evaluation.episodes,
                'solved_success_rate': evaluation.solved_success_rate,
            },
        }

    def _observation(self, raw: Array, sensors: Mapping[str, Any]) -> Observation:
        vector = self._builder.push(raw)
        if not self._image:
            return vector
        if self._image not in sensors:
            raise ConfigError(f'the twin gives no image {self._image!r}, only {sorted(sensors)}')
        image = self.config.image
        return {'vector': vector, 'image': resize(sensors[self._image], image.size, image.crop)}

    def _raw(self, sensors: Mapping[str, Any]) -> Array:
        if self._places is None:
            self._places = [self._place(name, sensors) for name in self.layout.names]
        return np.array([sensors[source][index] for source, index in self._places])

    def _place(self, name: str, sensors: Mapping[str, Any]) -> tuple[str, int]:
        source, _, element = name.removesuffix(']').partition('[')
        if source not in sensors:
            raise ConfigError(f'the twin gives no {source!r}, only {", ".join(sorted(sensors))}')
        joints = list(self.twin.joint_names)
        if element in joints:
            return source, joints.index(element)
        return source, int(element) if element.isdigit() else 'xyzw'.index(element)

    def _command_index(self, name: str) -> int:
        names = self.mapper.command_names
        if name not in names:
            raise ConfigError(f'actions: the twin needs {name!r}, configured are {names}')
        return names.index(name)


def robot_config(robot: str | Path, settings: str | Path = '') -> RobotConfig:
    """Return the configuration in a robot file, with further settings over it.

    Raises:
        ConfigError: There is no such file, or its contents are wrong.
    """
    return from_file(*_files(robot, settings))


def _files(robot: str | Path, settings: str | Path) -> list[Path]:
    return [find_file(robot), *([find_file(settings)] if settings else [])]
