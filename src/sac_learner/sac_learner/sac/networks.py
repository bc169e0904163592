"""Actor and critics as pure functions of named parameters.

The actor computes what `sac_core.policy_format.Architecture` promises, so that its parameters are
the published policy. All N critics are one stack: every weight has a leading axis of size N.
Shapes: B transitions, V vector elements, F image features, A action elements, U units of a layer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
import math

import numpy as np
import torch
from torch.nn import functional

from sac_core.policy_format import Architecture, ConvLayer
from sac_core.policy_format import layout as policy_layout
from sac_learner.sac.config import SacConfig

Tensor = torch.Tensor
Parameters = Mapping[str, Tensor]

NORM_EPSILON = 1e-5
BATCH_NORM_EPSILON = 1e-3
RENORM_MAX_RATIO, RENORM_MAX_SHIFT = 3.0, 5.0

ENCODERS: dict[str, tuple[ConvLayer, ...]] = {
    # [SAC] section 7.3: two convolutions of four 3x3 filters, each with 3x3 max pooling. The paper
    # leaves padding and strides open; these keep the picture's size before each pooling.
    'paper': (ConvLayer(4, 3, 1, 1, 3, 3), ConvLayer(4, 3, 1, 1, 3, 3)),
    'stride2': (ConvLayer(16, 3, 2, 1), ConvLayer(32, 3, 2, 1), ConvLayer(32, 3, 2, 1)),
    'drq': (ConvLayer(32, 3, 2), ConvLayer(32, 3), ConvLayer(32, 3), ConvLayer(32, 3)),
}


class Layout:
    """Names and shapes of arrays that lie one after the other in a flat vector."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Fix the order."""
        self.shapes = dict(shapes)
        self.sizes = [math.prod(shape) for shape in self.shapes.values()]
        self.total = sum(self.sizes)

    def views(self, flat: Tensor) -> dict[str, Tensor]:
        """Return the named arrays as views; one split, so that one gradient comes back."""
        parts = torch.split(flat, self.sizes)
        items = zip(self.shapes.items(), parts, strict=True)
        return {name: part.view(shape) for (name, shape), part in items}


@dataclass(frozen=True)
class Networks:
    """Shapes of all networks of a learner."""

    actor: Architecture
    critics: int
    critic_hidden: tuple[int, ...]
    critic_activation: str
    layer_norm: bool
    batch_norm: bool
    shared_encoder: bool

    @classmethod
    def of(
        cls,
        vector_size: int,
        image_shape: tuple[int, int, int] | None,
        action_size: int,
        config: SacConfig,
    ) -> 'Networks':
        """Return the networks that a configuration asks for."""
        actor = Architecture(
            vector_size=vector_size,
            action_size=action_size,
            image_shape=image_shape,
            hidden=config.actor_hidden,
            activation=config.actor_activation,
            layer_norm=config.actor_layer_norm,
            encoder=ENCODERS[config.encoder] if image_shape else (),
            log_std_bounds=(config.log_std_min, config.log_std_max),
        )
        return cls(
            actor=actor,
            critics=config.critics,
            critic_hidden=config.critic_hidden,
            critic_activation=config.critic_activation,
            layer_norm=config.critic_layer_norm,
            batch_norm=config.critic_batch_norm,
            shared_encoder=config.encoder_sharing == 'shared' and image_shape is not None,
        )

    @property
    def critic_input(self) -> int:
        """Size of (features, vector, action)."""
        return self.actor.feature_size + self.actor.vector_size + self.actor.action_size

    def actor_layout(self) -> Layout:
        """Return what the actor's optimiser owns.

        That is the policy without its normaliser, and without an encoder that the critics train.
        """
        shapes = dict(policy_layout(self.actor))
        return Layout(
            {
                name: shape
                for name, shape in shapes.items()
                if not name.startswith('observation.')
                and not (self.shared_encoder and name.startswith('encoder.'))
            }
        )

    def critic_layout(self) -> Layout:
        """Return the stack of critics behind their common encoder."""
        shapes: dict[str, tuple[int, ...]] = {
            name: shape for name, shape in policy_layout(self.actor) if name.startswith('encoder.')
        }
        n, size = self.critics, self.critic_input
        if self.batch_norm:
            shapes |= {'input.norm.weight': (n, 1, size), 'input.norm.bias': (n, 1, size)}
        for i, units in enumerate(self.critic_hidden):
            shapes[f'hidden.{i}.weight'] = (n, size, units)
            shapes[f'hidden.{i}.bias'] = (n, 1, units)
            if self.layer_norm or self.batch_norm:
                shapes[f'hidden.{i}.norm.weight'] = (n, 1, units)
                shapes[f'hidden.{i}.norm.bias'] = (n, 1, units)
            size = units
        shapes |= {'q.weight': (n, size, 1), 'q.bias': (n, 1, 1)}
        return Layout(shapes)

    def statistics_layout(self) -> Layout:
        """Return the running means and variances of batch normalisation."""
        shapes: dict[str, tuple[int, ...]] = {}
        if self.batch_norm:
            sizes = {'input': self.critic_input}
            sizes |= {f'hidden.{i}': units for i, units in enumerate(self.critic_hidden)}
            for name, size in sizes.items():
                shapes[f'{name}.mean'] = shapes[f'{name}.variance'] = (self.critics, 1, size)
        return Layout(shapes)


def initial(layout: Layout, generator: np.random.Generator) -> Tensor:
    """Return initial parameters: uniform in +-1/sqrt(inputs), norms at one and zero."""
    arrays, bound = [], 1.0
    for name, shape in layout.shapes.items():
        if '.norm.' in name:
            arrays.append(np.full(math.prod(shape), float(name.endswith('weight')), np.float32))
            continue
        if name.endswith('weight'):  # the bias that follows has the same bound
            inputs = math.prod(shape[1:]) if name.startswith('encoder.') else shape[-2]
            bound = 1.0 / math.sqrt(inputs)
        arrays.append(generator.uniform(-bound, bound, math.prod(shape)).astype(np.float32))
    return torch.from_numpy(np.concatenate(arrays))


def activate(x: Tensor, name: str) -> Tensor:
    """Return relu, tanh, elu or silu of x."""
    if name == 'tanh':
        return torch.tanh(x)
    result: Tensor = getattr(functional, name)(x)
    return result


def encode(p: Parameters, image: Tensor, layers: tuple[ConvLayer, ...]) -> Tensor:
    """Return the features, shape (B, F), of uint8 images of shape (B, C, H, W)."""
    x = image.to(torch.float32) / 255.0
    for i, layer in enumerate(layers):
        weight, bias = p[f'encoder.{i}.weight'], p[f'encoder.{i}.bias']
        x = functional.conv2d(x, weight, bias, stride=layer.stride, padding=layer.padding).relu()
        if layer.pool > 1:
            x = functional.max_pool2d(x, layer.pool, layer.pool_stride)
    return x.flatten(1)


def actor(p: Parameters, features: Tensor, shape: Architecture) -> tuple[Tensor, Tensor]:
    """Return mean and log standard deviation before squashing, each (B, A).

    Args:
        p: Parameters as in the policy's layout.
        features: Image features and normalised vector, shape (B, F + V).
        shape: Architecture of the policy.
    """
    x = features
    for i, units in enumerate(shape.hidden):
        x = torch.addmm(p[f'hidden.{i}.bias'], x, p[f'hidden.{i}.weight'])
        if shape.layer_norm:
            scale, shift = p[f'hidden.{i}.norm.weight'], p[f'hidden.{i}.norm.bias']
            x = functional.layer_norm(x, (units,), scale, shift, NORM_EPSILON)
        x = activate(x, shape.activation)
    mean = torch.addmm(p['mean.bias'], x, p['mean.weight'])
    log_std = torch.addmm(p['log_std.bias'], x, p['log_std.weight'])
    return mean, log_std.clamp(*shape.log_std_bounds)


@dataclass
class BatchNorm:
    """Batch renormalisation (Ioffe 2017, arXiv:1702.03275) of one pass through the critics.

    Attributes:
        statistics: Running means and variances, mutated by training passes.
        training: Whether to normalise by the batch; else by the running statistics.
        renormalise: Whether the running statistics correct those of the batch.
        momentum: Step of the running statistics.
        fresh: New running statistics; `commit` writes them, so that a pass stays pure.
    """

    statistics: Parameters
    training: bool
    renormalise: bool
    momentum: float
    fresh: dict[str, Tensor] = field(default_factory=dict)

    def __call__(self, p: Parameters, name: str, x: Tensor) -> Tensor:
        """Return the normalised activations, shape (N, B, U)."""
        mean, variance = self.statistics[f'{name}.mean'], self.statistics[f'{name}.variance']
        scale, shift = p[f'{name}.norm.weight'], p[f'{name}.norm.bias']
        running_std = (variance + BATCH_NORM_EPSILON).sqrt()
        if not self.training:
            return (x - mean) / running_std * scale + shift
        batch_mean = x.mean(dim=1, keepdim=True)
        batch_variance = x.var(dim=1, keepdim=True, correction=0)
        std = (batch_variance + BATCH_NORM_EPSILON).sqrt()
        y = (x - batch_mean) / std
        if self.renormalise:
            ratio = (std / running_std).detach().clamp(1.0 / RENORM_MAX_RATIO, RENORM_MAX_RATIO)
            drift = (batch_mean - mean).detach() / running_std
            y = y * ratio + drift.clamp(-RENORM_MAX_SHIFT, RENORM_MAX_SHIFT)
        self.fresh[f'{name}.mean'] = mean.lerp(batch_mean.detach(), self.momentum)
        self.fresh[f'{name}.variance'] = variance.lerp(batch_variance.detach(), self.momentum)
        return y * scale + shift

    def commit(self) -> None:
        """Write the running statistics of the pass."""
        for name, value in self.fresh.items():
            self.statistics[name].copy_(value)


def critics(
    p: Parameters,
    features: Tensor,
    action: Tensor,
    shape: Networks,
    *,
    masks: list[Tensor] | None = None,
    batch_norm: BatchNorm | None = None,
) -> Tensor:
    """Return all critics at (s, a), shape (N, B).

    Args:
        p: Parameters as in `Networks.critic_layout`.
        features: Image features and normalised vector, shape (B, F + V).
        action: Actions, shape (B, A).
        shape: Shapes of the networks.
        masks: Dropout masks, one per hidden layer of shape (N, B, U), 0 or 1 / (1 - rate).
        batch_norm: How to batch-normalise, needed where the networks ask for it.
    """
    n = p['q.weight'].shape[0]
    x = torch.cat((features, action), dim=1).expand(n, -1, -1)
    if batch_norm:
        x = batch_norm(p, 'input', x)
    for i, units in enumerate(shape.critic_hidden):
        x = torch.baddbmm(p[f'hidden.{i}.bias'], x, p[f'hidden.{i}.weight'])
        if masks:
            x = x * masks[i]
        if shape.layer_norm:
            x = functional.layer_norm(x, (units,), eps=NORM_EPSILON)
            x = x * p[f'hidden.{i}.norm.weight'] + p[f'hidden.{i}.norm.bias']
        x = activate(x, shape.critic_activation)
        if batch_norm:
            x = batch_norm(p, f'hidden.{i}', x)
    return torch.baddbmm(p['q.bias'], x, p['q.weight']).squeeze(2)
