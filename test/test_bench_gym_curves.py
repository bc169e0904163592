"""The comparison of learning curves goes on where it was, and reports what is finished."""

import os
from pathlib import Path
import subprocess
import sys

import pytest

from sac_learner.run import metrics

pytest.importorskip('gymnasium')
SCRIPT = Path(__file__).parents[1] / 'bench' / 'gym_curves.py'


def bench(directory, *options):
    command = [sys.executable, str(SCRIPT), '--directory', str(directory), '--envs', 'Pendulum-v1']
    common = ['--algorithms', 'sac', '--eval-every', '200', '--eval-episodes', '1', '--jobs', '2']
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(
        [*command, *common, *options], capture_output=True, text=True, env=environment, check=False
    )


def starts(directory, seed):
    run = directory / f'sac-Pendulum-v1-seed{seed}'
    return sum(e['event'] == 'start' for e in metrics.read(run / 'metrics.jsonl', 'event'))


@pytest.mark.slow
def test_unfinished_runs_go_on_and_finished_ones_are_left_alone(tmp_path):
    first = bench(tmp_path, '--seeds', '0', '--steps', '200')
    assert first.returncode == 0, first.stderr
    longer = bench(tmp_path, '--seeds', '0', '1', '--steps', '400')
    assert longer.returncode == 0, longer.stderr
    assert [starts(tmp_path, seed) for seed in (0, 1)] == [2, 1]
    again = bench(tmp_path, '--seeds', '0', '1', '--steps', '400')
    assert [starts(tmp_path, seed) for seed in (0, 1)] == [2, 1]
    assert '| Pendulum-v1 | sac | 2 | 400 |' in again.stdout
    assert (tmp_path / 'curves.png').stat().st_size > 0


@pytest.mark.slow
def test_runs_that_have_not_ended_are_named_and_left_out(tmp_path):
    bench(tmp_path, '--seeds', '0', '--steps', '200')
    report = bench(tmp_path, '--seeds', '0', '--steps', '400', '--report')
    assert '| Pendulum-v1 |' not in report.stdout
    assert 'sac-Pendulum-v1-seed0 (200 steps)' in report.stdout


@pytest.mark.slow
def test_report_of_fewer_steps_is_as_of_those(tmp_path):
    bench(tmp_path, '--seeds', '0', '--steps', '400')
    report = bench(tmp_path, '--seeds', '0', '--steps', '200', '--report')
    run = tmp_path / 'sac-Pendulum-v1-seed0'
    early, _ = metrics.read(run / 'metrics.jsonl', 'evaluation')
    assert f'| 200 | {early["return"]:.0f} (' in report.stdout


def test_unknown_algorithm_is_refused_with_those_there_are(tmp_path):
    refused = bench(tmp_path, '--algorithms', 'trpo')
    assert refused.returncode == 2
    assert 'sb3-sac' in refused.stderr
