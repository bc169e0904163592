"""Sweeps: what is tried, what it is worth, and that a killed sweep goes on."""

import csv
import os
from pathlib import Path
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip('optuna')

from sac_learner.command_line import CommandError
from sac_learner.run import metrics
from sac_learner.sweep import command
from sac_learner.sweep.config import Choices, Range, read
from sac_learner.sweep.runs import GymRunner, LaunchRunner, Run, Runner, runs_of

# A run that takes no time: its return is -(lr - 0.3)^2. With a large lr it hangs half way.
SCRIPT = """
import json, pathlib, sys, time
path, seed, settings = pathlib.Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
if settings.get('fail') == 'always' or (settings.get('fail') == 'once' and not path.exists()):
    path.mkdir(parents=True, exist_ok=True)
    print('the motors are off')
    sys.exit(7)
path.mkdir(parents=True, exist_ok=True)
(path / 'environment.json').write_text('{}')
with (path / 'metrics.jsonl').open('a') as file:
    for steps in (100, 200):
        value = -(settings.get('lr', 0.0) - 0.3) ** 2 + 0.001 * seed - 1.0 / steps
        file.write(json.dumps({'kind': 'evaluation', 'steps': steps, 'return': value,
                               'success_rate': 0.5, 'metrics': {'distance': 1.0}}) + '\\n')
        file.flush()
        if settings.get('lr', 0.0) > 0.8:
            time.sleep(600)
    file.write(json.dumps({'kind': 'event', 'event': 'finished'}) + '\\n')
"""


class QuickRunner(Runner):
    def check(self, config):
        pass

    def command(self, run, config):
        import json

        settings = json.dumps(dict(run.settings))
        return [sys.executable, '-c', SCRIPT, str(run.directory), str(run.seed), settings]


@pytest.fixture
def study(tmp_path):
    def write(text):
        path = tmp_path / 'study.yaml'
        path.write_text(text)
        return path

    return write


@pytest.fixture
def sweep(study, tmp_path, monkeypatch, capsys):
    """Run the command with quick runs; return exit status, output and results."""
    monkeypatch.setattr(command, '_runner', lambda args: QuickRunner())

    def run(text, *arguments):
        directory = tmp_path / 'sweep'
        status = command.main(
            ['--env', 'X', '--study', str(study(text)), '--dir', str(directory), *arguments]
        )
        captured = capsys.readouterr()
        results = directory / 'results.csv'
        rows = list(csv.DictReader(results.open())) if results.exists() else []
        return status, captured.out + captured.err, rows

    return run


def test_a_grid_tries_every_combination_with_every_seed(sweep, tmp_path):
    text = 'sampler: grid\nseeds: 2\nsettings: {lr: [0.1, 0.3], layers: [[8, 8], [16]]}\n'
    status, output, rows = sweep(text, '--workers', '3')
    assert status == 0
    assert {(row['lr'], row['layers']) for row in rows} == {
        ('0.1', '8,8'), ('0.1', '16'), ('0.3', '8,8'), ('0.3', '16'),
    }  # fmt: skip
    assert rows[0]['lr'] == '0.3'  # the best first
    assert float(rows[0]['value']) == pytest.approx(0.0005 - 0.005)  # mean of both seeds
    assert len(list((tmp_path / 'sweep/trials').glob('*/seed*'))) == 8
    assert '4 of 4 settings tried' in output


def test_optuna_chooses_within_the_ranges(sweep):
    text = 'trials: 6\nsettings: {lr: {low: 0.1, high: 0.5, log: true}, n: {low: 1, high: 3}}\n'
    status, _, rows = sweep(text, '--workers', '2')
    assert status == 0
    assert all(0.1 <= float(row['lr']) <= 0.5 and row['n'] in '123' for row in rows)
    assert len({row['lr'] for row in rows}) == 6


def test_many_seeds_of_one_setting_are_a_grid_without_settings(sweep, tmp_path):
    status, _, rows = sweep('sampler: grid\nseeds: [3, 4, 7]\n')
    assert (status, len(rows)) == (0, 1)
    names = sorted(path.name for path in (tmp_path / 'sweep/trials/0000').glob('seed*'))
    assert names == ['seed3', 'seed4', 'seed7']


@pytest.mark.parametrize(
    ('value', 'direction', 'expected'),
    [('last', 'maximise', -0.095), ('best', 'minimise', -0.1), ('mean', 'maximise', -0.0975)],
)
def test_a_run_is_worth_its_last_its_best_or_its_mean(sweep, value, direction, expected):
    text = f'sampler: grid\nvalue: {value}\ndirection: {direction}\nsettings: {{lr: 0.0}}\n'
    _, _, rows = sweep(text)
    assert float(rows[0]['value']) == pytest.approx(expected)


def test_a_run_that_died_is_tried_once_more(sweep):
    status, _, rows = sweep('sampler: grid\nsettings: {lr: 0.3, fail: once}\n')
    assert (status, rows[0]['state']) == (0, 'complete')


def test_settings_that_fail_are_left_and_the_others_go_on(sweep):
    text = "sampler: grid\nsettings: {lr: 0.3, fail: ['no', always]}\n"
    status, output, rows = sweep(text)
    assert status == 0
    assert sorted(row['state'] for row in rows) == ['complete', 'fail']
    assert 'failed: seed 0 ended with 7: the motors are off' in output


def test_a_sweep_in_which_nothing_works_ends(sweep):
    status, output, _ = sweep('trials: 50\nsampler: random\nsettings: {fail: always}\n')
    assert status == 2
    assert '3 settings failed one after the other' in output


def test_a_metric_that_nobody_measures_is_named(sweep):
    _, output, _ = sweep('sampler: grid\nmetric: speed\nsettings: {lr: 0.3}\n')
    assert "has 'speed'; metrics are distance, return, success_rate" in output


def test_poor_settings_are_stopped_early(sweep, monkeypatch):
    monkeypatch.setattr(command, 'JUDGE', 0.0)
    text = 'sampler: grid\nprune: true\nstartup: 2\nsettings: {lr: [0.3, 0.31, 0.9]}\n'
    status, output, rows = sweep(text)
    assert status == 0
    assert [(row['lr'], row['state']) for row in rows] == [
        ('0.3', 'complete'), ('0.31', 'complete'), ('0.9', 'pruned'),
    ]  # fmt: skip
    assert 'trial 2: stopped, below the median' in output


def test_another_sweep_does_not_go_into_the_same_directory(sweep):
    sweep('sampler: grid\nsettings: {lr: 0.3}\n')
    status, output, _ = sweep('sampler: grid\nsettings: {lr: 0.4}\n')
    assert status == 2
    assert 'holds a sweep with another sweep.yaml' in output


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('trials: 3\nsetings: {}\n', "unknown key 'setings'; there are settings"),
        ('settings: {lr: 0.1}\n', 'trials is missing'),
        ('trials: 3\nsampler: best\n', "sampler must be one of tpe, random, grid, got 'best'"),
        ('trials: 3\nsteps: 1e4\n', "steps must be of type int, got '1e4'"),
        ('sampler: grid\nsettings: {lr: {low: 1, high: 2}}\n', 'a grid needs lists of values'),
        ('trials: 3\nsettings: {lr: {low: 2, high: 1}}\n', 'low below high'),
        ('trials: 3\nsettings: {lr: {low: 3e-4, high: 1}}\n', '3e-4 is none to YAML'),
        ('trials: 3\nsettings: {lr: {from: 1}}\n', 'a range has low, high and perhaps log'),
        ('trials: 3\nseeds: [1, 1]\n', 'one or more different numbers'),
        ('- 1\n', 'must hold keys and values'),
        ('trials: [', 'cannot be read'),
    ],
)
def test_mistakes_in_the_file_are_one_line(study, text, message):
    with pytest.raises(CommandError, match=message):
        read(study(text))


def test_settings_are_checked_before_anything_runs(study):
    config = read(study('trials: 3\nsettings: {critic_rl: {low: 0.1, high: 1.0}}\n'))
    with pytest.raises(CommandError, match=r'unknown setting .critic_rl.; there are critic_lr'):
        GymRunner('Pendulum-v1').check(config)


def test_lists_in_the_file_are_ranges_and_choices(study):
    config = read(study('trials: 3\nsettings: {a: {low: 1, high: 2}, b: [[2, 3]], c: true}\n'))
    assert config.settings == {
        'a': Range(1, 2), 'b': Choices({'2,3': [2, 3]}), 'c': Choices({True: True}),
    }  # fmt: skip
    assert config.varying == ['a']


def test_a_launched_run_gets_its_settings_in_a_file_and_a_domain_of_its_own(study, tmp_path):
    config = read(study('trials: 1\nsteps: 500\narguments: [film:=false]\n'))
    settings = {'critic_lr': 0.001, 'sac_agent.smoothing.correlation': 0.5}
    (run,) = runs_of(tmp_path, 0, settings, [4])
    runner = LaunchRunner('sac_agent', 'dclaw_valve.launch.py', first_domain=20)
    line = ' '.join(runner.command(run, config))
    assert line.startswith('ros2 launch sac_agent dclaw_valve.launch.py run_dir:=')
    assert 'seed:=4 steps:=500' in line
    assert line.endswith('film:=false')
    written = (run.path / 'settings.yaml').read_text()
    assert '/**/sac_learner:\n  ros__parameters:\n    critic_lr: 0.001' in written
    assert '/**/sac_agent:\n  ros__parameters:\n    smoothing.correlation: 0.5' in written
    assert runner.environment(2)['ROS_DOMAIN_ID'] == '22'


def test_a_run_that_has_begun_is_resumed(tmp_path):
    run = Run(tmp_path, 0, {'critic_lr': 0.001})
    run.directory.mkdir()
    assert '--set' in GymRunner('Pendulum-v1').command(run, read_default(tmp_path))
    (run.directory / 'environment.json').write_text('{}')
    assert GymRunner('Pendulum-v1').command(run, read_default(tmp_path))[-2:] == [
        '--resume', str(run.directory),
    ]  # fmt: skip


def read_default(tmp_path):
    path = tmp_path / 'default.yaml'
    path.write_text('trials: 1\n')
    return read(path)


PENDULUM = """
steps: 500
trials: 1
seeds: 2
settings:
  critic_lr: {low: 0.0003, high: 0.003, log: true}
  actor_hidden: [[16]]
  critic_hidden: [[16]]
  batch_size: 16
  learning_starts: 50
  warmup_steps: 50
  tensorboard: false
arguments: [--eval-every, 200, --eval-episodes, 1]
"""


@pytest.mark.slow
def test_a_killed_sweep_goes_on_where_it_was(study, tmp_path):
    directory = tmp_path / 'sweep'
    line = [
        *(sys.executable, '-m', 'sac_learner.sweep.command', '--env', 'Pendulum-v1'),
        *('--study', str(study(PENDULUM)), '--dir', str(directory), '--workers', '2'),
    ]
    first = subprocess.Popen(line, stdout=subprocess.DEVNULL)
    run = directory / 'trials/0000/seed0/run/metrics.jsonl'
    end = time.monotonic() + 120
    while not run.exists() or not metrics.read(run, 'episode'):
        assert time.monotonic() < end, 'timeout'
        time.sleep(0.05)
    pids = [int(path.read_text()) for path in directory.glob('trials/*/seed*/pid')]
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert pids
    second = subprocess.run(line, capture_output=True, text=True, timeout=300, check=False)
    assert second.returncode == 0, second.stdout + second.stderr
    assert not any(Path(f'/proc/{pid}').exists() for pid in pids)
    rows = list(csv.DictReader((directory / 'results.csv').open()))
    assert [row['state'] for row in rows] == ['complete']
    resumed = [
        path
        for path in directory.glob('trials/*/seed*/run')
        if len([e for e in metrics.read(path / 'metrics.jsonl', 'event') if e['event'] == 'start'])
        > 1
    ]
    assert resumed  # what was under way went on, and did not begin anew
    for path in directory.glob('trials/*/seed*/run'):
        last = metrics.read(path / 'metrics.jsonl', 'training')[-1]
        assert (last['steps'], last['updates']) == (500, 1800)
