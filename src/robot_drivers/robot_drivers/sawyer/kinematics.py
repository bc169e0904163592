"""Forward kinematics of the arm in plain numpy, from the table in ``description``.

The driver uses it where the twin could ask its simulator: what the policy is told about the brick
is computed from joint positions alone, in simulation as on the robot.
"""

from dataclasses import dataclass
import math

import numpy as np

from robot_drivers.sawyer.description import (
    Array,
    CORNERS,
    HAND_ORIGIN,
    HAND_RPY,
    JOINTS,
    Vector3,
)


def rotation(rpy: Vector3) -> Array:
    """Return the matrix of fixed-axis roll, pitch, yaw [rad] as URDF means them, shape (3, 3)."""
    (sr, sp, sy), (cr, cp, cy) = (tuple(map(f, rpy)) for f in (math.sin, math.cos))
    matrix: Array = np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )
    return matrix


def _placed(origin: Vector3, rpy: Vector3) -> Array:
    """Return a fixed frame in its parent, homogeneous, shape (4, 4)."""
    frame = np.eye(4)
    frame[:3, :3], frame[:3, 3] = rotation(rpy), origin
    return frame


_FIXED = np.array([_placed(joint.origin, joint.rpy) for joint in JOINTS])
_HAND = _placed(HAND_ORIGIN, HAND_RPY)


@dataclass(frozen=True)
class Pose:
    """Where all links are, in the frame of the arm's base."""

    positions: Array
    """Origins of right_l0..right_l6 and right_hand [m], shape (8, 3)."""
    axes: Array
    """Joint axes right_j0..right_j6, unit vectors, shape (7, 3)."""
    hand: Array
    """Orientation of right_hand, shape (3, 3)."""

    @property
    def hand_position(self) -> Array:
        """Position of right_hand [m], shape (3,)."""
        position: Array = self.positions[7]
        return position

    def corners(self) -> Array:
        """Return three lower corners of the held brick [m], shape (3, 3), one per row."""
        corners: Array = self.positions[7] + CORNERS @ self.hand.T
        return corners

    def jacobian(self, link: int = 7) -> Array:
        """Return the velocity of a link's origin per joint velocity.

        Args:
            link: 0..6 for right_l0..right_l6, 7 for right_hand.

        Returns:
            Linear rows then angular rows, shape (6, 7); joints beyond the link give zeros.
        """
        moving = min(link + 1, 7)
        matrix = np.zeros((6, 7))
        arms = self.positions[link] - self.positions[:moving]
        matrix[:3, :moving] = np.cross(self.axes[:moving], arms).T
        matrix[3:, :moving] = self.axes[:moving].T
        return matrix


def forward(positions: Array) -> Pose:
    """Return the pose of every link.

    Args:
        positions: Joint positions right_j0..right_j6 [rad], shape (7,).

    Raises:
        ValueError: ``positions`` is not of shape (7,).
    """
    if positions.shape != (7,):
        raise ValueError(f'the arm has 7 joints, got positions of shape {positions.shape}')
    sine, cosine = np.sin(positions)[:, None], np.cos(positions)[:, None]
    x, y = _FIXED[:, :, 0], _FIXED[:, :, 1]
    turned = _FIXED.copy()  # each joint's frame in the one before, all at once
    turned[:, :, 0] = cosine * x + sine * y
    turned[:, :, 1] = cosine * y - sine * x
    frames = np.empty((8, 4, 4))
    frames[0] = turned[0]
    for index in range(1, 7):
        np.dot(frames[index - 1], turned[index], out=frames[index])
    np.dot(frames[6], _HAND, out=frames[7])
    return Pose(frames[:, :3, 3], frames[:7, :3, 2], frames[7, :3, :3])


def solve(position: Array, orientation: Array, guess: Array) -> Array:
    """Return joint positions that put right_hand at a pose, by damped least squares.

    Args:
        position: Wanted position of right_hand [m], shape (3,).
        orientation: Wanted orientation of right_hand, shape (3, 3).
        guess: Joint positions to start from [rad], shape (7,); the solution stays near it.

    Raises:
        ValueError: No solution within 1 um and 1 urad was found from this guess.
    """
    joints = guess.copy()
    for _ in range(200):
        pose = forward(joints)
        turn = 0.5 * np.cross(pose.hand, orientation, axis=0).sum(axis=1)
        error = np.concatenate([position - pose.hand_position, turn])
        if np.abs(error).max() < 1e-9:
            return joints
        matrix = pose.jacobian()
        joints += matrix.T @ np.linalg.solve(matrix @ matrix.T + 1e-8 * np.eye(6), error)
    if np.abs(error).max() < 1e-6:
        return joints
    raise ValueError(
        f'no joint positions found for right_hand at {position} starting from {guess}'
    )
