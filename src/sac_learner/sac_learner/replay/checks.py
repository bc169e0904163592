"""What a transition must look like to be appended."""

from __future__ import annotations

from sac_learner.replay.errors import ReplayError
from sac_learner.replay.layout import Layout
from sac_learner.replay.transition import ReplayTransition

LARGEST_SEQUENCE = 2**62


def check_sequence(stream: str, sequence: int, reached: int) -> None:
    """Raise a ReplayError unless ``sequence`` is new."""
    if not reached < sequence <= LARGEST_SEQUENCE:
        raise ReplayError(
            f'sequence {sequence} of stream {stream!r} must lie above {reached}, which it has '
            f'reached, and not above {LARGEST_SEQUENCE}'
        )


def check_sizes(transition: ReplayTransition, layout: Layout) -> None:
    """Raise a ReplayError unless all arrays have the sizes of ``layout``."""
    size = (layout.vector_size,)
    if transition.vector.shape != size or transition.next_vector.shape != size:
        raise ReplayError(
            f'both observations must have shape {size}, '
            f'got {transition.vector.shape} and {transition.next_vector.shape}'
        )
    if transition.action.shape != (layout.action_size,):
        raise ReplayError(
            f'an action must have shape ({layout.action_size},), got {transition.action.shape}'
        )
    shape = layout.image_shape
    if shape is None:
        return
    if transition.next_image is None:
        raise ReplayError('next_image is missing, but the replay holds images')
    for image in (transition.image, transition.next_image):
        if image is not None and (image.shape != shape or image.dtype != 'uint8'):
            raise ReplayError(
                f'images must be uint8 of shape {shape}, got {image.dtype} of shape {image.shape}'
            )
