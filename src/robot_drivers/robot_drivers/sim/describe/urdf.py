"""The robot as URDF, for robot_state_publisher and ros2_control."""

from __future__ import annotations

import numpy as np

from robot_drivers.sim.describe.parts import Description, Inertia, Joint, Link, Pose, Shape, WORLD
from robot_drivers.sim.describe.robots import GazeboSetup
from robot_drivers.sim.describe.xml import add, Element, write


def urdf(setup: GazeboSetup) -> str:
    """Return the robot's URDF; loops stay open at their pins, as URDF knows trees only."""
    description = setup.describe()
    root = Element('robot', name=description.name)
    if any(link.parent == WORLD and link.joint.kind != 'floating' for link in description.links):
        add(root, 'link', name=WORLD)
    for link in description.links:
        _link(root, link)
        if link.joint.kind != 'floating':
            _joint(root, link)
    _ros2_control(root, setup, description)
    return write(root)


def _link(root: Element, link: Link) -> None:
    element = add(root, 'link', name=link.name)
    _inertial(element, link.inertia)
    for shape in link.shapes:
        for part, pose in _primitives(shape):
            visual = add(element, 'visual', name=shape.name)
            _origin(visual, pose)
            add(visual, 'geometry').append(part)
            material = add(visual, 'material', name=f'{shape.name}_colour')
            add(material, 'color', rgba=shape.rgba.round(3))
        if shape.mask:
            for part, pose in _primitives(shape):
                collision = add(element, 'collision', name=shape.name)
                _origin(collision, pose)
                add(collision, 'geometry').append(part)


def _inertial(element: Element, inertia: Inertia) -> None:
    inertial = add(element, 'inertial')
    add(inertial, 'origin', xyz=inertia.pose.position, rpy=(0, 0, 0))
    add(inertial, 'mass', value=inertia.mass)
    m = inertia.matrix()
    add(
        inertial,
        'inertia',
        ixx=m[0, 0],
        iyy=m[1, 1],
        izz=m[2, 2],
        ixy=m[0, 1],
        ixz=m[0, 2],
        iyz=m[1, 2],
    )


def _origin(element: Element, pose: Pose) -> None:
    add(element, 'origin', xyz=pose.position, rpy=pose.rpy())


def _primitives(shape: Shape) -> list[tuple[Element, Pose]]:
    """Return a shape of what URDF has: a capsule is a cylinder with two spheres."""
    size = shape.size
    if shape.kind == 'box':
        return [(_geometry('box', size=2 * size), shape.pose)]
    if shape.kind == 'sphere':
        return [(_geometry('sphere', radius=size[0]), shape.pose)]
    if shape.kind not in ('cylinder', 'capsule'):
        raise ValueError(f'{shape.name}: URDF has no {shape.kind}')
    parts = [(_geometry('cylinder', radius=size[0], length=2 * size[1]), shape.pose)]
    if shape.kind == 'capsule':
        for sign in (-1, 1):
            end = Pose(np.array([0.0, 0.0, sign * size[1]]), np.array([1.0, 0.0, 0.0, 0.0]))
            parts.append((_geometry('sphere', radius=size[0]), shape.pose @ end))
    return parts


def _geometry(tag: str, **attributes: object) -> Element:
    return add(Element('geometry'), tag, **attributes)


def _joint(root: Element, link: Link) -> None:
    joint = link.joint
    element = add(root, 'joint', name=joint.name, type=joint.kind)
    add(element, 'parent', link=link.parent)
    add(element, 'child', link=link.name)
    _origin(element, link.pose)
    if joint.kind == 'fixed':
        return
    add(element, 'axis', xyz=joint.axis)
    limits: dict[str, object] = {}
    if joint.kind == 'revolute':
        limits = {'lower': joint.lower - joint.zero, 'upper': joint.upper - joint.zero}
    if limits or joint.effort:
        add(element, 'limit', **limits, effort=joint.effort, velocity=_speed(joint))
    if joint.damping or joint.friction:
        add(element, 'dynamics', damping=joint.damping, friction=joint.friction)


def _speed(joint: Joint) -> float:
    return joint.velocity if np.isfinite(joint.velocity) else 1000.0


def _ros2_control(root: Element, setup: GazeboSetup, description: Description) -> None:
    system = add(root, 'ros2_control', name=f'{setup.name}_gazebo', type='system')
    add(add(system, 'hardware'), 'plugin', 'gz_ros2_control/GazeboSimSystem')
    joints = {joint.name: joint for joint in description.moving}
    for controller in setup.controllers:
        for name in controller.joints:
            joint = joints[name]
            element = add(system, 'joint', name=name)
            command = add(element, 'command_interface', name=controller.interface)
            low, high = joint.lower - joint.zero, joint.upper - joint.zero
            if controller.interface == 'effort':
                low, high = -joint.effort, joint.effort
            add(command, 'param', low, name='min')
            add(command, 'param', high, name='max')
            position = add(element, 'state_interface', name='position')
            if name in setup.initial:
                add(position, 'param', setup.initial[name] - joint.zero, name='initial_value')
            add(element, 'state_interface', name='velocity')
            add(element, 'state_interface', name='effort')
