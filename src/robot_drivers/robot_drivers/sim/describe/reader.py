"""The description of a robot from its compiled MuJoCo model."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import mujoco
import numpy as np

from robot_drivers.sim.describe.parts import (
    Array,
    Description,
    Inertia,
    Joint,
    Link,
    Mark,
    Pin,
    Pose,
    Shape,
    ShapeKind,
)

PIN_MASS = 0.001  # of what closes a loop, taken off the link it is on [kg]
PIN_INERTIA = 1e-7  # [kg m^2]
_KINDS: dict[int, ShapeKind] = {
    mujoco.mjtGeom.mjGEOM_PLANE: 'plane',
    mujoco.mjtGeom.mjGEOM_SPHERE: 'sphere',
    mujoco.mjtGeom.mjGEOM_CAPSULE: 'capsule',
    mujoco.mjtGeom.mjGEOM_ELLIPSOID: 'ellipsoid',
    mujoco.mjtGeom.mjGEOM_CYLINDER: 'cylinder',
    mujoco.mjtGeom.mjGEOM_BOX: 'box',
}


def read(
    model: Any,
    name: str,
    *,
    zero: Mapping[str, float],
    velocity: Mapping[str, float],
    omitted: tuple[str, ...] = (),
) -> Description:
    """Return the description of a compiled model.

    Args:
        model: mujoco.MjModel with hinge joints at the origin of their bodies.
        name: Of the robot.
        zero: Joint angles [rad] at which the description's angles are 0; others at 0.
        velocity: Speed limits [rad/s] by joint.
        omitted: How the names of geoms begin that other simulators cannot have.

    Raises:
        ValueError: The model holds something a description cannot.
    """
    bodies = range(1, model.nbody)
    links = tuple(_link(model, body, zero, velocity, omitted) for body in bodies)
    return Description(
        name=name,
        links=links,
        pins=tuple(_pin(model, i, links) for i in range(model.neq)),
        scene=_shapes(model, 0, omitted),
        sites={mark.name: mark for mark in (_site(model, i) for i in range(model.nsite))},
        cameras={c.name: (c, fov) for c, fov in (_camera(model, i) for i in range(model.ncam))},
        timestep=float(model.opt.timestep),
    )


def _pose(position: Any, rotation: Any) -> Pose:
    return Pose(np.array(position, dtype=float), np.array(rotation, dtype=float))


def _link(
    model: Any,
    body: int,
    zero: Mapping[str, float],
    velocity: Mapping[str, float],
    omitted: tuple[str, ...],
) -> Link:
    name = model.body(body).name
    joint = _joint(model, body, zero, velocity)
    turn = np.zeros(4)
    mujoco.mju_axisAngle2Quat(turn, joint.axis, joint.zero)
    pose = _pose(model.body_pos[body], model.body_quat[body]) @ Pose(np.zeros(3), turn)
    inertia = Inertia(
        float(model.body_mass[body]),
        _pose(model.body_ipos[body], model.body_iquat[body]),
        np.array(model.body_inertia[body]),
    )
    return Link(
        name=name,
        parent=model.body(model.body_parentid[body]).name,
        pose=pose,
        inertia=inertia,
        joint=joint,
        shapes=_shapes(model, body, omitted),
        gravity=float(model.body_gravcomp[body]) < 0.5,
    )


def _joint(
    model: Any, body: int, zero: Mapping[str, float], velocity: Mapping[str, float]
) -> Joint:
    name = model.body(body).name
    count, index = int(model.body_jntnum[body]), int(model.body_jntadr[body])
    if count == 0:
        return Joint(f'{name}_fixed', 'fixed', np.array([0.0, 0.0, 1.0]))
    joint = model.joint(index)
    kind = int(model.jnt_type[index])
    if kind == mujoco.mjtJoint.mjJNT_FREE:
        return Joint(joint.name, 'floating', np.array([0.0, 0.0, 1.0]))
    if count > 1 or kind != mujoco.mjtJoint.mjJNT_HINGE or np.any(model.jnt_pos[index]):
        raise ValueError(f'body {name} must have one hinge at its origin, or none')
    dof = int(model.jnt_dofadr[index])
    limited = bool(model.jnt_limited[index])
    lower, upper = model.jnt_range[index] if limited else (-np.inf, np.inf)
    return Joint(
        name=joint.name,
        kind='revolute' if limited else 'continuous',
        axis=np.array(model.jnt_axis[index]),
        lower=float(lower),
        upper=float(upper),
        zero=float(zero.get(joint.name, 0.0)),
        effort=_effort(model, index),
        velocity=float(velocity.get(joint.name, np.inf)),
        damping=float(np.ravel(model.dof_damping[dof])[0]),
        friction=float(model.dof_frictionloss[dof]),
    )


def _effort(model: Any, joint: int) -> float:
    """Return the largest torque of the actuator on a joint [Nm]; 0: there is none."""
    for i in range(model.nu):
        if int(model.actuator_trnid[i, 0]) == joint:
            limited = model.actuator_forcelimited[i]
            limits = model.actuator_forcerange[i] if limited else model.actuator_ctrlrange[i]
            return float(limits[1])
    return 0.0


def _shapes(model: Any, body: int, omitted: tuple[str, ...]) -> tuple[Shape, ...]:
    shapes = []
    for geom in np.flatnonzero(model.geom_bodyid == body):
        name = model.geom(geom).name or f'{model.body(body).name}_{geom}'
        if name.startswith(omitted):
            continue
        kind = _KINDS.get(int(model.geom_type[geom]))
        if kind is None:
            raise ValueError(f'geom {name} is no primitive; there are {sorted(_KINDS.values())}')
        shapes.append(
            Shape(
                name=name,
                kind=kind,
                size=np.array(model.geom_size[geom]),
                pose=_pose(model.geom_pos[geom], model.geom_quat[geom]),
                rgba=_colour(model, int(geom)),
                mask=int(model.geom_contype[geom]) | int(model.geom_conaffinity[geom]),
                friction=float(model.geom_friction[geom, 0]),
            )
        )
    return tuple(shapes)


def _colour(model: Any, geom: int) -> Array:
    material = int(model.geom_matid[geom])
    own = np.array(model.geom_rgba[geom], dtype=float)
    return np.array(model.mat_rgba[material], dtype=float) if material >= 0 else own


def _site(model: Any, index: int) -> Mark:
    site = model.site(index)
    body = model.body(int(np.ravel(site.bodyid)[0])).name
    return Mark(site.name, body, _pose(site.pos, site.quat))


def _camera(model: Any, index: int) -> tuple[Mark, float]:
    """Return a camera; MuJoCo's look along -z with y up, others' along x with z up."""
    camera = model.camera(index)
    body = model.body(int(np.ravel(camera.bodyid)[0])).name
    turned = Pose(np.zeros(3), np.array([0.5, -0.5, 0.5, 0.5]))
    mark = Mark(camera.name, body, _pose(camera.pos, camera.quat) @ turned)
    return mark, float(np.deg2rad(np.ravel(camera.fovy)[0]))


def _pin(model: Any, index: int, links: tuple[Link, ...]) -> Pin:
    """Return what closes a loop."""
    if model.eq_type[index] != mujoco.mjtEq.mjEQ_CONNECT:
        raise ValueError('a loop must be closed by a connect constraint')
    first, second = (_site(model, int(i[index])) for i in (model.eq_obj1id, model.eq_obj2id))
    carrier = next(link for link in links if link.name == second.link)
    name = model.equality(index).name
    size = np.array([0.003, 0.0, 0.0])
    centre = Pose(np.zeros(3), np.array([1.0, 0.0, 0.0, 0.0]))
    pin = Link(
        name=f'{name}_link',
        parent=carrier.name,
        pose=Pose(second.pose.position, np.array([1.0, 0.0, 0.0, 0.0])),
        inertia=Inertia(PIN_MASS, centre, np.full(3, PIN_INERTIA)),
        joint=Joint(f'{name}_joint', 'continuous', carrier.joint.axis),
        shapes=(
            Shape(f'{name}_pin', 'sphere', size, centre, np.array([0.2, 0.2, 0.2, 1.0]), 0, 1.0),
        ),
        gravity=carrier.gravity,
    )
    lighter = replace(carrier, inertia=carrier.inertia.without(PIN_MASS, second.pose.position))
    return Pin(pin, lighter, first.link)
