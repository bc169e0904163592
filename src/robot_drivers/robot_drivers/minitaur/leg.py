"""Legs of Minitaur: leg space to motor angles and back, and the five-bar linkage.

Two coaxial motors drive each leg. Their angles theta are 0 with the upper link straight up, pi/2
with it horizontal and pi with it straight down; the outer link turns towards the back of the
robot, the inner one towards the front. Leg space describes the same pose by

    swing      turns the whole leg; positive moves the foot BACKWARD, on all four legs
    extension  mean of both motor angles; more is longer

    theta_L = extension - sigma swing,   theta_R = extension + sigma swing,   sigma = 1, 1, -1, -1

Legs are ordered front left, back left, front right, back right; motors L (y+) before R in each
leg. Source of mapping, order and lengths: bulletphysics/bullet3, minitaur.py and
minitaur_rainbow_dash.urdf.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

LEGS = ('front_left', 'back_left', 'front_right', 'back_right')
MOTOR_JOINTS = tuple(f'motor_{leg}{side}_joint' for leg in LEGS for side in 'LR')
LEG_CHANNELS = (*(f'swing_{i}' for i in range(4)), *(f'extension_{i}' for i in range(4)))

SWING_SIGN = np.array([1.0, 1.0, -1.0, -1.0])
OUTER = np.array([0, 2, 5, 7])  # motor of each leg whose lower link carries the foot
INNER = np.array([1, 3, 4, 6])

UPPER_LENGTH = 0.101  # hip to knee [m]
LONG_LENGTH = 0.208  # knee to pin of the lower link that carries the foot [m]
SHORT_LENGTH = 0.200  # knee to pin of the other lower link [m]
FOOT_LENGTH = 0.240  # knee to tip of the foot [m]
HIPS = np.array(  # motor axes in the base frame, middle between both motors [m]
    [
        [0.2375, 0.1265, -0.0185],
        [-0.2375, 0.1265, -0.0185],
        [0.2375, -0.1265, -0.0185],
        [-0.2375, -0.1265, -0.0185],
    ]
)

NEUTRAL_EXTENSION = 2.0  # [rad], swing 0
NEUTRAL = np.array([0.0] * 4 + [NEUTRAL_EXTENSION] * 4)  # leg space
NEUTRAL.setflags(write=False)


def motor_angles(leg: ArrayLike) -> Array:
    """Return motor angles (8,) [rad] of leg angles: swing (4,) then extension (4,) [rad]."""
    swing, extension = _eight('leg angles', leg).reshape(2, 4)
    theta = np.empty(8)
    theta[0::2] = extension - SWING_SIGN * swing
    theta[1::2] = extension + SWING_SIGN * swing
    return theta


def leg_angles(theta: ArrayLike) -> Array:
    """Return swing (4,) and extension (4,) [rad] of motor angles (8,) [rad]: the inverse."""
    theta = _eight('motor angles', theta)
    left, right = theta[0::2], theta[1::2]
    return np.concatenate([SWING_SIGN * (right - left) / 2, (left + right) / 2])


def leg_efforts(torque: ArrayLike) -> Array:
    """Return the torques on swing (4,) and extension (4,) [Nm] of motor torques (8,) [Nm].

    The power is the same in both spaces: the transpose of `motor_angles`.
    """
    torque = _eight('motor torques', torque)
    left, right = torque[0::2], torque[1::2]
    return np.concatenate([SWING_SIGN * (right - left), left + right])


def pin_radius(extension: ArrayLike) -> Array:
    """Return the distance hip to pin [m] of a leg with both lower links 0.200 m long.

    ``r = sqrt(L2^2 - L1^2 sin^2 e) - L1 cos e``; the pin is then exactly ``swing`` off straight
    down.
    """
    extension = np.asarray(extension, dtype=float)
    return np.asarray(
        np.sqrt(SHORT_LENGTH**2 - (UPPER_LENGTH * np.sin(extension)) ** 2)
        - UPPER_LENGTH * np.cos(extension)
    )


def pins(theta: ArrayLike) -> Array:
    """Return where the lower links of each leg meet, relative to its hip: (4, 2), x and z [m].

    Raises:
        ValueError: No such pose exists: the knees are further apart than the lower links reach.
    """
    theta = _eight('motor angles', theta)
    outer, inner = _knees(theta)
    across = inner - outer
    gap = np.linalg.norm(across, axis=1)
    along = (gap**2 + LONG_LENGTH**2 - SHORT_LENGTH**2) / (2 * np.maximum(gap, 1e-9))
    height = LONG_LENGTH**2 - along**2
    if (height < 0).any():
        raise ValueError(
            f'motor angles {theta} cannot be reached by the linkage; '
            'keep the extension between 0.3 and 2.9 rad'
        )
    unit = across / np.maximum(gap, 1e-9)[:, None]
    down = np.stack([unit[:, 1], -unit[:, 0]], axis=1)  # the branch with the pin below the motors
    return np.asarray(outer + along[:, None] * unit + np.sqrt(height)[:, None] * down)


def knee_angles(theta: ArrayLike) -> Array:
    """Return the knee angles (8,) [rad] in (-pi, pi] that close the legs; 0 is a straight leg."""
    theta = _eight('motor angles', theta)
    pin = pins(theta)
    outer, inner = (pin - knee for knee in _knees(theta))
    absolute = np.empty(8)
    absolute[OUTER] = np.arctan2(-outer[:, 0], outer[:, 1])
    absolute[INNER] = np.arctan2(inner[:, 0], inner[:, 1])
    return np.asarray(np.pi - np.mod(np.pi - (absolute - theta), 2 * np.pi))


def feet(theta: ArrayLike) -> Array:
    """Return the tips of the feet in the base frame, (4, 3) [m], for motor angles (8,) [rad]."""
    theta = _eight('motor angles', theta)
    knee = _knees(theta)[0]
    tip = knee + (pins(theta) - knee) * (FOOT_LENGTH / LONG_LENGTH)
    position = HIPS.copy()
    position[:, [0, 2]] += tip
    return position


def _knees(theta: Array) -> tuple[Array, Array]:
    """Return outer and inner knees relative to the hips, (4, 2) each, x and z [m]."""
    outer, inner = theta[OUTER], theta[INNER]
    return (
        UPPER_LENGTH * np.stack([-np.sin(outer), np.cos(outer)], axis=1),
        UPPER_LENGTH * np.stack([np.sin(inner), np.cos(inner)], axis=1),
    )


def _eight(what: str, values: ArrayLike) -> Array:
    array = np.asarray(values, dtype=float)
    if array.shape != (8,):
        raise ValueError(f'{what} must be 8 numbers, got shape {array.shape}')
    return array
