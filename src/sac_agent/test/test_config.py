"""Configuration: one clear line for every mistake."""

from pathlib import Path

import pytest
import yaml

from sac_agent.config import from_file, from_mapping, from_parameters
from sac_agent.errors import ConfigError
from sac_agent.settings import flatten, plain, unflatten
from sac_agent.tools import check_config

CONFIG = Path(__file__).resolve().parents[3] / 'config' / 'dclaw_valve.yaml'


@pytest.fixture
def content():
    return yaml.safe_load(CONFIG.read_text())['/**/sac_agent']['ros__parameters']


def written(tmp_path, content):
    path = tmp_path / 'robot.yaml'
    path.write_text(yaml.safe_dump({'/**/sac_agent': {'ros__parameters': content}}))
    return path


def test_file_and_ros_parameters_give_the_same_configuration(content):
    assert from_parameters(flatten(content)) == from_mapping(content)


def test_flatten_and_unflatten_are_inverse(content):
    assert unflatten(flatten(content)) == content


def test_a_configuration_is_read_back_from_its_plain_form(content):
    config = from_mapping(content)
    assert from_mapping(yaml.safe_load(yaml.safe_dump(plain(config)))) == config


def test_order_in_the_file_does_not_matter(content):
    fields = content['observation']['fields']
    content['observation']['fields'] = dict(reversed(fields.items()))
    assert list(from_mapping(content).observation.fields) == sorted(fields)


@pytest.mark.parametrize(
    ('change', 'text'),
    [
        ({'control_rat': 10.0}, r'sac_agent.control_rat: unknown key; admissible are '),
        ({'control_rate': 'ten'}, r"control_rate: must be of type float, got 'ten' \(str"),
        ({'control_rate': 0.0}, r'sac_agent.control_rate: must lie in \[0.01, 1000.0\], got 0.0'),
        ({'control_rate': float('nan')}, r'control_rate: must lie in'),
        ({'trigger': 'now'}, r"trigger: must be one of observation, timer, got 'now'"),
        ({'sensors': {}}, r'sensors: needs at least one sensor'),
        ({'sensors': {'j': {'topic': 'a'}}}, r'sac_agent.sensors.j.type: missing; Message type'),
        ({'sensors': 3}, r'sac_agent.sensors: must be a section of keys, got 3'),
        ({'episode': {'time_limit': True}}, r'episode.time_limit: must be of type int, got True'),
        ({'image': {'source': 'eye'}}, r"image.source: must be one of the sensors .*got 'eye'"),
        ({'smoothing': {'correlation': 1.5}}, r'correlation: must lie in \[0.0, 0.999\]'),
    ],
)  # fmt: skip
def test_mistakes_are_named(content, change, text):
    with pytest.raises(ConfigError, match=text):
        from_mapping(content | change)


def test_a_missing_key_is_named_with_its_meaning(content):
    del content['task']
    with pytest.raises(ConfigError, match=r'sac_agent.task: missing; Entry point'):
        from_mapping(content)


def test_check_config_accepts_the_shipped_file(capsys):
    assert check_config.main([str(CONFIG)]) == 0
    assert 'task dclaw_valve, 10 Hz, 45 observations, 9 actions' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('path', 'value', 'text'),
    [
        ('task', 'juggle', 'task: must be one of dclaw_valve'),
        ('task', 'nowhere:Task', 'cannot be imported'),
        ('task', 'math:pi', 'is no subclass of'),
        ('task_parameters', {'bonus': 'big'}, 'task_parameters.bonus: must be of type float'),
        ('reward_weights', {'luck': 1.0}, 'reward_weights.luck: unknown reward term; there are'),
        (
            'observation',
            {'fields': {'q': {'source': 'arm.position'}}},
            "'arm.position' is unknown",
        ),
    ],
)
def test_check_config_gives_one_line_and_exit_code_2(content, tmp_path, capsys, path, value, text):
    content[path] = value
    assert check_config.main([str(written(tmp_path, content))]) == 2
    error = capsys.readouterr().err
    assert text in error
    assert error.count('\n') == 1


def test_action_lists_of_the_wrong_length_are_named(content, tmp_path, capsys):
    content['actions']['joints']['low'] = [-1.0, -1.0]
    assert check_config.main([str(written(tmp_path, content))]) == 2
    assert 'actions.joints.low: must hold 1 or 9 numbers, got 2' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('a: [', 'cannot be read'),
        ('3', 'must hold sections'),
        ('other: {}', 'has no section'),
        ('/**/sac_agent: {}', 'lacks ros__parameters'),
    ],
)
def test_files_that_are_no_parameter_files_are_refused(tmp_path, text, message):
    path = tmp_path / 'robot.yaml'
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        from_file(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r'none\.yaml: cannot be read'):
        from_file(tmp_path / 'none.yaml')


SHIPPED = sorted(CONFIG.parent.glob('*.yaml'))


@pytest.mark.parametrize('path', SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_file_works(path, capsys):
    assert check_config.main([str(path)]) == 0, capsys.readouterr().err


def test_the_policy_that_sees_images_does_not_know_the_valve():
    from sac_agent.pilot import Pilot

    spec = Pilot(from_file(CONFIG.with_name('dclaw_valve_image.yaml')), now=0.0).spec
    assert spec.observation.image_shape == (32, 32, 3)
    assert not [name for name in spec.observation.names if 'valve' in name or 'prong' in name]
    assert not [name for name in spec.observation.names if 'target' in name]


def test_values_of_further_files_win(content, tmp_path, capsys):
    robot = written(tmp_path, content)
    faster = tmp_path / 'faster.yaml'
    faster.write_text('/**/sac_agent: {ros__parameters: {control_rate: 20.0, limits.action: 0.5}}')
    learner = tmp_path / 'learner.yaml'
    learner.write_text('/**/sac_learner: {ros__parameters: {discount: 0.9}}')
    config = from_file(robot, faster, learner)
    assert (config.control_rate, config.limits.action) == (20.0, 0.5)
    assert config.sensors == from_file(robot).sensors
    assert check_config.main([str(robot), str(faster), str(learner)]) == 0
    assert ', 20 Hz, ' in capsys.readouterr().out
