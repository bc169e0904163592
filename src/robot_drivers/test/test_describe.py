"""The descriptions for Gazebo have the numbers of the MuJoCo models; Gazebo itself is not run."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest
import yaml

mujoco = pytest.importorskip('mujoco')

from robot_drivers.dclaw.config import DclawConfig  # noqa: E402
from robot_drivers.minitaur import leg  # noqa: E402
from robot_drivers.minitaur.config import MinitaurConfig  # noqa: E402
from robot_drivers.sawyer.config import SawyerConfig  # noqa: E402
from robot_drivers.sim.describe.main import directory, FORMATS, main  # noqa: E402
from robot_drivers.sim.describe.parts import Inertia, Pose  # noqa: E402
from robot_drivers.sim.describe.robots import find, SETUPS  # noqa: E402

ROBOTS = sorted(SETUPS)
SPECS = {'dclaw': DclawConfig(), 'minitaur': MinitaurConfig(), 'sawyer': SawyerConfig()}
UNTURNED = np.array([1.0, 0.0, 0.0, 0.0])


def text(robot: str, kind: str) -> str:
    return (directory(robot) / FORMATS[kind][0]).read_text()


def xml(robot: str, kind: str) -> ElementTree.Element:
    return ElementTree.fromstring(text(robot, kind))


def numbers(element: ElementTree.Element | None, tag: str = '') -> np.ndarray:
    found = element.find(tag) if tag else element
    return np.array(found.text.split(), dtype=float)


def loaded(robot: str):
    """Return the URDF as MuJoCo reads it, all links kept and with the inertias as given."""
    options = '<mujoco><compiler fusestatic="false" discardvisual="true"/></mujoco></robot>'
    return mujoco.MjModel.from_xml_string(text(robot, 'urdf').replace('</robot>', options))


def mass_matrix(model, data) -> np.ndarray:
    mujoco.mj_forward(model, data)
    full = np.zeros((model.nv, model.nv))
    mujoco.mj_fullM(model, data, full)
    return full


def placed(model, positions: dict[str, float]):
    data = mujoco.MjData(model)
    for name, angle in positions.items():
        data.qpos[model.joint(name).qposadr[0]] = angle
    mujoco.mj_kinematics(model, data)
    return data


def pose_of(text_: str) -> Pose:
    """Return the pose that SDF writes as x y z roll pitch yaw."""
    values = np.array(text_.split(), dtype=float)
    rotation = np.zeros(4)
    mujoco.mju_euler2Quat(rotation, values[3:], 'XYZ')  # fixed axes
    return Pose(values[:3], rotation)


@pytest.mark.parametrize('robot', ROBOTS)
@pytest.mark.parametrize('kind', sorted(FORMATS))
def test_checked_in_file_is_what_the_model_gives(robot, kind, capsys):
    assert main([robot, '--format', kind]) == 0
    assert capsys.readouterr().out == text(robot, kind), 'run describe_robot --write'


@pytest.mark.parametrize('robot', ROBOTS)
def test_urdf_has_joints_limits_and_efforts_of_the_model(robot):
    setup = find(robot)
    description = setup.describe()
    joints = {j.get('name'): j for j in xml(robot, 'urdf').findall('joint')}
    for joint in description.moving:
        element = joints[joint.name]
        assert element.get('type') == joint.kind
        np.testing.assert_allclose(
            np.array(element.find('axis').get('xyz').split(), dtype=float), joint.axis
        )
        limit = element.find('limit')
        if joint.kind == 'revolute':
            low, high = (float(limit.get(side)) + joint.zero for side in ('lower', 'upper'))
            np.testing.assert_allclose((low, high), (joint.lower, joint.upper), atol=1e-8)
        if joint.effort:
            assert float(limit.get('effort')) == pytest.approx(joint.effort)
        if np.isfinite(joint.velocity):
            assert float(limit.get('velocity')) == pytest.approx(joint.velocity, rel=1e-8)


@pytest.mark.parametrize('robot', ROBOTS)
def test_urdf_has_the_mass_matrix_of_the_model_at_random_poses(robot):
    """Without the rotors' own inertia, which URDF and SDF cannot express; loops opened."""
    setup = find(robot)
    spec, model = setup.model(), loaded(robot)
    spec.dof_armature[:] = 0.0
    names = [joint.name for joint in setup.describe().moving]
    zero = {joint.name: joint.zero for joint in setup.describe().moving}
    assert sorted(names) == sorted(model.joint(i).name for i in range(model.njnt))
    rng = np.random.default_rng(0)
    for _ in range(20):
        angles = dict(zip(names, rng.uniform(-1.0, 1.0, len(names)), strict=True))
        ours = placed(spec, {name: angles[name] + zero[name] for name in names})
        theirs = placed(model, angles)
        rows = [int(spec.joint(name).dofadr[0]) for name in names]
        columns = [int(model.joint(name).dofadr[0]) for name in names]
        want = mass_matrix(spec, ours)[np.ix_(rows, rows)]
        have = mass_matrix(model, theirs)[np.ix_(columns, columns)]
        np.testing.assert_allclose(have, want, atol=1e-7 * np.abs(want).max())


@pytest.mark.parametrize('robot', ROBOTS)
def test_sdf_has_every_link_where_the_model_has_it_with_its_mass(robot):
    setup = find(robot)
    spec = setup.model()
    zero = {joint.name: joint.zero for joint in setup.describe().moving}
    data = placed(spec, zero)
    model = next(m for m in xml(robot, 'sdf').iter('model') if m.get('name') == robot)
    poses = {'': Pose(np.zeros(3), UNTURNED)}
    total = 0.0
    floating = find(robot).height > 0
    base = Pose(data.xpos[1].copy(), data.xquat[1].copy()) if floating else poses['']
    for link in model.findall('link'):
        pose = link.find('pose')
        local = poses[pose.get('relative_to', '')] @ pose_of(pose.text)
        poses[link.get('name')] = local
        total += float(link.find('inertial/mass').text)
        if link.get('name').startswith('close_'):
            continue
        placed_at, body = base @ local, spec.body(link.get('name')).id
        np.testing.assert_allclose(placed_at.position, data.xpos[body], atol=1e-7)
        np.testing.assert_allclose(placed_at.matrix().ravel(), data.xmat[body], atol=1e-7)
        assert (link.find('gravity').text == 'false') == bool(spec.body_gravcomp[body])
    assert total == pytest.approx(spec.body_mass.sum(), rel=1e-9)


def test_legs_are_closed_where_gazebo_fixes_their_pins():
    description = find('minitaur').describe()
    poses = {'world': Pose(np.zeros(3), UNTURNED)}
    for link in description.links:
        poses[link.name] = poses[link.parent] @ link.pose
    assert len(description.pins) == 4
    for pin, name in zip(description.pins, leg.LEGS, strict=True):
        at = (poses[pin.link.parent] @ pin.link.pose).position
        sites = [site for site in description.sites.values() if site.name[:-1] == f'pin_{name}']
        assert {site.link for site in sites} == {pin.link.parent, pin.fixed_to}
        for site in sites:
            there = (poses[site.link] @ site.pose).position
            np.testing.assert_allclose(there, at, atol=1e-6)
    plugins = [
        p for p in xml('minitaur', 'sdf').iter('plugin') if 'detachable' in p.get('filename')
    ]
    assert [p.find('child_link').text for p in plugins] == [
        pin.link.name for pin in description.pins
    ]
    assert [p.find('parent_link').text for p in plugins] == [
        pin.fixed_to for pin in description.pins
    ]


@pytest.mark.parametrize('robot', ROBOTS)
def test_sdf_is_consistent_in_itself(robot):
    world = xml(robot, 'sdf').find('world')
    for model in world.findall('model'):
        links = [link.get('name') for link in model.findall('link')]
        names = links + [joint.get('name') for joint in model.findall('joint')]
        assert len(set(names)) == len(names)
        children = [joint.find('child').text for joint in model.findall('joint')]
        assert len(set(children)) == len(children), 'a tree: one joint per child'
        for joint in model.findall('joint'):
            assert joint.find('parent').text in (*links, 'world')
            assert joint.find('child').text in links
        for link in model.findall('link'):
            shapes = [s.get('name') for s in link if s.tag in ('visual', 'collision')]
            assert len(set(shapes)) == len(shapes)


@pytest.mark.parametrize('robot', ROBOTS)
def test_sdf_has_dynamics_and_limits_of_the_model(robot):
    joints = {j.get('name'): j for j in xml(robot, 'sdf').iter('joint')}
    for joint in find(robot).describe().moving:
        axis = joints[joint.name].find('axis')
        assert float(axis.find('dynamics/damping').text) == pytest.approx(joint.damping)
        assert float(axis.find('dynamics/friction').text) == pytest.approx(joint.friction)
        if joint.kind == 'revolute':
            low = float(axis.find('limit/lower').text) + joint.zero
            assert low == pytest.approx(joint.lower, abs=1e-8)


@pytest.mark.parametrize('robot', ROBOTS)
def test_controllers_command_the_joints_that_the_urdf_gives_them(robot):
    setup, content = find(robot), yaml.safe_load(text(robot, 'controllers'))
    system = xml(robot, 'urdf').find('ros2_control')
    interfaces = {
        joint.get('name'): joint.find('command_interface').get('name')
        for joint in system.findall('joint')
    }
    manager = content['/**/controller_manager']['ros__parameters']
    assert manager['update_rate'] == setup.rate
    commanded = {}
    for controller in setup.controllers:
        kind = 'forward_command_controller/ForwardCommandController'
        assert manager[controller.name] == {'type': kind}
        parameters = content[f'/**/{controller.name}']['ros__parameters']
        commanded |= dict.fromkeys(parameters['joints'], parameters['interface_name'])
    assert commanded == interfaces
    spec = SPECS[robot].spec()
    sensed = set(spec.sensed_joints) - set(leg.LEG_CHANNELS)
    assert sensed == set(commanded), 'the joints that the driver publishes'


@pytest.mark.parametrize(
    ('robot', 'topic', 'kind'),
    [
        ('minitaur', 'imu/data', 'sensor_msgs/msg/Imu'),
        ('minitaur', 'base/pose', 'geometry_msgs/msg/PoseStamped'),
        ('sawyer', 'wrench', 'geometry_msgs/msg/WrenchStamped'),
        ('dclaw', 'image_raw', 'sensor_msgs/msg/Image'),
    ],
)
def test_bridge_passes_on_what_the_world_publishes(robot, topic, kind):
    entries = yaml.safe_load(text(robot, 'bridge'))
    entry = next(e for e in entries if e.get('ros_topic_name') == topic)
    assert entry['ros_type_name'] == kind
    assert entry['direction'] == 'GZ_TO_ROS'
    world = xml(robot, 'sdf')
    published = [element.text for element in world.iter('topic')]
    published += [f'/model/{m.get("name")}/pose' for m in world.iter('model')]
    assert entry['gz_topic_name'] in published


def test_camera_looks_where_the_models_camera_looks():
    spec = find('dclaw').model()
    data = mujoco.MjData(spec)
    mujoco.mj_forward(spec, data)
    camera = spec.camera('top').id
    pose = pose_of(next(xml('dclaw', 'sdf').iter('sensor')).find('pose').text)
    np.testing.assert_allclose(pose.position, data.cam_xpos[camera], atol=1e-9)
    theirs, ours = pose.matrix(), data.cam_xmat[camera].reshape(3, 3)
    np.testing.assert_allclose(theirs[:, 0], -ours[:, 2], atol=1e-8)  # forward
    np.testing.assert_allclose(theirs[:, 2], ours[:, 1], atol=1e-8)  # up


def test_orientation_survives_roll_pitch_yaw_at_the_pole_too():
    rng = np.random.default_rng(0)
    poles = [np.array([0.0, sign * np.pi / 2, 0.3]) for sign in (1, -1)]
    for angles in (*rng.uniform(-3, 3, (50, 3)), *poles):
        rotation = np.zeros(4)
        mujoco.mju_euler2Quat(rotation, angles, 'XYZ')
        pose = Pose(np.zeros(3), rotation)
        again = pose_of(' '.join(map(str, (0, 0, 0, *pose.rpy()))))
        np.testing.assert_allclose(again.matrix(), pose.matrix(), atol=1e-7)


def test_point_mass_taken_off_and_put_back_changes_nothing():
    whole = Inertia(0.1, Pose(np.array([0.0, 0.01, 0.1]), UNTURNED), np.array([3e-4, 3e-4, 2e-6]))
    point, mass = np.array([0.0, 0.0045, 0.2]), 0.001
    rest = whole.without(mass, point)
    assert rest.mass == pytest.approx(0.099)
    centre = (rest.mass * rest.pose.position + mass * point) / whole.mass
    np.testing.assert_allclose(centre, whole.pose.position)
    tensor = np.zeros((3, 3))
    for part, moved, position in (
        (rest.matrix(), rest.mass, rest.pose.position),
        (np.zeros((3, 3)), mass, point),
    ):
        r = position - centre
        tensor += part + moved * (r @ r * np.eye(3) - np.outer(r, r))
    np.testing.assert_allclose(tensor, whole.matrix(), atol=1e-12)


def test_unknown_robot_and_missing_choice_are_refused(capsys):
    with pytest.raises(ValueError, match=r"no description of 'robby'; there are \['dclaw'"):
        find('robby')
    with pytest.raises(SystemExit):
        main(['dclaw'])
    assert 'either --format or --write' in capsys.readouterr().err
