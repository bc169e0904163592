"""Angles from sensor values."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def roll_pitch(quaternion: Array) -> Array:
    """Return roll and pitch [rad], (2,), of a quaternion x y z w, (4,)."""
    x, y, z, w = quaternion
    roll = np.arctan2(2.0 * (w * x + y * z), 1.0 - 2.0 * (x * x + y * y))
    pitch = np.arcsin(np.clip(2.0 * (w * y - z * x), -1.0, 1.0))
    return np.array([roll, pitch])


def wrap(angle: Array) -> Array:
    """Return angles in [-pi, pi)."""
    return (angle + np.pi) % (2.0 * np.pi) - np.pi


def rotate(quaternion: Array, vectors: Array) -> Array:
    """Return vectors (N, 3) turned by a quaternion x y z w, (4,), which need not be normalised."""
    norm = np.linalg.norm(quaternion)
    x, y, z, w = quaternion / (norm if norm > 0 else 1.0)
    matrix = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    return np.asarray(vectors @ matrix.T)
