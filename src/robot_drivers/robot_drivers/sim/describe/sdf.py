"""The robot in its world as SDF, for Gazebo Sim.

Closed legs: Gazebo's physics builds trees, and joins two links of one tree only by the fixed joint
of its DetachableJoint system (gz-physics issue 25, pull request 352). So every loop ends in a
tiny pin, hinged on one link and fixed to the other by that system; the model therefore begins in
a pose in which the loops are closed. What closes the loop wants DART's PGS solver.
"""

from __future__ import annotations

import numpy as np

from robot_drivers.sim.describe.parts import Description, Link, Pose, Shape, WORLD
from robot_drivers.sim.describe.robots import GazeboSetup
from robot_drivers.sim.describe.xml import add, Element, write

VERSION = '1.9'
DIRECTORY = '@directory@'  # where the files of this robot are, filled in by the launch file
NAMESPACE = '@namespace@'
SENSOR_RATE = 200.0  # [Hz]
CAMERA_RATE = 20.0  # [Hz]
_UNTURNED = np.array([1.0, 0.0, 0.0, 0.0])


def sdf(setup: GazeboSetup) -> str:
    """Return a world with the robot in it."""
    description = setup.describe()
    root = Element('sdf', version=VERSION)
    world = add(root, 'world', name=setup.name)
    physics = add(world, 'physics', name='physics', type='dart')
    add(physics, 'max_step_size', min(description.timestep, 1.0 / setup.rate))
    add(physics, 'real_time_factor', 1)
    if description.pins:
        add(add(add(physics, 'dart'), 'solver'), 'solver_type', 'pgs')
    _plugin(world, 'physics', 'Physics')
    _plugin(world, 'user-commands', 'UserCommands')
    _plugin(world, 'scene-broadcaster', 'SceneBroadcaster')
    if setup.imu:
        _plugin(world, 'imu', 'Imu')
    if setup.wrench:
        _plugin(world, 'forcetorque', 'ForceTorque')
    if setup.camera:
        add(_plugin(world, 'sensors', 'Sensors'), 'render_engine', 'ogre2')
    _light(world)
    _scene(world, setup, description)
    _model(world, setup, description)
    return write(root)


def _plugin(parent: Element, file: str, name: str) -> Element:
    return add(
        parent, 'plugin', filename=f'gz-sim-{file}-system', name=f'gz::sim::systems::{name}'
    )


def _light(world: Element) -> None:
    light = add(world, 'light', name='sun', type='directional')
    add(light, 'pose', (0, 0, 4, 0, 0, 0))
    add(light, 'direction', (0.2, 0.3, -1))
    add(light, 'diffuse', (0.8, 0.8, 0.8, 1))


def _scene(world: Element, setup: GazeboSetup, description: Description) -> None:
    """Add what does not move, and the camera that looks at it."""
    model = add(world, 'model', name='scene')
    add(model, 'static', True)
    link = add(model, 'link', name='scene_link')
    for shape in description.scene:
        _shape(link, shape)
    if setup.camera:
        mark, field_of_view = description.cameras[setup.camera]
        height, width = setup.image
        sensor = add(link, 'sensor', name='camera', type='camera')
        add(sensor, 'pose', _six(mark.pose))
        add(sensor, 'update_rate', CAMERA_RATE)
        add(sensor, 'topic', f'{setup.name}/image')
        camera = add(sensor, 'camera')
        horizontal = 2 * np.arctan(np.tan(field_of_view / 2) * width / height)
        add(camera, 'horizontal_fov', horizontal)
        image = add(camera, 'image')
        add(image, 'width', width)
        add(image, 'height', height)
        add(image, 'format', 'R8G8B8')
        clip = add(camera, 'clip')
        add(clip, 'near', 0.005)
        add(clip, 'far', 10)


def _model(world: Element, setup: GazeboSetup, description: Description) -> None:
    model = add(world, 'model', name=setup.name)
    floating = any(link.joint.kind == 'floating' for link in description.links)
    add(model, 'pose', (0, 0, setup.height, 0, 0, 0))
    # Fingers touch each other; legs do not, as in the MuJoCo model.
    add(model, 'self_collide', not floating and setup.camera != '')
    for link in description.closed():
        _link(model, link, setup, description)
    for link in description.closed():
        if link.joint.kind != 'floating':
            _joint(model, link, setup)
    for pin in description.pins:
        plugin = _plugin(model, 'detachable-joint', 'DetachableJoint')
        add(plugin, 'parent_link', pin.fixed_to)
        add(plugin, 'child_model', '__model__')
        add(plugin, 'child_link', pin.link.name)
        topic = f'/model/{setup.name}/{pin.link.name}'
        add(plugin, 'detach_topic', f'{topic}/detach')
        add(plugin, 'attach_topic', f'{topic}/attach')
    if floating:
        plugin = _plugin(model, 'pose-publisher', 'PosePublisher')
        add(plugin, 'publish_link_pose', False)
        add(plugin, 'publish_nested_model_pose', True)
        add(plugin, 'update_frequency', SENSOR_RATE)
    plugin = add(
        model,
        'plugin',
        filename='gz_ros2_control-system',
        name='gz_ros2_control::GazeboSimROS2ControlPlugin',
    )
    add(plugin, 'robot_param', 'robot_description')
    add(plugin, 'robot_param_node', 'robot_state_publisher')
    add(plugin, 'parameters', f'{DIRECTORY}/controllers.yaml')
    add(add(plugin, 'ros'), 'namespace', NAMESPACE)


def _link(parent: Element, link: Link, setup: GazeboSetup, description: Description) -> None:
    element = add(parent, 'link', name=link.name)
    pose = add(element, 'pose', _six(link.pose))
    if link.parent != WORLD:
        pose.set('relative_to', link.parent)
    elif link.joint.kind == 'floating':
        pose.text = '0 0 0 0 0 0'  # the model's own pose sets it down
    add(element, 'gravity', link.gravity)
    inertial = add(element, 'inertial')
    add(inertial, 'pose', _six(Pose(link.inertia.pose.position, _UNTURNED)))
    add(inertial, 'mass', link.inertia.mass)
    tensor, m = add(inertial, 'inertia'), link.inertia.matrix()
    for row, column in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)):
        add(tensor, f'i{"xyz"[row]}{"xyz"[column]}', m[row, column])
    for shape in link.shapes:
        _shape(element, shape)
    if setup.imu and description.sites[setup.imu].link == link.name:
        sensor = add(element, 'sensor', name='imu', type='imu')
        add(sensor, 'pose', _six(description.sites[setup.imu].pose))
        add(sensor, 'update_rate', SENSOR_RATE)
        add(sensor, 'topic', f'{setup.name}/imu')


def _joint(model: Element, link: Link, setup: GazeboSetup) -> None:
    joint = link.joint
    kind = 'revolute' if joint.kind == 'continuous' else joint.kind
    element = add(model, 'joint', name=joint.name, type=kind)
    add(element, 'parent', link.parent)
    add(element, 'child', link.name)
    if kind == 'revolute':
        axis = add(element, 'axis')
        add(axis, 'xyz', joint.axis)
        limit = add(axis, 'limit')
        for side, bound in (('lower', joint.lower), ('upper', joint.upper)):
            add(limit, side, bound - joint.zero if np.isfinite(bound) else np.sign(bound) * 1e16)
        if joint.effort:
            add(limit, 'effort', joint.effort)
        if np.isfinite(joint.velocity):
            add(limit, 'velocity', joint.velocity)
        dynamics = add(axis, 'dynamics')
        add(dynamics, 'damping', joint.damping)
        add(dynamics, 'friction', joint.friction)
    if setup.wrench == link.name:
        sensor = add(element, 'sensor', name='wrench', type='force_torque')
        add(sensor, 'update_rate', SENSOR_RATE)
        add(sensor, 'topic', f'{setup.name}/wrench')
        force = add(sensor, 'force_torque')
        add(force, 'frame', 'child')
        add(force, 'measure_direction', 'child_to_parent')


def _shape(link: Element, shape: Shape) -> None:
    visual = add(link, 'visual', name=f'{shape.name}_visual')
    add(visual, 'pose', _six(shape.pose))
    _geometry(visual, shape)
    material = add(visual, 'material')
    for light in ('ambient', 'diffuse'):
        add(material, light, shape.rgba.round(3))
    if not shape.mask:
        return
    collision = add(link, 'collision', name=f'{shape.name}_collision')
    add(collision, 'pose', _six(shape.pose))
    _geometry(collision, shape)
    surface = add(collision, 'surface')
    add(add(surface, 'contact'), 'collide_bitmask', f'0x{shape.mask:02x}')
    friction = add(add(surface, 'friction'), 'ode')
    add(friction, 'mu', shape.friction)
    add(friction, 'mu2', shape.friction)


def _geometry(parent: Element, shape: Shape) -> None:
    geometry, size = add(parent, 'geometry'), shape.size
    if shape.kind == 'box':
        add(add(geometry, 'box'), 'size', 2 * size)
    elif shape.kind == 'sphere':
        add(add(geometry, 'sphere'), 'radius', size[0])
    elif shape.kind in ('cylinder', 'capsule'):
        round_shape = add(geometry, shape.kind)
        add(round_shape, 'radius', size[0])
        add(round_shape, 'length', 2 * size[1])
    elif shape.kind == 'ellipsoid':
        add(add(geometry, 'ellipsoid'), 'radii', size)
    else:
        plane = add(geometry, 'plane')
        add(plane, 'normal', (0, 0, 1))
        add(plane, 'size', [2 * half if half else 100.0 for half in size[:2]])


def _six(pose: Pose) -> list[float]:
    return [*pose.position.tolist(), *pose.rpy().tolist()]
