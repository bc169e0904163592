"""What the launch files share: arguments, run directories, and when to give up."""

from collections.abc import Callable, Iterable, Mapping, Sequence
import datetime
from pathlib import Path
import socket
import subprocess
from typing import Any

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.substitutions import ExecutableInPackage

from sac_agent.config import from_file

CONFIGURATION_ERROR = 2  # exit code of our nodes: a person has to mend something first
SHARED_TOPICS = (
    'transition',
    'agent_spec',
    'agent_status',
    'episode',
    'evaluation',
    'policy',
    'learner_status',
)
"""Topics that all robots share with one learner, in the root namespace."""
MOST_ROBOTS = 64
_TOOL_ARGUMENTS = {'sigterm_timeout', 'sigkill_timeout'}


def refuse_unknown_arguments(context: Any, arguments: Iterable[Any]) -> None:
    """Refuse a misspelt launch argument, which launch itself would ignore.

    A launch file that another one includes sees the arguments of both; there `included` is true.

    Raises:
        RuntimeError: There is one.
    """
    given = context.launch_configurations
    if given.get('included') == 'true':
        return
    known = {argument.name for argument in arguments}
    if unknown := sorted(set(given) - known - _TOOL_ARGUMENTS):
        raise RuntimeError(f'unknown argument {unknown[0]!r}; there are {sorted(known)}')


def values(context: Any, arguments: Iterable[Any]) -> dict[str, str]:
    """Return the values of launch arguments by name."""
    return {a.name: LaunchConfiguration(a.name).perform(context) for a in arguments}


def whole_numbers(value: Mapping[str, str], *names: str) -> None:
    """Check that arguments are whole numbers.

    Raises:
        RuntimeError: One is not.
    """
    for name in names:
        if not value[name].isdigit():
            raise RuntimeError(f'{name} must be a whole number, got {value[name]!r}')


def number(value: Mapping[str, str], name: str, largest: float) -> float:
    """Return an argument that is a number from 0 to `largest`.

    Raises:
        RuntimeError: It is not.
    """
    try:
        result = float(value[name])
    except ValueError:
        result = -1.0
    if not 0.0 <= result <= largest:
        raise RuntimeError(f'{name} must be a number from 0 to {largest:g}, got {value[name]!r}')
    return result


def namespaces(value: Mapping[str, str]) -> list[str]:
    """Return the namespaces in the argument `namespace`, one per robot.

    Raises:
        RuntimeError: One is there twice, or one of several is empty.
    """
    found = [name.strip() for name in value['namespace'].split(',')]
    if len(set(found)) < len(found) or (len(found) > 1 and '' in found):
        raise RuntimeError(
            f'namespace must be one name, or different ones with commas between, got '
            f'{value["namespace"]!r}'
        )
    return found


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


def parameter_files(value: Mapping[str, str]) -> list[str]:
    """Return the YAML files in the arguments `robot` and `settings`; the later one wins.

    Raises:
        RuntimeError: One does not exist.
    """
    files = [value[name] for name in ('robot', 'settings') if value[name]]
    for file in files:
        if not Path(file).is_file():
            raise RuntimeError(f'{file}: there is no such file')
    return [str(Path(file).resolve()) for file in files]


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


def run_directory(value: Mapping[str, str], *, new: bool) -> str:
    """Return the directory that `resume`, `run_dir` or else robot and date name.

    Args:
        value: Launch arguments.
        new: Refuse a directory that holds a run already, unless it is resumed.

    Raises:
        RuntimeError: There is no run to resume, or one already.
    """
    if resumed := value.get('resume', ''):
        path = Path(resumed).resolve()
        if not (path / 'environment.json').exists():
            raise RuntimeError(f'resume: {path} holds no run; give the run directory itself')
        return str(path)
    date = datetime.datetime.now().strftime('%Y%m%d-%H%M%S')
    path = Path(value['run_dir'] or f'runs/{Path(value["robot"]).stem}-{date}').resolve()
    if new and (path / 'environment.json').exists():
        raise RuntimeError(f'run_dir: {path} holds a run already; go on with resume:={path}')
    return str(path)


def stop_on_configuration_error(event: Any, context: Any) -> None:
    """End the launch with an error where restarting a node cannot help.

    Raises:
        RuntimeError: The node says so by its exit code.
    """
    if event.returncode == CONFIGURATION_ERROR:
        raise RuntimeError(f'{event.process_name} cannot run, see its message above')


def include(path: Path, arguments: Mapping[str, str]) -> Any:
    """Return the action that starts another launch file."""
    source = PythonLaunchDescriptionSource(str(path))
    return IncludeLaunchDescription(source, launch_arguments=arguments.items())


def description(
    arguments: Sequence[Any], start: Callable[[Any], list[Any]], *, check: bool = True
) -> LaunchDescription:
    """Return the description that declares arguments and calls `start(context)`.

    Args:
        arguments: DeclareLaunchArgument actions.
        start: Returns what is started.
        check: Refuse unknown arguments first.
    """
    refuse = OpaqueFunction(function=refuse_unknown_arguments, args=[arguments])
    return LaunchDescription(
        [*([refuse] if check else []), *arguments, OpaqueFunction(function=start)]
    )


def run_arguments(*, steps: int, episodes: int) -> list[Any]:
    """Return the arguments that the launch files of all robots share.

    Args:
        steps: Training steps at which a run ends, by default.
        episodes: Evaluation episodes, by default.
    """
    return [
        DeclareLaunchArgument(
            'speed',
            default_value='0',
            description='Simulated per wall time: 1.0 is like the robot, 0 as fast as it learns.',
        ),
        DeclareLaunchArgument(
            'robots',
            default_value='1',
            description='Simulated robots that learn together, in namespaces with a number each.',
        ),
        DeclareLaunchArgument(
            'seed',
            default_value='0',
            description='Seed of the whole run; further robots count on.',
        ),
        DeclareLaunchArgument(
            'settings',
            default_value='',
            description="YAML file with further parameters, over those in the robot's.",
        ),
        DeclareLaunchArgument(
            'run_dir',
            default_value='',
            description='Where the run is kept. Default: runs/NAME-DATE.',
        ),
        DeclareLaunchArgument(
            'resume',
            default_value='',
            description='Run directory to go on with, instead of run_dir.',
        ),
        DeclareLaunchArgument(
            'steps',
            default_value=str(steps),
            description='Training steps of all robots together at which the run ends.',
        ),
        DeclareLaunchArgument(
            'demonstrations',
            default_value='',
            description='Bags, blanks between, from which half of every batch is drawn (RLPD).',
        ),
        DeclareLaunchArgument(
            'evaluate',
            default_value='',
            description='Policy file or checkpoint to evaluate; nothing is learned.',
        ),
        DeclareLaunchArgument(
            'episodes',
            default_value=str(episodes),
            description='Evaluation episodes with evaluate:=.',
        ),
        DeclareLaunchArgument(
            'film',
            default_value='true',
            choices=['true', 'false'],
            description='Render the learned policy to policy.gif at the end.',
        ),
        DeclareLaunchArgument(
            'learner',
            default_value='here',
            choices=['here', 'elsewhere'],
            description='elsewhere: another computer runs learner.launch.py.',
        ),
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
