"""Random commands, weights and transitions: nothing outside the limits, and nothing that crashes.

    ./ros2w exec python bench/fuzz.py --commands 1000000 --messages 100000

Commands with NaN, infinity, wrong names, wrong sizes, wrong modes, stale and future stamps go
through the driver of each robot; what would be written to the motors is checked against the
limits. More of them go on to the emulated robot, and what arrives there on the wire is checked.
Malformed weights go to the agent's policy store, malformed transitions to the learner's intake.
"""

from __future__ import annotations

import argparse
from collections import Counter
import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
import sys
import tempfile
import time

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

from wiretap import EMULATORS

from robot_drivers.driver import Driver
from robot_drivers.errors import RobotError
from robot_drivers.registry import find_robot
from robot_drivers.robot import Array, Connection, Robot, RobotState
from robot_drivers.safety import SafetyConfig

ROBOTS = ('dclaw', 'minitaur', 'sawyer')
ODD = (float('nan'), float('inf'), float('-inf'), 1e308, -1e308, 5e-324)
MODES = ('position', 'velocity', 'effort', '7')
TOLERANCE = 1e-9
WIRE_TOLERANCE = 2e-3  # [rad or Nm] a servo's tick is 1.5e-3 rad


@dataclass
class Result:
    """What became of the commands to one robot."""

    robot: str
    commands: int = 0
    written: int = 0
    outside: int = 0  # written beyond range or rate, or not finite
    refused: Counter[str] | None = None
    seconds: float = 0.0


def command(rng: np.random.Generator, robot: Robot) -> tuple[list[str], list[float], str, float]:
    """Return names, values, mode and age [s] of a command, mostly a bad one."""
    spec = robot.spec
    names = list(spec.joints)
    span = spec.command_upper - spec.command_lower
    middle = 0.5 * (spec.command_upper + spec.command_lower)
    values = list(middle + span * rng.normal(0.0, rng.choice([0.1, 0.5, 10.0]), len(names)))
    mode: str = spec.mode
    age = float(rng.uniform(0.0, 0.05))
    kind = int(rng.integers(12))
    if kind == 0:
        values[rng.integers(len(values))] = ODD[rng.integers(len(ODD))]
    elif kind == 1:
        names[rng.integers(len(names))] = str(rng.choice(['elbow', '', names[0], 'ü' * 9]))
    elif kind == 2:
        names = names[: rng.integers(len(names))]
    elif kind == 3:
        values = values[: rng.integers(len(values))] * int(rng.integers(1, 4))
    elif kind == 4:
        mode = MODES[rng.integers(len(MODES))]
    elif kind == 5:
        age = float(rng.choice([0.6, 1e9, -0.6, -1e9, np.nan, np.inf]))
    elif kind == 6:
        order = rng.permutation(len(names))
        names, values = [names[i] for i in order], [values[i] for i in order]
    return names, values, mode, age


def state(rng: np.random.Generator, robot: Robot, before: RobotState) -> RobotState:
    """Return a measurement, now and then one beyond the limits."""
    count = len(before.position)
    position = before.position + rng.normal(0.0, 0.05, count)
    if rng.random() < 0.02:
        position = position + rng.normal(0.0, 3.0, count)
    lower = np.full(count, -10.0)
    upper = np.full(count, 10.0)
    joints = len(robot.spec.joints)
    lower[:joints], upper[:joints] = robot.spec.lower - 0.3, robot.spec.upper + 0.3
    return replace(
        before,
        position=np.clip(position, lower, upper),
        velocity=rng.normal(0.0, 2.0, count),
        effort=rng.normal(0.0, 2.0, count),
    )


def fuzz_driver(name: str, commands: int, seed: int) -> Result:
    """Send commands through driver and safety layer of a robot; nothing is connected."""
    rng = np.random.default_rng([seed, ROBOTS.index(name)])
    kind = find_robot(name)
    connection = Connection(port=kind.default_port['sim'], clock='wall')
    robot = kind.create(kind.config(), connection)
    spec = robot.spec
    now = [100.0]
    driver = Driver(robot, SafetyConfig(), 'wall', monotonic=lambda: now[0])
    written: list[Array] = []
    robot._write = written.append  # type: ignore[method-assign]
    robot.limp = lambda: None  # type: ignore[method-assign]
    joints = len(spec.joints)
    seen = _start(robot)
    driver.state = seen
    driver.safety.enable(seen, now[0])
    result = Result(name, refused=driver.safety.counts)
    last, last_time = driver.safety.last_sent, now[0] - spec.control_period
    begin = time.perf_counter()
    for _ in range(commands):
        now[0] += float(rng.choice([0.0, 0.2, 1.0, 1.0, 3.0])) * spec.control_period
        if rng.random() < 0.2:
            driver.state = seen = state(rng, robot, seen)
        driver.command(*command(rng, robot))
        result.commands += 1
        for target in written:
            result.written += 1
            elapsed = min(now[0] - last_time, spec.control_period)
            result.outside += not _within(robot, target, last, elapsed)
            last, last_time = target[:joints].copy(), now[0]
        written.clear()
    result.seconds = time.perf_counter() - begin
    return result


def _within(robot: Robot, target: Array, last: Array, elapsed: float) -> bool:
    spec = robot.spec
    if not np.isfinite(target).all():
        return False
    inside = (target >= spec.command_lower - TOLERANCE).all() and (
        target <= spec.command_upper + TOLERANCE
    ).all()
    if spec.mode == 'position':
        step = spec.velocity_limit * elapsed + TOLERANCE
        return bool(inside and (np.abs(target - last) <= step).all())
    return bool(inside)


def _start(robot: Robot) -> RobotState:
    spec = robot.spec
    count = len(spec.sensed_joints)
    position = np.zeros(count)
    position[: len(spec.joints)] = 0.5 * (spec.lower + spec.upper)
    return RobotState(0.0, position, np.zeros(count), np.zeros(count))


def fuzz_wire(name: str, commands: int, seed: int) -> Result:
    """Send commands to an emulated robot in lock-step; check what arrives there."""
    rng = np.random.default_rng([seed, 10 + ROBOTS.index(name)])
    arrived: list[Array] = []
    result = Result(name)
    with EMULATORS[name](arrived) as port:
        kind = find_robot(name)
        robot = kind.create(kind.config(), Connection(port=port, clock='lockstep'))
        driver = Driver(robot, SafetyConfig(), 'lockstep')
        driver.connect()
        driver.enable()
        arrived.clear()
        begin = time.perf_counter()
        for _ in range(commands):
            while driver.fault:  # it fell, left its workspace, or the machine is busy
                with contextlib.suppress(RobotError):
                    driver.enable()
                arrived.clear()
            driver.command(*command(rng, robot))
            result.commands += 1
        result.seconds = time.perf_counter() - begin
        result.refused = driver.safety.counts
        driver.close()
    lower, upper = robot.spec.command_lower, robot.spec.command_upper
    for values in arrived:
        result.written += 1
        inside = np.isfinite(values).all() and (values >= lower - WIRE_TOLERANCE).all()
        result.outside += not (inside and (values <= upper + WIRE_TOLERANCE).all())
    return result


def fuzz_messages(count: int, seed: int) -> dict[str, int]:
    """Offer malformed weights and transitions; return how many were refused and taken."""
    from chaos.rubbish import Rubbish

    from sac_agent.node.messages import offer
    from sac_agent.policy.store import PolicyStore
    from sac_core.spec import AgentSpec, ObservationSpec
    from sac_learner.intake.intake import Intake
    from sac_learner.intake.transitions import from_message, stream_key
    from sac_learner.replay import Replay

    observation = ObservationSpec(tuple(f'o{i}' for i in range(28)))
    spec = AgentSpec('robot', 's', 't', 0.1, observation, tuple(f'a{i}' for i in range(9)))
    rubbish = Rubbish(seed, ('a', 'b'), 'robot', spec.spec_hash())
    store = PolicyStore(spec)
    taken = 0
    for _ in range(count):
        taken += store.offer(offer(rubbish.weights())) == ''
    with tempfile.TemporaryDirectory(prefix='fuzz') as directory:
        intake = Intake(Replay(Path(directory), 1000, 28, None, 9))
        for _ in range(count):
            message = rubbish.transition()
            try:
                transition = from_message(message, None)
            except ValueError as error:
                intake.reject('shape', str(error))
                continue
            intake.offer(stream_key(message.agent_id, message.stream_id), transition)
        accepted = sum(intake.counts.values()) - intake.rejected
    return {
        'weights refused': store.refused,
        'weights taken': taken,
        'transitions refused': intake.rejected,
        'transitions taken': accepted,
    }


def main() -> int:
    """Fuzz everything; return 0 if nothing came through."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--commands', type=int, default=1_000_000, help='of all robots together')
    parser.add_argument('--wire', type=int, default=3000, help='to emulated robots, on the wire')
    parser.add_argument('--messages', type=int, default=100_000, help='of each of two kinds')
    parser.add_argument('--seed', type=int, default=0)
    options = parser.parse_args()
    results = [fuzz_driver(name, options.commands // 3, options.seed) for name in ROBOTS]
    print(
        f'{"robot":9} {"commands":>9} {"written":>9} {"outside":>8} {"time":>7}  refused by check'
    )
    for result in results:
        _print(result)
    wire = [fuzz_wire(name, options.wire // 3, options.seed) for name in ROBOTS]
    print('on the wire of the emulated robot')
    for result in wire:
        _print(result)
    begin = time.perf_counter()
    messages = fuzz_messages(options.messages, options.seed)
    print(f'malformed messages: {messages}, {time.perf_counter() - begin:.0f} s')
    bad = sum(result.outside for result in (*results, *wire))
    bad += messages['weights taken'] + messages['transitions taken']
    print('nothing came through' if not bad else f'{bad} CAME THROUGH')
    return 1 if bad else 0


def _print(result: Result) -> None:
    counts = sorted((result.refused or {}).items())
    checks = ', '.join(f'{check} {count}' for check, count in counts)
    print(
        f'{result.robot:9} {result.commands:9} {result.written:9} {result.outside:8} '
        f'{result.seconds:6.1f}s  {checks}'
    )


if __name__ == '__main__':
    sys.exit(main())
