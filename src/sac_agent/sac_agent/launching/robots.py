"""One robot or several, simulated or real, and the learner that learns to move them."""

from collections.abc import Callable, Mapping
from pathlib import Path
import socket
import subprocess
from typing import Any

from launch_ros.substitutions import ExecutableInPackage

from sac_agent.config import from_file
from sac_agent.launching.arguments import number, parameter_files, whole_numbers
from sac_agent.launching.launch_file import include

MOST_ROBOTS = 64


def simulated_robots(name: str, value: Mapping[str, str]) -> list[dict[str, str]]:
    """Return namespace, seed and clock topic of every robot that the argument `robots` asks for.

    Args:
        name: Namespace of a single robot; several get a number each.
        value: Launch arguments, with `robots`, `seed` and `backend`.

    Raises:
        RuntimeError: The number is not admissible, or the robots are not simulated.
    """
    whole_numbers(value, 'robots', 'seed')
    count, seed = int(value['robots']), int(value['seed'])
    if not 1 <= count <= MOST_ROBOTS:
        raise RuntimeError(f'robots must lie in [1, {MOST_ROBOTS}], got {count}')
    if count == 1:
        return [{'namespace': name, 'seed': value['seed']}]
    if value['backend'] != 'sim':
        raise RuntimeError(
            'robots: only simulated ones start together; give each real one its driver and '
            'namespace, then train.launch.py all namespaces'
        )
    return [
        {
            'namespace': f'{name}{number + 1}',
            'seed': str(seed + number),
            'clock_topic': f'/{name}{number + 1}/clock',
        }
        for number in range(count)
    ]


def robot_and_learner(
    launch_files: Path,
    value: Mapping[str, str],
    *,
    robot: Path,
    namespace: str,
    driver: Callable[[], Mapping[str, str]],
    twin: str,
) -> list[Any]:
    """Return what starts a robot, or its emulator, and what learns to move it.

    Args:
        launch_files: Directory of driver.launch.py and train.launch.py.
        value: Launch arguments, with those of `run_arguments` and `backend` among them.
        robot: YAML file of robot, task and learner.
        namespace: Of the robot; several simulated ones have a number after it.
        driver: Called once per robot, returns further arguments of its driver.launch.py.
        twin: Where the learned policy is filmed, module:Class.
    """
    speed = number(value, 'speed', 1000.0)
    wall = value['backend'] == 'hardware' or speed == 1.0
    common = {'robot': str(robot), 'clock': 'wall' if wall else 'lockstep'}
    robots = simulated_robots(namespace, value)
    passed_on = (
        'seed', 'settings', 'run_dir', 'resume', 'steps', 'demonstrations', 'evaluate', 'episodes',
    )  # fmt: skip
    learning = {
        **common,
        'namespace': ','.join(each['namespace'] for each in robots),
        **{name: value[name] for name in passed_on if value[name]},
        'film': twin if value['film'] == 'true' else '',
        'included': 'true',
    }
    driving = {**common, 'backend': value['backend'], 'speed': str(speed)}
    drivers = [
        include(launch_files / 'driver.launch.py', {**driving, **driver(), **each})
        for each in robots
    ]
    if value['learner'] == 'here':
        return [*drivers, include(launch_files / 'train.launch.py', learning)]
    if value['resume']:
        raise RuntimeError('resume: belongs to the learner; here give the same run_dir again')
    return [*drivers, include(launch_files / 'agent.launch.py', learning)]


def refuse_shared_topics(value: Mapping[str, str]) -> None:
    """Refuse topics that several robots would share, which only their namespaces tell apart.

    Raises:
        RuntimeError: A topic of the robot file begins with a slash.
    """
    config = from_file(*map(Path, parameter_files(value)))
    topics = [
        *((f'actions.{name}.topic', channel.topic) for name, channel in config.actions.items()),
        *((f'sensors.{name}.topic', sensor.topic) for name, sensor in config.sensors.items()),
        ('episode.reset_service', config.episode.reset_service),
    ]
    for key, topic in topics:
        if topic.startswith('/'):
            raise RuntimeError(
                f'{key}: all robots would share {topic}; write it without the leading slash, '
                'relative to the namespace of each'
            )


def check_robot_file(context: Any, value: Mapping[str, str]) -> None:
    """Check what the agent will read, before anything starts.

    Raises:
        RuntimeError: Something is wrong; the text says what.
    """
    check = ExecutableInPackage(executable='check_config', package='sac_agent').perform(context)
    command = [check, *parameter_files(value), *(['--task', t] if (t := value['task']) else [])]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    if checked.returncode != 0:
        raise RuntimeError((checked.stderr or checked.stdout).strip().splitlines()[-1])


def free_port(kind: socket.SocketKind, count: int = 1) -> int:
    """Return a local port that is free, so that runs do not meet, and so are those after it.

    Args:
        kind: SOCK_DGRAM for UDP, SOCK_STREAM for TCP.
        count: How many ports in a row.
    """
    while True:
        probes = [socket.socket(socket.AF_INET, kind) for _ in range(count)]
        try:
            probes[0].bind(('127.0.0.1', 0))
            port = int(probes[0].getsockname()[1])
            for further, probe in enumerate(probes[1:], 1):
                probe.bind(('127.0.0.1', port + further))
            return port
        except (OSError, OverflowError):
            continue
        finally:
            for probe in probes:
                probe.close()
