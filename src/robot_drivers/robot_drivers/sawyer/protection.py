"""What happens to a policy's torque between two of its steps: the last look, at the driver's rate.

Pure, and shared by driver and twin, so that learning with either sees the same limits.
"""

from dataclasses import dataclass, field

import numpy as np

from robot_drivers.sawyer.description import (
    Array,
    LEARNING_EFFORT,
    POSITION_LOWER,
    POSITION_UPPER,
    VELOCITY_LIMIT,
)
from robot_drivers.sawyer.workspace import Workspace


@dataclass(frozen=True)
class Protection:
    """Limits on torque, speed, joint range and workspace."""

    workspace: Workspace = field(default_factory=Workspace)
    effort_limit: Array = field(default_factory=LEARNING_EFFORT.copy)
    """Largest torque beyond gravity compensation [Nm], shape (7,)."""
    velocity_limit: Array = field(default_factory=VELOCITY_LIMIT.copy)
    """A joint as fast as this is not accelerated further [rad/s], shape (7,)."""
    margin: float = 0.05
    """Spring-back begins so far inside the joint range [rad]."""
    stiffness: float = 20.0
    """Of the spring-back [Nm/rad]."""
    damping: float = 2.0
    """Of the spring-back [Nm s/rad]."""

    def torque(
        self, wanted: Array, positions: Array, velocities: Array, origins: Array | None = None
    ) -> tuple[Array, str]:
        """Return what may be sent instead of ``wanted``, and why it differs.

        Args:
            wanted: The policy's torque [Nm], shape (7,).
            positions: Joint positions [rad], shape (7,).
            velocities: Joint velocities [rad/s], shape (7,).
            origins: Origins of the links as in ``kinematics.Pose``, if already known: saves the
                kinematics as long as the arm is inside its workspace.

        Returns:
            Torque within ``effort_limit``, shape (7,), and a reason, empty if nothing was changed.
        """
        reason = ''
        torque = wanted
        if origins is None or not self.workspace.contains(origins):
            back = self.workspace.push_back(positions, velocities)
            if back is not None:
                torque, reason = back, 'pushed back into the workspace'
        fast = (np.abs(velocities) > self.velocity_limit) & (velocities * torque > 0.0)
        depth = np.maximum(positions - POSITION_UPPER + self.margin, 0.0) + np.minimum(
            positions - POSITION_LOWER - self.margin, 0.0
        )
        if fast.any():
            torque = np.where(fast, 0.0, torque)
            reason = reason or f'joints {np.flatnonzero(fast).tolist()} are too fast'
        if depth.any():
            spring = -self.stiffness * depth - self.damping * velocities
            torque = np.where(depth != 0.0, spring, torque)
            reason = reason or f'joints {np.flatnonzero(depth).tolist()} are near their limits'
        return np.clip(torque, -self.effort_limit, self.effort_limit), reason
