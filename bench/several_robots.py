"""Data rate of 1, 2 and 4 simulated D'Claws at the speed of the robot, and one learner.

./ros2w exec python3 bench/several_robots.py [--robots 1 2 4] [--seconds 60]
"""

import argparse
from collections import defaultdict
from collections.abc import Iterable, Iterator
import json
import os
from pathlib import Path
import signal
import subprocess
import sys
import tempfile
from typing import Any

from sac_core.bag.transitions import transitions
from sac_learner.run import metrics

RATE = 10.0  # [Hz] of one robot
LEARNING_STARTS = 200  # transitions
SETTINGS = f"""
/**/sac_agent:
  ros__parameters:
    warmup.steps: 50
    evaluation.every: 0
    evaluation.episodes: 1
/**/sac_learner:
  ros__parameters:
    learning_starts: {LEARNING_STARTS}
    metrics_period: 1.0
"""


def measure(robots: int, seconds: float, speed: float, home: Path) -> dict[str, float]:
    """Return the figures of a run.

    Args:
        robots: How many.
        seconds: In which all robots act and learn [s].
        speed: Simulated per wall time; 1.0 is the wall clock, others lockstep.
        home: Empty directory.
    """
    (home / 'settings.yaml').write_text(SETTINGS)
    steps = LEARNING_STARTS + round(RATE * robots * seconds)
    with (home / 'launch.log').open('w') as log:
        process = subprocess.Popen(
            [
                *('ros2', 'launch', 'sac_agent', 'dclaw_valve.launch.py', f'robots:={robots}'),
                *(f'speed:={speed}', f'steps:={steps}', 'film:=false'),
                *('run_dir:=run', 'settings:=settings.yaml'),
            ],
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, 'CI': 'true', 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'},
        )
    try:
        if process.wait(timeout=20 * seconds + 300) != 0:
            raise RuntimeError((home / 'launch.log').read_text()[-2000:])
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(60)
    return figures(home / 'run', robots)


def figures(run: Path, robots: int) -> dict[str, float]:
    """Return rates and losses of a run."""
    training = metrics.read(run / 'metrics.jsonl', 'training')
    first, last = training[0], training[-2]  # one more comes after the last evaluation
    span = last['time'] - first['time']
    sent = missing = missed = 0
    for bag in sorted((run / 'bags').iterdir()):
        steps = list(transitions([bag]))
        sent += len(steps)
        missing += steps[-1].sequence - len(steps)
        missed += sum(step.deadline_missed for step in steps)
        durable = json.loads((bag / 'journal.json').read_text())['durable']
        missing += steps[-1].sequence - durable
    return {
        'robots': robots,
        'transitions/s': sum(_rates(metrics.read(run / 'metrics.jsonl', 'episode'))),
        'updates/s': (last['updates'] - first['updates']) / span,
        'sent': sent,
        'not at the learner': missing,
        'deadlines missed': missed,
    }


def _rates(episodes: Iterable[dict[str, Any]]) -> Iterator[float]:
    """Yield the rate of each robot from the end of its first episode to that of its last [1/s].

    Robots begin one after the other, so that steps of all by time of all would be too few.
    """
    ends: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for episode in episodes:
        if not episode['evaluation']:
            ends[episode['agent']].append((episode['time'], episode['length']))
    for own in ends.values():
        yield sum(length for _, length in own[1:]) / (own[-1][0] - own[0][0])


def main() -> int:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--robots', type=int, nargs='+', default=[1, 2, 4])
    parser.add_argument('--seconds', type=float, default=60.0, help='of each run (60)')
    parser.add_argument('--speed', type=float, default=1.0, help='simulated per wall time (1)')
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no robot stays behind
    for number, robots in enumerate(options.robots):
        with tempfile.TemporaryDirectory() as home:
            found = measure(robots, options.seconds, options.speed, Path(home))
        if not number:
            print(f'| {" | ".join(found)} |\n|{"---|" * len(found)}')
        print(f'| {" | ".join(f"{value:.4g}" for value in found.values())} |', flush=True)
    with Path('/proc/loadavg').open() as load:
        print(f'load {load.read().split()[0]}, {os.cpu_count()} cores', file=sys.stderr)
    return 0


if __name__ == '__main__':
    sys.exit(main())
