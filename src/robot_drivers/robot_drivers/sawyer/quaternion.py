"""Rotation matrices as quaternions x y z w, the order of ROS."""

import math

import numpy as np

from robot_drivers.sawyer.description import Array


def quaternion(matrix: Array) -> Array:
    """Return the unit quaternion x y z w with w >= 0 of a rotation matrix, shape (4,)."""
    trace = float(np.trace(matrix))
    largest = int(np.argmax([matrix[0, 0], matrix[1, 1], matrix[2, 2], trace]))
    if largest == 3:
        values = np.array(
            [
                matrix[2, 1] - matrix[1, 2],
                matrix[0, 2] - matrix[2, 0],
                matrix[1, 0] - matrix[0, 1],
                1.0 + trace,
            ]
        )
    else:
        i, j, k = largest, (largest + 1) % 3, (largest + 2) % 3
        values = np.empty(4)
        values[i] = 1.0 + 2.0 * matrix[i, i] - trace
        values[j] = matrix[j, i] + matrix[i, j]
        values[k] = matrix[k, i] + matrix[i, k]
        values[3] = matrix[k, j] - matrix[j, k]
    values /= math.sqrt(float(values @ values))
    return values if values[3] >= 0.0 else -values
