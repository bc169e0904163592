"""A policy is evaluated, and filmed, in variations of its simulated robot."""

from dataclasses import replace
import json
from pathlib import Path

import numpy as np
import pytest

from sac_agent.gym_env import TwinEnv
from sac_agent.policy.network import NumpyPolicy
from sac_agent.tools import film
from sac_agent.tools.robustness import evaluate, main, typical, variations
from sac_core.policy_format import Architecture, ConvLayer, layout, save_policy

CONFIG = Path(__file__).resolve().parents[1] / 'config' / 'dclaw_valve_image.yaml'
TWIN = 'robot_drivers.sim.dclaw:DclawTwin'
ARCHITECTURE = Architecture(
    vector_size=27, image_shape=(32, 32, 3), action_size=9, encoder=(ConvLayer(4, 3, 2, 1),)
)


def weights(architecture=ARCHITECTURE):
    rng = np.random.default_rng(0)
    arrays = {n: rng.normal(0.0, 0.1, s).astype(np.float32) for n, s in layout(architecture)}
    arrays['observation.std'] = np.ones(architecture.vector_size, np.float32)
    return arrays


def test_every_combination_is_a_variation_after_the_robot_as_built():
    assert variations({}) == {'as built': {}}
    assert variations({'varied': ['light', 'camera'], 'appearance': [1, 2]}) == {
        'as built': {},
        'varied light, appearance 1': {'varied': 'light', 'appearance': 1},
        'varied light, appearance 2': {'varied': 'light', 'appearance': 2},
        'varied camera, appearance 1': {'varied': 'camera', 'appearance': 1},
        'varied camera, appearance 2': {'varied': 'camera', 'appearance': 2},
    }


def test_command_evaluates_and_draws_what_the_policy_saw(tmp_path, capsys):
    policy = tmp_path / 'policy.safetensors'
    save_policy(policy, weights(), ARCHITECTURE, {})
    arguments = [str(policy), '--robot', str(CONFIG), '--twin', TWIN, '--episodes', '2']
    assert main([*arguments, '--vary', 'varied=colours', 'appearance=1']) == 0
    built, varied = json.loads((tmp_path / 'robustness.json').read_text())
    assert built['options'] == {}
    assert varied['options'] == {'varied': 'colours', 'appearance': 1}
    assert built['episodes'] == varied['episodes'] == 2
    assert 0.0 <= varied['success_rate'] <= 1.0
    # The policy saw other colours, so it did something else.
    assert built['metrics']['median_distance'] != varied['metrics']['median_distance']
    assert (tmp_path / 'robustness.png').stat().st_size > 1000
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith('as built')
    assert 'success' in lines[1]


def test_same_starts_in_every_variation():
    twin = TwinEnv(CONFIG, TWIN, evaluation=True)
    short = replace(twin.config, episode=replace(twin.config.episode, time_limit=3))
    twin.twin.close()
    policy = NumpyPolicy(ARCHITECTURE, weights())
    results = [
        evaluate(TwinEnv(short, TWIN, evaluation=True), policy, 'x', {}, 2, seed)[0]
        for seed in (3, 3, 4)
    ]
    assert results[0] == results[1] != results[2]


def test_a_metric_of_yes_and_no_is_shown_as_a_share():
    assert typical(np.array([1.0, 0.0, 0.0, 0.0])) == 0.25
    assert typical(np.array([1.0, 0.0, 0.2])) == 0.2


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--vary', 'smell=1'], "unexpected keyword argument 'smell'"),
        (['--vary', 'varied=smell'], "no aspect 'smell' of the scene"),
        (['--robot', 'nowhere.yaml'], 'there is no robot file nowhere.yaml'),
        (['--settings', 'nowhere.yaml'], 'there is no robot file nowhere.yaml'),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(tmp_path, capsys, arguments, message):
    policy = tmp_path / 'policy.safetensors'
    save_policy(policy, weights(), ARCHITECTURE, {})
    common = [str(policy), '--robot', str(CONFIG), '--twin', TWIN, '--episodes', '1']
    assert main([*common, *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith('robustness: ')
    assert message in error
    assert error.count('\n') == 1


def test_a_variation_is_filmed_beside_the_film_of_the_robot_as_built(tmp_path):
    policy = tmp_path / 'policy.safetensors'
    save_policy(policy, weights(), ARCHITECTURE, {})
    common = [str(tmp_path), '--robot', str(CONFIG), '--twin', TWIN, '--policy', str(policy)]
    common += ['--episodes', '1', '--size', '32', '24']
    varied = tmp_path / 'varied.gif'
    options = ['--option', 'varied=colours', 'appearance=1', '--output', str(varied)]
    assert film.main(common) == film.main([*common, *options]) == 0
    assert (tmp_path / 'policy.gif').read_bytes() != varied.read_bytes()


def test_a_film_that_cannot_be_made_is_refused_in_one_line(tmp_path, capsys):
    policy = tmp_path / 'policy.safetensors'
    save_policy(policy, weights(), ARCHITECTURE, {})
    common = [str(tmp_path), '--robot', str(CONFIG), '--twin', TWIN, '--policy', str(policy)]
    assert film.main([*common, '--option', 'smell=1']) == 2
    assert "unexpected keyword argument 'smell'" in capsys.readouterr().err
    for wrong in (['--option', 'smell'], ['--episodes', '0']):
        with pytest.raises(SystemExit) as refused:
            film.main([*common, *wrong])
        assert refused.value.code == 2
        assert wrong[0] in capsys.readouterr().err
