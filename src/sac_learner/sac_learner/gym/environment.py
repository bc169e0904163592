"""A Gymnasium environment as the learner sees it: a vector, an image, actions in [-1, 1]."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
import inspect
import math
from types import ModuleType
from typing import Any, Protocol, TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from sac_core.spec import AgentSpec, ImageShape, ObservationSpec
from sac_learner.command_line import CommandError

if TYPE_CHECKING:
    import gymnasium
    from gymnasium import spaces

Environment: TypeAlias = 'gymnasium.Env[Any, Any]'
Vector = npt.NDArray[np.float32]
Image = npt.NDArray[np.uint8]

OURS = 'sac/'
REGISTER_OURS = 'sac_agent.gym_env:register'
STREAM = 'gym'


@dataclass(frozen=True)
class Interface:
    """How observations and actions of one environment are laid out.

    Attributes:
        vectors: Keys of the vector parts in their order; '' is the whole observation.
        names: One per element of the vector.
        image: Key of the image, '' where it is the whole observation, None without one.
        image_shape: Height, width, channels, or None.
        low: Least actions of the environment, flat, shape (A,).
        high: Largest actions, shape (A,).
        action_shape: Shape of an action.
        action_type: Its numpy type.
        control_period: Time between two actions [s]; 1 where the environment has no time.
    """

    vectors: tuple[str, ...]
    names: tuple[str, ...]
    image: str | None
    image_shape: ImageShape | None
    low: Vector
    high: Vector
    action_shape: tuple[int, ...]
    action_type: np.dtype[Any]
    control_period: float

    @classmethod
    def of(cls, env: Environment) -> 'Interface':
        """Read the spaces of an environment.

        Raises:
            CommandError: They are not for this learner.
        """
        from gymnasium import spaces

        box = env.action_space
        if not isinstance(box, spaces.Box):
            raise CommandError(f'actions must be a Box of numbers, got {box}')
        if not (np.isfinite(box.low).all() and np.isfinite(box.high).all()):
            raise CommandError(f'actions must have finite bounds to be scaled, got {box}')
        vectors, names, image, shape = _parts(env.observation_space)
        return cls(
            tuple(vectors),
            tuple(names),
            image,
            shape,
            box.low.ravel().astype(np.float32),
            box.high.ravel().astype(np.float32),
            box.shape,
            box.dtype,
            _control_period(env),
        )

    def observe(self, observation: Any) -> tuple[Vector, Image | None]:
        """Return the vector (V,) and the image (H, W, C) of an observation."""
        parts = [
            np.asarray(observation if key == '' else observation[key], np.float32).ravel()
            for key in self.vectors
        ]
        vector = np.concatenate(parts) if parts else np.empty(0, np.float32)
        if self.image is None:
            return vector, None
        return vector, np.asarray(observation if self.image == '' else observation[self.image])

    def scale(self, action: Vector) -> npt.NDArray[Any]:
        """Return an action in [-1, 1], shape (A,), as the environment takes it."""
        centre, half = (self.high + self.low) / 2, (self.high - self.low) / 2
        scaled = np.clip(centre + half * action, self.low, self.high)
        return scaled.reshape(self.action_shape).astype(self.action_type)

    def spec(self, env_id: str) -> AgentSpec:
        """Return what the learner's core wants to know of whoever acts."""
        return AgentSpec(
            agent_id=env_id,
            stream_id=STREAM,
            task=env_id,
            control_period=self.control_period,
            observation=ObservationSpec(self.names, self.image_shape),
            action_names=tuple(f'action[{i}]' for i in range(self.low.size)),
        )


def ours() -> list[str]:
    """Make the environments of our robots known, and return their names.

    Raises:
        CommandError: Gymnasium or the package that knows them is not installed.
    """
    gymnasium = _gymnasium()
    _function(REGISTER_OURS)()
    return sorted(name for name in gymnasium.registry if name.startswith(OURS))


def make(
    env_id: str, register: str = '', *, evaluation: bool = False, **options: Any
) -> Environment:
    """Make an environment.

    Args:
        env_id: As for ``gymnasium.make``.
        register: ``module:function`` that makes environments known; '' finds our robots itself.
        evaluation: Whether to ask for the goals of evaluation episodes, where there are such.
        options: Further arguments of the environment.

    Raises:
        CommandError: There is no such environment, or it cannot be made here.
    """
    gymnasium = _gymnasium()
    if register or env_id.startswith(OURS):
        registers = _function(register or REGISTER_OURS)
        if env_id not in gymnasium.registry:
            registers()
    try:
        env: Environment = gymnasium.make(env_id, **options)
        if evaluation and 'evaluation' in inspect.signature(type(env.unwrapped)).parameters:
            env.close()
            env = gymnasium.make(env_id, evaluation=True, **options)
    except Exception as error:  # an environment may raise anything; all of it is for the user
        raise CommandError(f'environment {env_id!r} cannot be made: {error}') from error
    return env


class ExplorationNoise(Protocol):
    """Standard normal noise that hangs together in time."""

    def reset(self) -> None:
        """Begin an episode."""

    def sample(self) -> npt.NDArray[np.float64]:
        """Return the noise of the next action, (A,)."""


def exploration_noise(env: Environment, random: np.random.Generator) -> ExplorationNoise | None:
    """Return the noise an environment wants to be explored with, None: white noise.

    Our robots move smoothly: their environments have a method `exploration_noise(random)`.
    """
    method = getattr(env.unwrapped, 'exploration_noise', None)
    return None if method is None else method(random)


def episode_seed(seed: int, role: int, steps: int) -> int:
    """Return the seed of an environment; a resumed run must not see its first episodes again."""
    return int(np.random.SeedSequence([seed, role, steps]).generate_state(1)[0])


def _gymnasium() -> ModuleType:
    try:
        return import_module('gymnasium')
    except ModuleNotFoundError as error:
        raise CommandError(
            "Gymnasium is not installed here; install it with: pip install 'gymnasium[mujoco]'"
        ) from error


def _function(name: str) -> Callable[[], None]:
    module, _, attribute = name.partition(':')
    try:
        found: Callable[[], None] = getattr(import_module(module), attribute or 'register')
    except (ImportError, AttributeError, ValueError) as error:
        raise CommandError(
            f'--register {name!r} cannot be used: {error}; it must be module:function of an '
            'installed package'
        ) from error
    return found


def _parts(
    space: 'spaces.Space[Any]',
) -> tuple[list[str], list[str], str | None, ImageShape | None]:
    from gymnasium import spaces

    whole = [('', space)]
    items = list(space.spaces.items()) if isinstance(space, spaces.Dict) else whole
    vectors: list[str] = []
    names: list[str] = []
    images: list[tuple[str, ImageShape]] = []
    for key, part in items:
        if not isinstance(part, spaces.Box):
            raise CommandError(f'observations must be Boxes or a Dict of them, got {space}')
        if part.dtype == np.uint8 and len(part.shape) == 3:
            height, width, channels = part.shape
            images.append((key, (height, width, channels)))
        else:
            vectors.append(key)
            names += [f'{key or "observation"}[{i}]' for i in range(math.prod(part.shape))]
    if len(images) > 1:
        raise CommandError(f'observations may hold one image, got {[key for key, _ in images]}')
    image, shape = images[0] if images else (None, None)
    return vectors, names, image, shape


def _control_period(env: Environment) -> float:
    inner = env.unwrapped
    rate = inner.metadata.get('render_fps')
    for value in (
        getattr(getattr(inner, 'config', None), 'control_period', None),
        getattr(inner, 'dt', None),
        1.0 / rate if rate else None,
    ):
        if isinstance(value, (int, float)) and value > 0:
            return float(value)
    return 1.0
