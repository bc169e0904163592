"""From a sampled batch to what the objectives see."""

import math

import torch

from sac_learner.sac.batch import Batch, image_tensor, Inputs, tensor
from sac_learner.sac.config import SacConfig
from sac_learner.sac.networks import Networks
from sac_learner.sac.normalizer import Normalizer

Tensor = torch.Tensor


def prepare(
    batch: Batch,
    shape: Networks,
    config: SacConfig,
    normalizer: Normalizer,
    device: torch.device,
) -> Inputs:
    """Return a batch on the device, with its rewards shaped and its vectors normalised.

    Args:
        batch: B transitions.
        shape: Of the networks, which the batch must fit.
        config: How rewards are shaped, and whether statistics are followed.
        normalizer: Takes the batch into account where they are.
        device: Where to compute.

    Raises:
        ValueError: The batch holds numbers that are not finite, or its shapes do not fit.
    """
    vector, next_vector = tensor(batch.vector, device), tensor(batch.next_vector, device)
    reward, discount = tensor(batch.reward, device), tensor(batch.discount, device)
    action = tensor(batch.action, device)
    _check(shape, vector, next_vector, action, reward, discount)
    sign = 1.0 if config.objective == 'maximise' else -1.0
    if config.reward_scale != 1.0 or sign < 0.0:
        reward = reward * (sign * config.reward_scale)
    if config.reward_bias:
        if batch.reward_weight is not None:
            reward = reward + config.reward_bias * tensor(batch.reward_weight, device)
        elif config.n_step == 1:
            reward = reward + config.reward_bias
        else:
            raise ValueError('reward_bias with n_step > 1 needs batches with reward_weight')
    if config.normalize_observations:
        normalizer.update(vector)
        vector, next_vector = normalizer(vector), normalizer(next_vector)
    elif normalizer.batches:  # fixed statistics that came with a policy
        vector, next_vector = normalizer(vector), normalizer(next_vector)
    image = next_image = None
    if shape.actor.image_shape is not None:
        if batch.image is None or batch.next_image is None:
            raise ValueError(f'batch must hold images {shape.actor.image_shape}')
        image, next_image = (
            image_tensor(batch.image, device),
            image_tensor(batch.next_image, device),
        )
    return Inputs(vector, action, reward, discount, next_vector, image, next_image)


def _check(
    shape: Networks,
    vector: Tensor,
    next_vector: Tensor,
    action: Tensor,
    reward: Tensor,
    discount: Tensor,
) -> None:
    size = action.shape[0]
    expected = {
        'vector': (vector, (size, shape.actor.vector_size)),
        'next_vector': (next_vector, (size, shape.actor.vector_size)),
        'action': (action, (size, shape.actor.action_size)),
        'reward': (reward, (size,)),
        'discount': (discount, (size,)),
    }
    for name, (value, wanted) in expected.items():
        if value.shape != wanted:
            raise ValueError(
                f'{name} of the batch must have shape {wanted}, got {tuple(value.shape)}'
            )
        # A sum is finite unless an element is not; checked on the CPU only, where it is cheap.
        if value.device.type == 'cpu' and not math.isfinite(float(value.sum())):
            raise ValueError(f'{name} of the batch holds numbers that are not finite')
