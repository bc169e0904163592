"""What goes into a replay, and how a moment of its life is named."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ReplayTransition:
    """One control step of one stream.

    ``image`` may be None when the step continues the previous one: the observation is then the
    frame that is already stored.
    """

    sequence: int  # 1, 2, 3 ... within the stream, ascending
    vector: NDArray[np.float32]  # (V,)
    action: NDArray[np.float32]  # (A,), in [-1, 1]
    reward: float
    next_vector: NDArray[np.float32]  # (V,)
    terminated: bool = False  # next_vector has no value
    truncated: bool = False  # the episode was cut, next_vector keeps its value
    segment_start: bool = False  # the observation does not continue the previous transition
    image: NDArray[np.uint8] | None = None  # (H, W, C), or None
    next_image: NDArray[np.uint8] | None = None  # (H, W, C), None without a camera
    train: bool = True  # False: the frame is kept for what follows, the step is never sampled


@dataclass(frozen=True)
class ReplayMark:
    """A moment in a replay's life, to which a run can be resumed exactly."""

    head: int  # slots written so far
    count: int  # transitions appended so far
    size: int  # transitions that can be sampled
    streams: dict[str, int] = field(default_factory=dict)  # stream -> highest sequence handled

    def to_json(self) -> dict[str, Any]:
        """Return the mark as plain JSON values."""
        return {
            'head': self.head,
            'count': self.count,
            'size': self.size,
            'streams': dict(self.streams),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ReplayMark:
        """Return the mark that :meth:`to_json` described.

        Raises:
            ValueError: A value is missing or of the wrong type.
        """
        try:
            streams = {str(key): int(value) for key, value in data['streams'].items()}
            return cls(int(data['head']), int(data['count']), int(data['size']), streams)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(
                f'a replay mark needs head, count, size and streams, got {data!r} ({error!r})'
            ) from error
