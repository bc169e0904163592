"""A stored policy as a torch module: normaliser, network, squashing and action scaling in one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import yaml

from sac_core.policy_format import Architecture, load_policy, PolicyFormatError
from sac_learner.command_line import CommandError
from sac_learner.sac.networks import actor, encode

Tensor = torch.Tensor

CHOICES = ('best', 'latest')


class PolicyModule(torch.nn.Module):
    """The mode of a policy, from raw observations to scaled actions."""

    def __init__(
        self,
        architecture: Architecture,
        arrays: Mapping[str, npt.ArrayLike],
        low: npt.ArrayLike = -1.0,
        high: npt.ArrayLike = 1.0,
    ) -> None:
        """Copy the weights.

        Args:
            architecture: Shapes of the policy.
            arrays: As sac_core.policy_format lays them out.
            low: Action that -1 stands for, shape (A,) or one number.
            high: Action that +1 stands for.

        Raises:
            ValueError: `low` or `high` do not have one number per action.
        """
        super().__init__()
        self._architecture = architecture
        self._names = {name: name.replace('.', '_') for name in arrays}
        for name, value in arrays.items():
            self.register_buffer(self._names[name], _tensor(value))
        size = (architecture.action_size,)
        lowest, highest = _tensor(low).broadcast_to(size), _tensor(high).broadcast_to(size)
        self.register_buffer('action_low', lowest.clone())
        self.register_buffer('action_high', highest.clone())
        self.register_buffer('action_centre', (highest + lowest) / 2)
        self.register_buffer('action_half', (highest - lowest) / 2)

    def forward(self, vector: Tensor, image: Tensor | None = None) -> Tensor:
        """Return actions (B, A) for raw vectors (B, V) and uint8 images (B, H, W, C)."""
        p: dict[str, Tensor] = {name: getattr(self, key) for name, key in self._names.items()}
        x = (vector - p['observation.mean']) / p['observation.std']
        if image is not None:
            features = encode(p, image.permute(0, 3, 1, 2), self._architecture.encoder)
            x = torch.cat((features, x), dim=1)
        mean, _ = actor(p, x, self._architecture)
        low, high, centre, half = (
            getattr(self, f'action_{name}') for name in ('low', 'high', 'centre', 'half')
        )
        return torch.clamp(centre + half * mean.tanh(), low, high)

    @property
    def architecture(self) -> Architecture:
        """Shapes of the policy."""
        return self._architecture

    def example(self) -> tuple[Tensor, ...]:
        """Return inputs of the right shapes, a batch of two."""
        a = self._architecture
        vector = torch.zeros(2, a.vector_size)
        if a.image_shape is None:
            return (vector,)
        return vector, torch.zeros(2, *a.image_shape, dtype=torch.uint8)

    def act(
        self, vector: npt.NDArray[np.float32], image: npt.NDArray[np.uint8] | None = None
    ) -> npt.NDArray[np.float32]:
        """Return the action (A,) for one observation."""
        with torch.inference_mode():
            seen = () if image is None else (torch.from_numpy(image)[None],)
            action: npt.NDArray[np.float32] = self(torch.from_numpy(vector)[None], *seen)[
                0
            ].numpy()
        return action


def run_config(run: Path) -> dict[str, Any]:
    """Return the configuration of a run directory; empty where there is none."""
    path = run / 'config.yaml'
    try:
        content = yaml.safe_load(path.read_text()) if path.exists() else {}
    except (OSError, yaml.YAMLError) as error:
        raise CommandError(f'{path} cannot be read: {error}') from error
    return content if isinstance(content, dict) else {}


def find_policy(source: Path, which: str = 'best') -> Path:
    """Return the policy file of a run, of a checkpoint, or the file itself.

    Args:
        source: Run directory, checkpoint directory or file.
        which: 'best' falls back on the latest while there has been no evaluation.

    Raises:
        CommandError: There is none.
    """
    if source.is_file():
        return source
    latest = sorted(source.glob('checkpoints/checkpoint_*/policy.safetensors'), reverse=True)
    best = source / 'checkpoints' / 'best' / 'policy.safetensors'
    candidates = [source / 'policy.safetensors', *([best] if which == 'best' else []), *latest]
    for path in candidates:
        if path.exists():
            return path
    raise CommandError(
        f'{source} is neither a policy file nor a run directory with a checkpoint in it'
    )


def load(source: Path, which: str = 'best') -> tuple[Path, Architecture, dict[str, Any]]:
    """Return the file, the architecture and the arrays of a policy.

    Raises:
        CommandError: There is none.
    """
    path = find_policy(source, which)
    try:
        architecture, arrays, _ = load_policy(path)
    except PolicyFormatError as error:
        raise CommandError(str(error)) from error
    return path, architecture, dict(arrays)


def _tensor(value: npt.ArrayLike) -> Tensor:
    return torch.from_numpy(np.array(value, dtype=np.float32))
