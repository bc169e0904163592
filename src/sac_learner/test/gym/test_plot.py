"""Curves over seeds."""

import json

import numpy as np
import pytest

from sac_learner.gym import evaluate, plot


def write_run(path, seed, points, env='E-v0', preset='paper'):
    path.mkdir(parents=True)
    gym = f'gym:\n  env: {env}\nlearner:\n  preset: {preset}\n  seed: {seed}\n'
    (path / 'config.yaml').write_text(gym)
    lines = [
        json.dumps({'kind': 'evaluation', 'steps': s, 'return': v, 'metrics': {'error': -v}})
        for s, v in points
    ]
    (path / 'metrics.jsonl').write_text('\n'.join(lines) + '\n')


@pytest.fixture
def runs(tmp_path):
    write_run(tmp_path / 'a' / '0', 0, [(100, 1.0), (200, 3.0), (300, 8.0)])
    write_run(tmp_path / 'a' / '1', 1, [(100, 3.0), (200, 5.0)])
    write_run(tmp_path / 'b' / '0', 0, [(100, 0.0), (200, 9.0)], preset='droq')
    write_run(tmp_path / 'c', 0, [(100, 0.0)], env='F-v0')
    return tmp_path


def test_a_band_is_mean_and_range_as_far_as_all_seeds_got(runs):
    curves = [plot.read_curve(runs / 'a' / name, 'return') for name in '01']
    band = plot.band_of(curves)
    np.testing.assert_array_equal(band.steps, [100, 200])
    np.testing.assert_array_equal(band.mean, [2, 4])
    np.testing.assert_array_equal(band.least, [1, 3])
    np.testing.assert_array_equal(band.largest, [3, 5])
    assert band.seeds == 2


@pytest.mark.parametrize('metric', ['return', 'error'])
def test_runs_below_a_directory_become_one_picture(runs, capsys, metric):
    target = runs / 'curves.png'
    assert plot.main([str(runs), '--output', str(target), '--metric', metric]) == 0
    assert target.read_bytes()[:4] == b'\x89PNG'
    output = capsys.readouterr().out
    assert 'E-v0 paper: 2 seeds, after 200 steps' in output
    assert 'E-v0 droq: 1 seeds' in output
    assert '4 runs' in output


@pytest.mark.parametrize(
    'options', [['nowhere'], ['.'], ['.', '--metric', 'speed'], ['.', '--output', 'x.bmp']]
)
def test_nothing_to_draw_is_one_line_and_status_2(tmp_path, monkeypatch, capsys, options):
    monkeypatch.chdir(tmp_path)
    assert plot.main(options) == 2
    assert capsys.readouterr().err.count('\n') == 1


def test_evaluating_nothing_is_one_line_and_status_2(tmp_path, capsys):
    for options in (
        [str(tmp_path)],
        [str(tmp_path), '--env', 'Pendulum-v1'],
        ['no', '--env', 'x'],
    ):
        assert evaluate.main(options) == 2
        assert capsys.readouterr().err.count('\n') == 1
