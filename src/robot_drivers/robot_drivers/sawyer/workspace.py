"""Where the arm may be, and the torque that brings it back.

The idea and its numbers are those of mihdalal/sawyer_control: outside its box, the policy's torque
is replaced by J^T F with F = 5 exp(5 d) N per axis, d being the distance outside, and the wrist
gets no torque. The damping is ours, so that the arm does not bounce between policy and box.
"""

from dataclasses import dataclass, field

import numpy as np

from robot_drivers.sawyer.description import Array
from robot_drivers.sawyer.kinematics import forward

_FIRST_LINK = 3  # the links before the elbow cannot leave the box
_FORCE = 5.0
_STEEPNESS = 5.0
_WRIST = slice(4, 7)


def _corner(x: float, y: float, z: float) -> Array:
    return np.array([x, y, z])


@dataclass(frozen=True)
class Workspace:
    """A box for the hand and a wider one for the links before it, in the base frame."""

    hand_lower: Array = field(default_factory=lambda: _corner(0.3, -0.4, 0.2))
    """[m], shape (3,)."""
    hand_upper: Array = field(default_factory=lambda: _corner(0.7, 0.4, 0.7))
    link_lower: Array = field(default_factory=lambda: _corner(-0.2, -0.6, 0.2))
    link_upper: Array = field(default_factory=lambda: _corner(0.9, 0.4, 1.0))
    damping: float = 4.0
    """Damping while outside [Nm s/rad]."""

    def __post_init__(self) -> None:
        """Check that the boxes are boxes."""
        for lower, upper in (
            (self.hand_lower, self.hand_upper),
            (self.link_lower, self.link_upper),
        ):
            if lower.shape != (3,) or upper.shape != (3,) or not (lower < upper).all():
                raise ValueError(f'a box needs lower < upper on 3 axes, got {lower} and {upper}')
        links = 7 - _FIRST_LINK
        object.__setattr__(
            self, '_lower', np.vstack([self.link_lower] * links + [self.hand_lower])
        )
        object.__setattr__(
            self, '_upper', np.vstack([self.link_upper] * links + [self.hand_upper])
        )

    _lower: Array = field(init=False, repr=False, compare=False)
    _upper: Array = field(init=False, repr=False, compare=False)

    def outside(self, origins: Array) -> Array:
        """Return how far each checked link is outside its box.

        Args:
            origins: Origins of right_l0..right_l6 and right_hand [m], shape (8, 3).

        Returns:
            Signed distance per axis for right_l3..right_l6 and right_hand [m], shape (5, 3);
            0 inside, positive beyond the upper bound, negative beyond the lower one.
        """
        checked = origins[_FIRST_LINK:]
        return np.maximum(checked - self._upper, 0.0) + np.minimum(checked - self._lower, 0.0)

    def contains(self, origins: Array) -> bool:
        """Say whether all checked links are inside; ``origins`` as in ``outside``."""
        checked = origins[_FIRST_LINK:]
        return bool((checked <= self._upper).all() and (checked >= self._lower).all())

    def push_back(self, positions: Array, velocities: Array) -> Array | None:
        """Return the torque that replaces the policy's, or None inside the box.

        Args:
            positions: Joint positions [rad], shape (7,).
            velocities: Joint velocities [rad/s], shape (7,).

        Returns:
            Torques [Nm], shape (7,), not limited yet.
        """
        pose = forward(positions)
        if self.contains(pose.positions):
            return None
        distance = self.outside(pose.positions)
        force = -np.sign(distance) * _FORCE * np.exp(_STEEPNESS * np.abs(distance))
        torque = -self.damping * velocities
        for row in np.flatnonzero(distance.any(axis=1)):
            torque = torque + pose.jacobian(_FIRST_LINK + int(row))[:3].T @ force[row]
        torque[_WRIST] = 0.0
        return torque
