"""A robot as links, joints and shapes.

Poses are a position [m] and a quaternion (w, x, y, z). J is the number of joints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import mujoco
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
ShapeKind = Literal['plane', 'sphere', 'capsule', 'ellipsoid', 'cylinder', 'box']
JointKind = Literal['fixed', 'revolute', 'continuous', 'floating']

WORLD = 'world'


@dataclass(frozen=True)
class Pose:
    """Position and orientation in a parent frame."""

    position: Array  # (3,) [m]
    rotation: Array  # (4,) w x y z

    def matrix(self) -> Array:
        """Return the rotation matrix (3, 3)."""
        result = np.zeros(9)
        mujoco.mju_quat2Mat(result, self.rotation)
        return result.reshape(3, 3)

    def __matmul__(self, other: Pose) -> Pose:
        """Return the pose of ``other``, given in this frame, in the parent of this one."""
        rotation = np.zeros(4)
        mujoco.mju_mulQuat(rotation, self.rotation, other.rotation)
        return Pose(self.position + self.matrix() @ other.position, rotation)

    def rpy(self) -> Array:
        """Return roll, pitch, yaw about fixed axes (3,) [rad], as URDF and SDF write them."""
        r = self.matrix()
        pitch = np.arctan2(-r[2, 0], np.hypot(r[0, 0], r[1, 0]))
        if np.hypot(r[0, 0], r[1, 0]) < 1e-9:  # gimbal lock: yaw is free, take 0
            return np.array([np.arctan2(-r[1, 2], r[1, 1]), pitch, 0.0])
        return np.array([np.arctan2(r[2, 1], r[2, 2]), pitch, np.arctan2(r[1, 0], r[0, 0])])


@dataclass(frozen=True)
class Shape:
    """A primitive that is seen, and may be touched."""

    name: str
    kind: ShapeKind
    size: Array  # (3,) MuJoCo's half sizes [m]
    pose: Pose
    rgba: Array  # (4,)
    mask: int  # shapes collide whose masks share a bit; 0: with nothing
    friction: float


@dataclass(frozen=True)
class Inertia:
    """Mass and its distribution about the centre of mass, along principal axes."""

    mass: float  # [kg]
    pose: Pose  # of the principal axes in the link
    principal: Array  # (3,) [kg m^2]

    def matrix(self) -> Array:
        """Return the inertia about the centre of mass along the link's axes, (3, 3)."""
        r = self.pose.matrix()
        return np.asarray(r @ np.diag(self.principal) @ r.T)

    def without(self, mass: float, point: Array) -> Inertia:
        """Return what is left when a point mass [kg] at a point (3,) [m] is taken away."""
        rest = self.mass - mass
        centre = (self.mass * self.pose.position - mass * point) / rest

        def about(position: Array, moved: float) -> Array:
            offset = position - centre
            return moved * (offset @ offset * np.eye(3) - np.outer(offset, offset))

        tensor = self.matrix() + about(self.pose.position, self.mass) - about(point, mass)
        values, vectors = np.linalg.eigh(tensor)
        if np.linalg.det(vectors) < 0:
            vectors[:, 0] *= -1
        rotation = np.zeros(4)
        mujoco.mju_mat2Quat(rotation, vectors.ravel())
        return Inertia(rest, Pose(centre, rotation), values)


@dataclass(frozen=True)
class Joint:
    """How a link moves against its parent."""

    name: str
    kind: JointKind
    axis: Array  # (3,) in the link
    lower: float = -np.inf  # [rad] in the model's own angles
    upper: float = np.inf
    zero: float = 0.0  # the model's own angle where the description's angle is 0 [rad]
    effort: float = 0.0  # largest torque of its actuator [Nm]; 0: passive
    velocity: float = np.inf  # [rad/s]
    damping: float = 0.0  # [Nm s/rad]
    friction: float = 0.0  # [Nm]


@dataclass(frozen=True)
class Link:
    """One rigid body."""

    name: str
    parent: str
    pose: Pose  # in the parent, at the description's zero angles
    inertia: Inertia
    joint: Joint
    shapes: tuple[Shape, ...]
    gravity: bool  # False: the robot compensates its weight by itself


@dataclass(frozen=True)
class Pin:
    """Closes a loop: a tiny link, hinged on one link, its carrier, and fixed to another."""

    link: Link
    carrier: Link  # lighter by the pin's mass
    fixed_to: str


@dataclass(frozen=True)
class Mark:
    """A named place on a link: of a sensor, a camera or a constraint."""

    name: str
    link: str
    pose: Pose


@dataclass(frozen=True)
class Description:
    """A robot and what stands around it."""

    name: str
    links: tuple[Link, ...]
    pins: tuple[Pin, ...]
    scene: tuple[Shape, ...]  # fixed to the world
    sites: Mapping[str, Mark]
    cameras: Mapping[str, tuple[Mark, float]]  # and the vertical field of view [rad]
    timestep: float  # [s]

    @property
    def moving(self) -> tuple[Joint, ...]:
        """Joints with one degree of freedom, in the order of the model."""
        joints = (link.joint for link in self.links)
        return tuple(j for j in joints if j.kind in ('revolute', 'continuous'))

    def closed(self) -> tuple[Link, ...]:
        """Return the links with what closes loops: lighter carriers, then the pins."""
        carriers = {pin.carrier.name: pin.carrier for pin in self.pins}
        links = tuple(carriers.get(link.name, link) for link in self.links)
        return (*links, *(pin.link for pin in self.pins))
