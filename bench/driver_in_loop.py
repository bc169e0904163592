"""What emulator, driver and agent cost a training run, and how regularly the drivers cycle.

    ./ros2w exec python3 bench/driver_in_loop.py                 all three robots
    ./ros2w exec python3 bench/driver_in_loop.py --robots dclaw --steps 4000

For each robot: training steps per second on Gymnasium (task and twin in the learner's process),
then through its launch file (four processes), with the learner settings of its YAML; first what
the driver alone does in lockstep, then its cycle in wall clock under the node, commanded at the
policy's rate. A cycle is a read of the D'Claw's bus, a torque to the Sawyer, a datagram to the
Minitaur. Nothing is evaluated, and the random warm-up is left out.
"""

import argparse
from collections.abc import Iterator
import contextlib
from dataclasses import dataclass, fields
import json
import os
from pathlib import Path
import signal
import socket
import subprocess
import sys
import tempfile
import time

import numpy as np
import yaml

CONFIG = Path(__file__).resolve().parents[1] / 'config'
SETTLE = 2.0  # [s] before cycles are timed
SPARED = 500  # steps after the warm-up that are not timed: the first updates


@dataclass(frozen=True)
class Contestant:
    """One robot: its environment, its files and how its emulator is started."""

    env: str
    launch: str
    config: str
    emulator: tuple[str, ...]  # {port}, {clock} are filled in
    port: str


ROBOTS = {
    'dclaw': Contestant(
        'sac/DclawValve-v0',
        'dclaw_valve.launch.py',
        'dclaw_valve.yaml',
        ('robot_drivers.dclaw.emulator.main', '--link', '{port}', '--clock', '{clock}'),
        '{folder}/bus',
    ),
    'minitaur': Contestant(
        'sac/MinitaurWalk-v0',
        'minitaur_walk.launch.py',
        'minitaur_walk.yaml',
        ('robot_drivers.minitaur.emulator', '--robot-port', '{number}', '--clock', '{clock}'),
        '127.0.0.1:{number}',
    ),
    'sawyer': Contestant(
        'sac/SawyerStack-v0',
        'sawyer_stack.launch.py',
        'sawyer_stack.yaml',
        ('robot_drivers.sawyer.emulator', '--master-port', '{number}', '--clock', '{clock}'),
        'http://127.0.0.1:{number}',
    ),
}


def main() -> int:
    """Print one line per robot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--robots', nargs='+', choices=list(ROBOTS), default=list(ROBOTS))
    parser.add_argument('--steps', type=int, default=4000, help='of each training run (4000)')
    parser.add_argument('--seconds', type=float, default=10.0, help='of timed cycles (10)')
    parser.add_argument('--only', choices=('learning', 'rates'), help='one of the two parts')
    parser.add_argument('--cycles', nargs=2, metavar=('ROBOT', 'PORT'), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.cycles:
        print(json.dumps(wall_cycles(*arguments.cycles, arguments.seconds)))
        return 0
    for name in arguments.robots:
        robot = ROBOTS[name]
        if arguments.only != 'rates':
            _say(f'{name}: {learning(robot, arguments.steps)}')
        if arguments.only != 'learning':
            _say(f'{name}: {lockstep_rate(name, robot, arguments.seconds)}')
            _say(f'{name}: {cycles(name, robot, arguments.seconds)}')
    return 0


def learning(robot: Contestant, steps: int) -> str:
    """Return training steps per second on Gymnasium and through ROS, and the cost of ROS."""
    settings = yaml.safe_load((CONFIG / robot.config).read_text())
    learner = settings['/**/sac_learner']['ros__parameters']
    with tempfile.TemporaryDirectory() as folder:
        paths = Path(folder) / 'gym', Path(folder) / 'ros'
        gym = [sys.executable, '-m', 'sac_learner.gym.train', '--env', robot.env, '--eval-every']
        gym += ['0', '--steps', f'{steps}', '--run-dir', f'{paths[0]}', *_assignments(learner)]
        ros = ['ros2', 'launch', 'sac_agent', robot.launch, f'steps:={steps}', 'film:=false']
        ros += [f'run_dir:={paths[1]}']
        rates = [_rate(command, path) for command, path in zip((gym, ros), paths, strict=True)]
    cost = rates[0] / rates[1] - 1.0
    return f'Gymnasium {rates[0]:.1f}, ROS {rates[1]:.1f} steps/s: {cost:+.1%} wall-clock'


def _assignments(learner: dict[str, object]) -> list[str]:
    from sac_learner.sac.config import SacConfig

    known = {item.name for item in fields(SacConfig)}
    given = [f'{name}={value}' for name, value in learner.items() if name in known]
    preset = ['--preset', f'{learner["preset"]}'] if 'preset' in learner else []
    return [*preset, *(['--set', *given] if given else [])]


def _rate(command: list[str], run: Path) -> float:
    """Run a training and return its steps per second between whole episodes."""
    with (run.parent / f'{run.name}.log').open('w') as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, start_new_session=True, env={**os.environ, 'CI': '1'}
        )
        try:
            process.wait()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
                process.wait(60)
    if not (run / 'metrics.jsonl').exists():
        raise RuntimeError(f'{command} failed:\n{Path(log.name).read_text()[-2000:]}')
    from sac_learner.run import metrics

    warmup = yaml.safe_load((run / 'config.yaml').read_text())['sac']['learning_starts']
    ends = [
        (episode['time'], episode['steps'])
        for episode in metrics.read(run / 'metrics.jsonl', 'episode')
        if not episode['evaluation'] and episode['steps'] >= warmup + SPARED
    ]
    (begin, first), (end, last) = ends[0], ends[-1]
    return float((last - first) / (end - begin))


@contextlib.contextmanager
def emulator(robot: Contestant, clock: str) -> Iterator[str]:
    """Run an emulated robot and yield its port."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        number = probe.getsockname()[1]
        port = robot.port.format(folder=folder, number=number)
        module, *options = robot.emulator
        words = [word.format(port=port, number=number, clock=clock) for word in options]
        probe.close()
        process = subprocess.Popen(
            [sys.executable, '-m', module, *words], stdout=subprocess.DEVNULL
        )
        try:
            yield port
        finally:
            process.terminate()
            process.wait(10)


def lockstep_rate(name: str, robot: Contestant, seconds: float) -> str:
    """Return how many commands per second the driver alone carries out in lockstep."""
    from robot_drivers.driver import Driver
    from robot_drivers.errors import RobotError
    from robot_drivers.registry import find_robot
    from robot_drivers.robot import Connection
    from robot_drivers.safety import SafetyConfig

    kind = find_robot(name)
    with emulator(robot, 'lockstep') as port:
        connection = Connection(port, 'sim', 'lockstep')
        driver = Driver(kind.create(kind.config(), connection), SafetyConfig(), 'lockstep')
        deadline = time.monotonic() + 30.0
        while True:
            try:
                driver.connect()
                break
            except RobotError:  # it is starting
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
        driver.enable()
        state, spec = driver.read(), driver.robot.spec
        target = np.zeros(len(spec.joints))
        if spec.mode == 'position':
            target = np.clip(state.position[: len(target)], spec.lower, spec.upper)
        count, begin = 0, time.monotonic()
        while (took := time.monotonic() - begin) < seconds:
            driver.command(spec.joints, target, spec.mode, 0.0)
            count += 1
        driver.close()
    return f'lockstep, driver and emulator alone: {count / took:.0f} commands/s'


def cycles(name: str, robot: Contestant, seconds: float) -> str:
    """Return rate and jitter of the node's cycle in wall clock."""
    with emulator(robot, 'wall') as port:
        command = [sys.executable, __file__, '--cycles', name, port, '--seconds', f'{seconds}']
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(result.stderr[-2000:])
    found = json.loads(result.stdout.splitlines()[-1])
    return (
        'wall clock, under the node: {rate:.1f} of {wanted:.0f} cycles/s, interval median '
        '{median:.2f}, 1 % below {low:.2f}, 1 % above {high:.2f}, longest {longest:.2f} ms'
    ).format(**found)


def wall_cycles(name: str, port: str, seconds: float) -> dict[str, float]:
    """Run the driver node, command it at the policy's rate, and time its cycles."""
    import rclpy
    from rclpy.experimental import EventsExecutor
    from sac_msgs.msg import JointCommand

    from robot_drivers.node.robot_node import RobotNode

    parameters = {'robot': name, 'port': port, 'clock': 'wall'}
    words = [word for item in parameters.items() for word in ('-p', '{}:={}'.format(*item))]
    rclpy.init(args=['--ros-args', *words])
    node = RobotNode()
    node.trigger_configure()
    node.trigger_activate()
    driver = node.driver
    if driver is None or node.failure:
        raise RuntimeError(node.failure)
    stamps: list[float] = []
    cycle, spec = driver.cycle, driver.robot.spec

    def timed() -> object:
        stamps.append(time.monotonic())
        return cycle()

    driver.cycle = timed  # type: ignore[method-assign]
    publisher = node.create_publisher(JointCommand, 'joint_command', 1)
    mode = getattr(JointCommand, f'MODE_{spec.mode.upper()}')
    held = np.zeros(len(spec.joints))
    if spec.mode == 'position' and driver.state is not None:
        held = np.clip(driver.state.position[: len(held)], spec.lower, spec.upper)

    def command() -> None:
        message = JointCommand(names=spec.joints, mode=mode, values=held.tolist())
        message.header.stamp = node.get_clock().now().to_msg()
        publisher.publish(message)

    node.create_timer(spec.control_period, command)
    executor = EventsExecutor()
    executor.add_node(node)
    end = time.monotonic() + SETTLE + seconds
    while time.monotonic() < end:
        executor.spin_once(timeout_sec=0.1)
    node.close()
    rclpy.try_shutdown()
    intervals = 1000.0 * np.diff([s for s in stamps if s > end - seconds])
    low, median, high = np.percentile(intervals, (1, 50, 99))
    return {
        'rate': 1000.0 / float(intervals.mean()),
        'wanted': spec.update_rate,
        'low': float(low),
        'median': float(median),
        'high': float(high),
        'longest': float(intervals.max()),
    }


def _say(text: str) -> None:
    sys.stdout.write(f'{text}\n')
    sys.stdout.flush()


if __name__ == '__main__':
    sys.exit(main())
