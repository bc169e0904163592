"""The whole path, each process real: emulated servo bus, driver, agent, learner, launch."""

import json
import os
from pathlib import Path
import shutil
import signal
import subprocess
import time

import psutil
import pytest

from sac_agent.tools import verify_bag
from sac_core.policy_format import load_policy
from sac_learner.run import metrics

pytestmark = pytest.mark.slow
STEPS = 5000


def launch(tmp_path, *arguments, **options):
    """Start the launch file in a process group of its own, output into a file."""
    log = (tmp_path / 'launch.log').open('a')
    command = ['ros2', 'launch', 'sac_agent', 'dclaw_valve.launch.py', *arguments]
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        cwd=tmp_path,
        env={**os.environ, 'CI': 'true'},
        **options,
    )


def processes_of(session):
    return [p for p in psutil.process_iter() if _session(p.pid) == session]


def _session(pid):
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return -1


def wait_for(condition, timeout, what):
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f'timeout: {what}'
        time.sleep(0.1)


@pytest.fixture
def started():
    """End what a failed test leaves behind."""
    processes = []
    yield processes
    for process in processes:
        for left in processes_of(process.pid):
            left.kill()


def returns(run_dir):
    episodes = metrics.read(run_dir / 'metrics.jsonl', 'episode')
    return [e['return'] for e in episodes if not e['evaluation']]


def mean(values):
    return sum(values) / len(values)


def test_return_rises_clearly_above_that_of_random_actions(tmp_path, started):
    run_dir = tmp_path / 'run'
    process = launch(tmp_path, f'run_dir:={run_dir}', f'steps:={STEPS}', 'seed:=1', 'film:=false')
    started.append(process)
    assert process.wait(timeout=420) == 0, (tmp_path / 'launch.log').read_text()[-3000:]
    seen = returns(run_dir)
    random, learned = mean(seen[:10]), mean(seen[-15:])  # warm-up: 1000 steps of 100
    assert learned > random + 40.0, (random, learned)
    environment = json.loads((run_dir / 'environment.json').read_text())
    assert environment['seed'] == 1
    for name in ('config.yaml', 'summary.txt', 'learning_curve.png', 'episodes.csv'):
        assert (run_dir / name).stat().st_size > 0
    _, _, metadata = load_policy(run_dir / 'checkpoints' / 'best' / 'policy.safetensors')
    assert int(metadata['updates']) > 0
    assert list((run_dir / 'tensorboard').iterdir())
    assert list((run_dir / 'bags').rglob('*.mcap'))
    assert verify_bag.main(['--bag', str(run_dir / 'bags' / 'dclaw')]) == 0
    assert not processes_of(process.pid)
    events = metrics.read(run_dir / 'metrics.jsonl', 'event')
    assert [e['event'] for e in events].count('start') == 1  # ended, and not started again


def test_learner_that_is_killed_is_started_again_and_goes_on(tmp_path, started):
    run_dir = tmp_path / 'run'
    process = launch(tmp_path, f'run_dir:={run_dir}', 'steps:=2500', 'film:=false')
    started.append(process)
    wait_for(
        lambda: (run_dir / 'metrics.jsonl').exists() and len(returns(run_dir)) >= 13,
        240,
        'thirteen episodes',
    )
    (learner,) = (p for p in processes_of(process.pid) if 'sac_learner/sac_learner' in cmd(p))
    learner.kill()
    assert process.wait(timeout=240) == 0, (tmp_path / 'launch.log').read_text()[-3000:]
    last = metrics.read(run_dir / 'metrics.jsonl', 'training')[-1]
    assert last['steps'] == 2500
    assert last['updates'] == 2 * (2500 - 1000)  # for every transition after the random ones


def cmd(process):
    try:
        return ' '.join(process.cmdline())
    except psutil.Error:
        return ''


def test_interrupted_run_leaves_nothing_behind_and_goes_on(tmp_path, started):
    run_dir = tmp_path / 'run'
    first = launch(tmp_path, f'run_dir:={run_dir}', 'steps:=100000', 'film:=false')
    started.append(first)
    wait_for(
        lambda: (run_dir / 'metrics.jsonl').exists() and len(returns(run_dir)) >= 12,
        240,
        'twelve episodes',
    )
    os.kill(first.pid, signal.SIGINT)
    assert first.wait(timeout=90) == 0
    assert not processes_of(first.pid)
    assert (run_dir / 'summary.txt').exists()
    done = metrics.read(run_dir / 'metrics.jsonl', 'training')[-1]
    assert done['updates'] > 0
    second = launch(tmp_path, f'resume:={run_dir}', f'steps:={done["steps"] + 300}', 'film:=false')
    started.append(second)
    assert second.wait(timeout=240) == 0, (tmp_path / 'launch.log').read_text()[-3000:]
    resumed = [
        e for e in metrics.read(run_dir / 'metrics.jsonl', 'event') if e['event'] == 'resume'
    ]
    assert resumed[-1]['updates'] == done['updates']
    last = metrics.read(run_dir / 'metrics.jsonl', 'training')[-1]
    assert last['steps'] >= done['steps'] + 300
    assert last['updates'] >= done['updates'] + 300


@pytest.mark.parametrize(
    ('arguments', 'text'),
    [
        (['stepz:=3'], "unknown argument 'stepz'"),
        (['speed:=fast'], "speed must be a number from 0 to 1000, got 'fast'"),
        (['observe:=sound'], 'Valid options are'),
        (['steps:=many'], "steps must be a whole number, got 'many'"),
        (['resume:=/nowhere'], 'holds no run'),
    ],
)
def test_mistaken_argument_is_one_line_and_an_error(tmp_path, started, arguments, text):
    process = launch(tmp_path, *arguments)
    started.append(process)
    assert process.wait(timeout=60) == 1
    output = (tmp_path / 'launch.log').read_text()
    assert text in output
    assert 'Traceback' not in output


def test_occupied_serial_port_is_an_error(tmp_path, started):
    process = launch(tmp_path, 'backend:=hardware', f'port:={tmp_path / "no_such_port"}')
    started.append(process)
    assert process.wait(timeout=90) in (0, 1)
    assert Path(tmp_path / 'launch.log').read_text()


def test_tools_are_there():
    assert shutil.which('ros2')
