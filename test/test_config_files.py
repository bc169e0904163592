"""Every robot file that is shipped is right, in all its sections."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import yaml

from robot_drivers.node.config import NodeConfig
from robot_drivers.registry import find_robot
from robot_drivers.safety import SafetyConfig
from sac_agent.config import from_file
from sac_agent.gym_env import robot_config
from sac_agent.layout import SensorLayout
from sac_agent.observation.builder import ObservationBuilder
from sac_agent.pilot import Pilot
from sac_agent.tasks.task import make_task
from sac_agent.tools import check_config
from sac_core.parameters import check_values
from sac_learner.sac.config import SacConfig
from sac_learner.settings import LearnerSettings

FILES = sorted((Path(__file__).resolve().parents[1] / 'config').glob('*.yaml'))
ROBOTS = ('dclaw', 'minitaur', 'sawyer')


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def file(request):
    return request.param


def sections(file):
    return {
        name.rsplit('/', 1)[-1]: content['ros__parameters']
        for name, content in yaml.safe_load(file.read_text()).items()
    }


def named(stem):
    return next(path for path in FILES if path.stem == stem)


def spec_of(stem):
    return Pilot(from_file(named(stem)), now=0.0).spec


def test_there_is_a_file_for_every_task():
    names = {path.stem for path in FILES}
    assert names >= {'dclaw_valve', 'dclaw_valve_image', 'minitaur_walk', 'sawyer_stack'}


def test_file_passes_check_config(file, capsys):
    assert check_config.main([str(file)]) == 0, capsys.readouterr().err


def test_settings_for_terrain_go_with_the_walking_robot(capsys):
    robot, settings = (
        named('minitaur_walk'),
        FILES[0].parent / 'settings' / 'minitaur_terrain.yaml',
    )
    assert check_config.main([str(robot), str(settings)]) == 0, capsys.readouterr().err
    together, alone = robot_config(robot, settings), robot_config(robot)
    np.testing.assert_allclose(together.actions['legs'].low[:4], [-0.5, -0.3, -0.5, -0.3])
    changed = {'tilt_free': 0.05, 'tilt_cost': 1.0, 'swing_free': 0.0, 'perturb': 1.0}
    assert together.task_parameters == {**alone.task_parameters, **changed}


def test_ros_itself_can_read_the_file(file):
    """Its parser is stricter than PyYAML's: a bare y is a truth value, a list has one type."""
    rclpy = pytest.importorskip('rclpy')
    context = rclpy.Context()
    context.init(['--ros-args', '--params-file', str(file)])
    context.shutdown()


def test_file_has_no_section_that_nobody_reads(file):
    assert set(sections(file)) <= {'sac_agent', 'sac_learner', 'driver'}


def test_parameters_of_the_learner_are_known_and_admissible(file):
    values = sections(file).get('sac_learner', {})
    own = {item.name for item in fields(LearnerSettings)}
    settings = {name: value for name, value in values.items() if name in own}
    algorithm = {name: value for name, value in values.items() if name not in own}
    check_values(LearnerSettings, settings)
    SacConfig(**algorithm)


def test_parameters_of_the_driver_are_known_and_admissible(file):
    values = dict(sections(file).get('driver', {}))
    check_values(SafetyConfig, values.pop('safety', {}))
    for robot in ROBOTS:
        check_values(find_robot(robot).config, values.pop(robot, {}))
    check_values(NodeConfig, values)


def test_control_period_is_that_of_the_driver(file):
    robot = next(name for name in ROBOTS if file.stem.startswith(name))
    values = sections(file).get('driver', {}).get(robot, {})
    assert from_file(file).control_period == find_robot(robot).config(**values).control_period


def test_commands_are_within_what_the_driver_takes(file):
    robot = next(name for name in ROBOTS if file.stem.startswith(name))
    spec = find_robot(robot).config(**sections(file).get('driver', {}).get(robot, {})).spec()
    (channel,) = from_file(file).actions.values()
    assert channel.names == spec.joints
    assert channel.mode == spec.mode
    assert (np.array(channel.low) >= spec.command_lower - 1e-6).all()
    assert (np.array(channel.high) <= spec.command_upper + 1e-6).all()


def test_minitaur_sees_112_numbers_as_in_the_paper():
    names = spec_of('minitaur_walk').observation.names
    assert len(names) == 112
    assert sum('@' not in name for name in names) == 12
    assert sum(name.startswith('action[') for name in names) == 5 * 8


def test_sawyer_sees_positions_velocities_and_force():
    names = spec_of('sawyer_stack').observation.names
    assert sum(name.startswith('force[') for name in names) == 3
    assert sum(name.startswith('joint_') for name in names) == 14
    assert sum(name.startswith('point_') for name in names) == 18  # made of joint positions
    assert len(names) == 35


def test_sawyers_torques_are_half_of_what_the_arm_may_learn_with():
    (channel,) = from_file(named('sawyer_stack')).actions.values()
    np.testing.assert_allclose(channel.high, 0.5 * np.array([8, 7, 6, 5, 4, 3, 2]))


def test_sawyers_task_is_that_of_the_cell():
    from robot_drivers.sawyer import description

    task = from_file(named('sawyer_stack')).task_parameters
    np.testing.assert_allclose(task['target_position'], description.GOAL_POSITION, atol=1e-6)
    np.testing.assert_allclose(task['corners'], description.CORNERS.ravel(), atol=1e-6)
    points = [np.zeros(3), description.CORNERS[0], description.CORNERS[2]]
    np.testing.assert_allclose(task['reward_points'], np.concatenate(points), atol=1e-6)
    config = find_robot('sawyer').config()
    assert (np.array(task['box_low']) >= config.hand_lower).all()
    assert (np.array(task['box_high']) <= config.hand_upper).all()


def test_no_observation_of_the_image_task_depends_on_the_valve():
    config = from_file(named('dclaw_valve_image'))
    pilot = Pilot(config, now=0.0)
    assert pilot.spec.observation.image_shape == (32, 32, 3)
    assert not [name for name in pilot.spec.observation.names if 'valve' in name]
    layout: SensorLayout = pilot.layout
    valve = [i for i, name in enumerate(layout.names) if 'valve' in name]
    assert valve  # the reward needs it
    task = make_task(config.task, config.task_parameters, layout, config.control_period)
    raw = np.linspace(-1.0, 1.0, layout.size)
    turned = raw.copy()
    turned[valve] += 1.0
    vectors = []
    for values in (raw, turned):
        builder = ObservationBuilder(config.observation, layout, pilot.mapper.names, task)
        vectors.append(builder.push(values))
    np.testing.assert_array_equal(*vectors)
