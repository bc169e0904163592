"""The learner's one public class: Soft Actor-Critic over batches of transitions."""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
import json
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from sac_core.parameters import check_values
from sac_core.policy_format import Architecture
from sac_core.policy_format import layout as policy_layout
from sac_learner.sac.backends import choose_update, default_threads
from sac_learner.sac.batch import Array, Batch, image_tensor, tensor
from sac_learner.sac.config import SacConfig
from sac_learner.sac.learnables import Learnables
from sac_learner.sac.networks import actor, encode, Networks
from sac_learner.sac.noise import generator_state, load_generator, NoiseSource
from sac_learner.sac.normalizer import Normalizer
from sac_learner.sac.objectives import squashed_gaussian
from sac_learner.sac.preparation import prepare
from sac_learner.sac.reference import ACTOR_METRICS, CRITIC_METRICS
from sac_learner.sac.schedule import plan_update

Tensor = torch.Tensor
PolicyArrays = dict[str, npt.NDArray[np.float32]]
State = dict[str, np.ndarray | int | float | str]


class DivergenceError(RuntimeError):
    """Learning produced numbers that are not finite."""


class Sac:
    """Soft Actor-Critic. Not thread-safe: one thread at a time calls its methods."""

    def __init__(
        self,
        vector_size: int,
        image_shape: tuple[int, int, int] | None,
        action_size: int,
        config: SacConfig,
        *,
        seed: int,
        device: str | torch.device = 'cpu',
        threads: int | None = None,
        backend: str = 'auto',
    ) -> None:
        """Draw the initial networks.

        Args:
            vector_size: Elements V of the vector observation, may be 0 with an image.
            image_shape: Height, width and channels of the image, or None.
            action_size: Elements A of an action.
            config: Settings.
            seed: Seed of everything random here; CPU runs with equal seeds are equal, with the
                backend 'torch' if their threads are equal too.
            device: Where to compute, as for torch.
            threads: CPU threads for the updates, torch's included; None: `default_threads()`.
            backend: 'native' (the compiled kernel), 'torch', 'reference' (readable, slow), or
                'auto': the fastest one that has every option of `config`.

        Raises:
            ValueError: `backend` is unknown or lacks an option of `config`.
        """
        self._device = torch.device(device)
        self._shape = Networks.of(vector_size, image_shape, action_size, config)
        self._config = config
        self._learnables = Learnables(self._shape, config, seed, self._device)
        self._normalizer = Normalizer(vector_size, self._device)
        images = image_shape is not None
        self._noise = NoiseSource(
            config, action_size, images=images, seed=seed, device=self._device
        )
        self._acting = np.random.default_rng([seed, 2])
        self._updates = 0
        if threads is not None and threads < 1:
            raise ValueError(f'threads must be at least 1, got {threads}')
        threads = threads or default_threads()
        torch.set_num_threads(threads)
        self.backend, self._update = choose_update(
            backend, self._shape, config, self._learnables, self._device, threads
        )

    @property
    def config(self) -> SacConfig:
        """The settings, with live changes."""
        return self._config

    @property
    def updates(self) -> int:
        """Critic updates done."""
        return self._updates

    @property
    def architecture(self) -> Architecture:
        """Architecture of the policy."""
        return self._shape.actor

    @property
    def alpha(self) -> float:
        """Temperature."""
        return math.exp(float(self._learnables.temperature.flat))

    def update(self, batches: Callable[[], Batch], count: int) -> dict[str, float]:
        """Take `count` critic updates, each on the next batch.

        Args:
            batches: Called once per update. The arrays it returns must stay as they are while
                the next `READ` of them are asked for, since the kernel reads them meanwhile.
            count: Number of updates, >= 1.

        Returns:
            Means over the call of the metrics that docs/sac.md explains; those of the policy only
            where it took a step.

        Raises:
            ValueError: A batch holds numbers that are not finite, or its shapes do not fit.
            DivergenceError: The update produced numbers that are not finite.
        """
        critic_values: list[Tensor] = []
        actor_values: list[Tensor] = []
        try:
            for _ in range(count):
                inputs = prepare(
                    batches(), self._shape, self._config, self._normalizer, self._device
                )
                plan = plan_update(self._config, self._updates, self._shape.actor.action_size)
                draws = self._noise.draw(inputs.action.shape[0], update_actor=plan.update_actor)
                of_critics, of_actor = self._update(inputs, draws, plan)
                critic_values.append(of_critics)
                if of_actor is not None:
                    actor_values.append(of_actor)
                self._updates += 1
        finally:  # a batch may be refused while the update before it is under way
            self._update.finish()
        metrics = _means(CRITIC_METRICS, critic_values)
        if actor_values:
            metrics |= _means(ACTOR_METRICS, actor_values)
            metrics['entropy'] = -metrics['log_prob_mean']
        broken = [name for name, value in metrics.items() if not math.isfinite(value)]
        if broken:
            raise DivergenceError(
                f'{", ".join(broken)} not finite after {self._updates} updates; go back to the '
                'last checkpoint, and lower the learning rates or set gradient_clip'
            )
        return metrics

    @property
    def averages(self) -> bool:
        """Whether there is a mean of the policy, besides the one that learns."""
        return self._learnables.average is not None

    def policy(self, *, averaged: bool = False) -> tuple[Architecture, PolicyArrays]:
        """Return the policy as sac_core.policy_format has it; copies, float32.

        Args:
            averaged: Whether to return its mean over updates, where `policy_average` asks for one,
                instead of the one that learns, which is to explore.
        """
        views = self._learnables.policy(averaged=averaged)
        if self._shape.shared_encoder:
            shared = self._learnables.critic.views
            views |= {name: v for name, v in shared.items() if name.startswith('encoder.')}
        views |= {
            'observation.mean': self._normalizer.mean,
            'observation.std': self._normalizer.std,
        }
        arrays = {
            name: views[name].detach().to('cpu', torch.float32).numpy().copy()
            for name, _ in policy_layout(self._shape.actor)
        }
        return self._shape.actor, arrays

    def load_policy(self, arrays: Mapping[str, npt.ArrayLike]) -> None:
        """Start from an existing policy of the same architecture; the critics stay as they are.

        Raises:
            ValueError: Names or shapes do not fit the architecture.
        """
        expected = dict(policy_layout(self._shape.actor))
        got = {name: np.shape(array) for name, array in arrays.items()}
        if got != expected:
            raise ValueError(f'policy must have arrays {expected}, got {got}')
        values = {
            name: torch.from_numpy(np.array(array, dtype=np.float32))
            for name, array in arrays.items()
        }
        views = self._learnables.actor.views
        if self._shape.shared_encoder:
            targets = self._learnables.critic.layout.views(self._learnables.target)
            for name in (n for n in expected if n.startswith('encoder.')):
                views[name] = self._learnables.critic.views[name]
                targets[name].copy_(values[name])
        for name, view in views.items():
            view.copy_(values[name])
        self._learnables.follow(1.0)
        self._normalizer.begin_with(values['observation.mean'], values['observation.std'])
        self._learnables.actor.forget()
        self._refresh()

    def act(
        self,
        vector: Array,
        image: Array | None = None,
        *,
        deterministic: bool = False,
        noise: Array | None = None,
    ) -> npt.NDArray[np.float32]:
        """Return actions in [-1, 1] for one observation (V,) or several (B, V).

        Args:
            vector: Raw vector observations.
            image: uint8 images, (H, W, C) or (B, H, W, C), where the policy sees.
            deterministic: Whether to return the mode of the averaged policy (see `policy`), not a
                sample of the one that learns.
            noise: Standard normal, of the shape of the actions, instead of the agent's own.
        """
        single = np.ndim(vector) == 1
        with torch.inference_mode():
            x = tensor(np.atleast_2d(np.asarray(vector, np.float32)), self._device)
            x = self._normalizer(x)
            p = self._learnables.policy(averaged=deterministic)
            if image is not None:
                seen = image_tensor(image[None] if single else image, self._device)
                encoder = self._learnables.critic.views if self._shape.shared_encoder else p
                x = torch.cat((encode(encoder, seen, self._shape.actor.encoder), x), dim=1)
            mean, log_std = actor(p, x, self._shape.actor)
            if deterministic:
                action = mean.tanh()
            else:
                drawn = (
                    self._acting.standard_normal(mean.shape, dtype=np.float32)
                    if noise is None
                    else np.asarray(noise, np.float32).reshape(mean.shape)
                )
                latent = torch.from_numpy(drawn).to(self._device)
                action, _ = squashed_gaussian(mean, log_std, latent)
            result = action.cpu().numpy()
        return result[0] if single else result

    def set_parameter(self, name: str, value: Any) -> None:
        """Change a setting while learning.

        Raises:
            ValueError: It cannot be changed, or the value is not admissible.
        """
        live = [item.name for item in fields(SacConfig) if item.metadata.get('live')]
        if name not in live:
            raise ValueError(f'{name!r} is fixed while learning; can change: {", ".join(live)}')
        check_values(SacConfig, {name: value})
        self._config = replace(self._config, **{name: value})

    def state(self) -> State:
        """Return everything that learning depends on: arrays (copies), numbers and texts."""
        state: State = {**self._learnables.state()}
        state |= {f'normalizer.{name}': value for name, value in self._normalizer.state().items()}
        state |= self._noise.state()
        state['random.acting'] = generator_state(self._acting)
        state['updates'] = self._updates
        state['live'] = json.dumps(
            {
                item.name: getattr(self._config, item.name)
                for item in fields(SacConfig)
                if item.metadata.get('live')
            }
        )
        return state

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue where `state` was taken; on the same CPU and threads exactly.

        Raises:
            ValueError: The state is of other networks, or incomplete.
        """
        try:
            self._learnables.load_state(state)
            self._normalizer.load_state(
                {name: state[f'normalizer.{name}'] for name in self._normalizer.state()}
            )
            self._noise.load_state({k: v for k, v in state.items() if k.startswith('random.')})
            load_generator(self._acting, str(state['random.acting']))
            self._updates = int(state['updates'])
            self._config = replace(self._config, **json.loads(str(state['live'])))
        except KeyError as error:
            raise ValueError(f'state lacks {error}; it is incomplete') from error
        self._refresh()

    def _refresh(self) -> None:
        """Tell the update that parameters were written from outside."""
        refresh = getattr(self._update, 'refresh', None)
        if refresh:
            refresh()


def _means(names: tuple[str, ...], values: list[Tensor]) -> dict[str, float]:
    return dict(zip(names, torch.stack(values).mean(dim=0).tolist(), strict=True))
