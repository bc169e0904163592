"""Several robots feed one learner: nothing is lost, and each has its curve."""

import json
import os
from pathlib import Path
import re
import signal
import subprocess

import numpy as np
import psutil
import pytest

pytest.importorskip('rclpy')

from sac_core.bag.transitions import transitions
from sac_learner.run import metrics

pytestmark = pytest.mark.slow
ROBOTS = ('dclaw1', 'dclaw2')
STEPS = 300
SETTINGS = """
/**/sac_agent:
  ros__parameters:
    episode.time_limit: 30
    evaluation.episodes: 2
"""


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    """Two simulated hands, to the end of the run."""
    home = tmp_path_factory.mktemp('several')
    (home / 'short.yaml').write_text(SETTINGS)
    command = [
        *('ros2', 'launch', 'sac_agent', 'dclaw_valve.launch.py', 'robots:=2', 'film:=false'),
        *(f'steps:={STEPS}', 'seed:=5', 'run_dir:=run', 'settings:=short.yaml'),
        'speed:=2.0',  # slow enough that whoever starts first does not do it all
    ]
    with (home / 'launch.log').open('w') as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=home,
            env={**os.environ, 'CI': 'true'},
        )
        try:
            status = process.wait(timeout=240)
        finally:
            for left in psutil.process_iter():
                if _session(left.pid) == process.pid:
                    left.send_signal(signal.SIGKILL)
    assert status == 0, (home / 'launch.log').read_text()[-3000:]
    return home / 'run'


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return -1


def recorded(run: Path, robot: str):
    return list(transitions([run / 'bags' / robot]))


@pytest.mark.parametrize('robot', ROBOTS)
def test_every_step_of_a_robot_is_on_the_disk_of_the_learner(run, robot):
    numbers = [step.sequence for step in recorded(run, robot)]
    assert numbers == list(range(1, len(numbers) + 1))
    journal = json.loads((run / 'bags' / robot / 'journal.json').read_text())
    assert journal['durable'] == len(numbers)


def test_steps_of_all_robots_are_counted_together(run):
    trained = [s for robot in ROBOTS for s in recorded(run, robot) if not s.evaluation]
    last = metrics.read(run / 'metrics.jsonl', 'training')[-1]
    assert last['steps'] == last['replay_size'] == len(trained)
    assert STEPS <= last['steps'] <= STEPS + 100  # both may use up the same rest of the budget


def test_robots_share_the_work_and_explore_differently(run):
    one, other = (recorded(run, robot) for robot in ROBOTS)
    trained = [sum(not step.evaluation for step in steps) for steps in (one, other)]
    assert min(trained) > STEPS // 5
    assert not np.allclose(one[0].action, other[0].action)


def test_the_run_ends_with_an_evaluation_of_every_robot(run):
    evaluations = metrics.read(run / 'metrics.jsonl', 'evaluation')
    assert sorted(record['agent'] for record in evaluations) == list(ROBOTS)
    (finished,) = (
        e for e in metrics.read(run / 'metrics.jsonl', 'event') if e['event'] == 'finished'
    )
    assert finished['time'] - evaluations[-1]['time'] < 5.0


def test_every_robot_has_its_line_and_its_curve(run):
    text = (run / 'summary.txt').read_text()
    assert re.findall(r'^robot (dclaw\d) +\d+ steps', text, re.M) == list(ROBOTS)
    assert (run / 'learning_curve.png').stat().st_size > 10_000
