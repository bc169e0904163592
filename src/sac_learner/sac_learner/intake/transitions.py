"""A transition message as what the replay takes."""

from typing import Any, TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sac_learner.replay import ReplayTransition

if TYPE_CHECKING:
    from sac_msgs.msg import Transition


def stream_key(agent_id: str, stream_id: str) -> str:
    """Return the name under which the replay keeps one agent's stream."""
    return f'{agent_id}/{stream_id}'


def from_message(msg: 'Transition', image_shape: tuple[int, int, int] | None) -> ReplayTransition:
    """Return the content of a message, sharing its memory.

    Args:
        msg: The message.
        image_shape: Height, width, channels of images, or None without a camera.

    Raises:
        ValueError: An image has another size than the agent announced.
    """
    return ReplayTransition(
        sequence=msg.sequence,
        vector=np.frombuffer(msg.observation.vector, np.float32),
        image=_image(msg.observation.image, image_shape),
        next_vector=np.frombuffer(msg.next_observation.vector, np.float32),
        next_image=_image(msg.next_observation.image, image_shape),
        action=np.frombuffer(msg.action, np.float32),
        reward=msg.reward,
        terminated=msg.terminated,
        truncated=msg.truncated,
        segment_start=msg.segment_start,
    )


def _image(data: Any, shape: tuple[int, int, int] | None) -> npt.NDArray[np.uint8] | None:
    pixels = np.frombuffer(data, np.uint8)
    if shape is None or not pixels.size:
        return None
    if pixels.size != shape[0] * shape[1] * shape[2]:
        raise ValueError(f'an image must have shape {shape}, got {pixels.size} bytes')
    return pixels.reshape(shape)
