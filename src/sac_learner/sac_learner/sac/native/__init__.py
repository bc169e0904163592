"""The update as a compiled kernel for the CPU: same mathematics, same memory, no autograd."""

from collections import deque
import ctypes
from typing import Any
import weakref

import torch

from sac_learner.sac.adam import AdamSettings
from sac_learner.sac.batch import Inputs, READ
from sac_learner.sac.config import SacConfig
from sac_learner.sac.learnables import Learnables, Trained
from sac_learner.sac.native.library import (
    Convolution,
    GROUP,
    Int,
    kernel,
    KernelError,
    Memory,
    Optimizer,
    Pointer,
    Shape,
    Step,
)
from sac_learner.sac.networks import Networks
from sac_learner.sac.noise import Draws
from sac_learner.sac.reference import ACTOR_METRICS, CRITIC_METRICS
from sac_learner.sac.schedule import Plan

Tensor = torch.Tensor


class NativeUpdate:
    """Works on the memory of a `Learnables` like `ReferenceUpdate`, through kernel.cpp."""

    def __init__(
        self, shape: Networks, config: SacConfig, learnables: Learnables, *, threads: int
    ) -> None:
        """Start the kernel's other threads and copy the weights into its own order.

        Raises:
            KernelError: The kernel is not there.
        """
        self._config, self._all = config, learnables
        self._library = kernel()
        self._images = shape.actor.image_shape is not None
        kernel_shape = _shape(shape, config, threads)
        actor, critic = learnables.actor, learnables.critic
        heat = learnables.temperature
        tensors = (
            *(actor.flat, actor.m, actor.v, critic.flat, critic.m, critic.v),
            *(learnables.target, heat.flat, heat.m, heat.v),
        )
        average = None if learnables.average is None else learnables.average.data_ptr()
        memory = Memory(*(item.data_ptr() for item in tensors), average)
        self._handle = self._library.sac_create(kernel_shape, memory)
        if not self._handle:
            raise KernelError(f'no memory or threads ({threads}) left for the kernel')
        # What the steps under way point to, and the actions among it.
        self._held: deque[object] = deque(maxlen=READ + 1)
        self._reading: deque[int] = deque(maxlen=READ)
        self._steps, self._gathered = (Step * GROUP)(), 0  # to be handed over
        for step in self._steps:
            step.learn_temperature = config.learn_temperature
            step.entropy_backup = config.entropy_backup
            step.mean_reduction = config.actor_reduction == 'mean'
            step.tau = config.tau
        weakref.finalize(self, self._library.sac_destroy, self._handle)

    @staticmethod
    def missing(shape: Networks, config: SacConfig, device: torch.device) -> str | None:
        """Return why the kernel cannot serve these options, or None."""
        lacking = {
            'a device other than the CPU': device.type != 'cpu',
            'overlapping pooling': any(
                layer.pool > layer.pool_stride for layer in shape.actor.encoder
            ),
            'activations other than relu': {config.actor_activation, config.critic_activation}
            != {'relu'},
            'batch normalisation': config.critic_batch_norm,
        }
        reasons = [text for text, applies in lacking.items() if applies]
        if reasons:
            return f'the kernel does not know {", ".join(reasons)}'
        try:
            kernel()
        except KernelError as error:
            return str(error)
        return None

    def refresh(self) -> None:
        """Read parameters that were written from outside."""
        self._library.sac_refresh(self._handle)

    def __call__(self, inputs: Inputs, draws: Draws, plan: Plan) -> tuple[Tensor, Tensor | None]:
        """Note a step or begin it; return what `ReferenceUpdate` returns, written at `finish`.

        After the first, steps are handed over some at a time: between two of the kernel's the
        interpreter finds none of its memory in the caches, which would cost more than what it
        does. The caller works on the steps before until only one is left, of which it leaves the
        later phases to the other threads: so up to `READ` batches are being read while it samples.

        Raises:
            ValueError: The batch lies in memory from which a step under way still reads.
        """
        if inputs.action.data_ptr() in self._reading:
            raise ValueError(
                'a batch was written over another one that is being read; '
                f'return other arrays, or fill {READ + 1} of them in turn'
            )
        self._reading.append(inputs.action.data_ptr())
        step = self._steps[self._gathered]
        metrics = torch.empty(len(CRITIC_METRICS) + len(ACTOR_METRICS))
        step.metrics = metrics.data_ptr()
        step.batch = inputs.action.shape[0]
        step.update_actor, step.update_target = plan.update_actor, plan.update_target
        step.target_entropy, step.average = plan.target_entropy, plan.average
        step.vector, step.action = inputs.vector.data_ptr(), inputs.action.data_ptr()
        step.reward, step.discount = inputs.reward.data_ptr(), inputs.discount.data_ptr()
        step.next_vector = inputs.next_vector.data_ptr()
        step.next_noise = draws.next_noise.data_ptr()
        step.noise = None if draws.noise is None else draws.noise.data_ptr()
        # Views of the images where they are (B, H, W, C) already.
        images = (_pixels(inputs.image), _pixels(inputs.next_image)) if self._images else ()
        if images:
            step.image, step.next_image = (item.data_ptr() for item in images)
            step.shifts = None if draws.shifts is None else draws.shifts.data_ptr()
        masks = {
            name: (Pointer * len(layers))(*(layer.data_ptr() for layer in layers))
            for name, layers in (draws.masks or {}).items()
        }
        step.target_masks, step.critic_masks, step.actor_masks = (
            ctypes.addressof(masks[name]) if name in masks else None
            for name in ('target', 'critic', 'actor')
        )
        subset = draws.subset or []
        indices = (Int * len(subset))(*subset)
        step.subset_size, step.subset = len(subset), ctypes.addressof(indices)
        learnables = self._all
        _settings(step.critic, learnables.critic, plan.critic)
        if plan.update_actor:
            _settings(step.actor, learnables.actor, plan.actor)
            if self._config.learn_temperature:
                _settings(step.temperature, learnables.temperature, plan.temperature)
        self._held.append((inputs, draws, metrics, images, masks, indices))
        self._gathered += 1
        first = len(self._held) == 1  # the other threads have nothing to do yet
        if first or self._gathered == GROUP:
            self._hand_over()
        critic_metrics = metrics[: len(CRITIC_METRICS)]
        return critic_metrics, metrics[len(CRITIC_METRICS) :] if plan.update_actor else None

    def finish(self) -> None:
        """Wait until every step is taken and its metrics are written."""
        self._hand_over()
        self._library.sac_wait(self._handle)
        self._held.clear()
        self._reading.clear()

    def _hand_over(self) -> None:
        if self._gathered:
            self._library.sac_submit(self._handle, self._steps, self._gathered)
            self._gathered = 0


def _shape(shape: Networks, config: SacConfig, threads: int) -> Shape:
    """Return the networks as the kernel wants them."""
    policy = shape.actor
    actor_hidden, critic_hidden, layers = policy.hidden, shape.critic_hidden, policy.encoder
    names = ('channels', 'kernel', 'stride', 'padding', 'pool', 'pool_stride')
    convolutions = (Convolution(*(getattr(layer, name) for name in names)) for layer in layers)
    height, width, channels = policy.image_shape or (0, 0, 0)
    values: dict[str, Any] = {
        'vector': policy.vector_size,
        'action': policy.action_size,
        'critics': shape.critics,
        'actor_layers': len(actor_hidden),
        'critic_layers': len(critic_hidden),
        'threads': threads,
        'has_target': int(config.target_networks),
        'height': height,
        'width': width,
        'image_channels': channels,
        'convolutions': len(layers),
        'shared_encoder': int(shape.shared_encoder),
        'actor_layer_norm': int(policy.layer_norm),
        'critic_layer_norm': int(shape.layer_norm),
        'actor_hidden': (Int * len(actor_hidden))(*actor_hidden),
        'critic_hidden': (Int * len(critic_hidden))(*critic_hidden),
        'encoder': (Convolution * len(layers))(*convolutions),
        'log_std_min': config.log_std_min,
        'log_std_max': config.log_std_max,
    }
    return Shape(**values)


def _pixels(image: Tensor | None) -> Tensor:
    """Return images (B, C, H, W) as uint8 (B, H, W, C), in memory in this order."""
    assert image is not None
    return image.permute(0, 2, 3, 1).to(torch.uint8).contiguous()


def _settings(target: Optimizer, item: Trained, settings: AdamSettings) -> None:
    """Count a step and write its settings."""
    item.steps += 1
    target.learning_rate = settings.learning_rate
    target.beta1, target.beta2 = settings.beta1, settings.beta2
    target.epsilon = settings.epsilon
    target.weight_decay, target.clip = settings.weight_decay, settings.clip
    target.correction1 = 1.0 - settings.beta1**item.steps
    target.correction2 = 1.0 - settings.beta2**item.steps
