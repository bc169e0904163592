"""Arguments of the launch files, and what is wrong with their values."""

from collections.abc import Iterable, Mapping
import datetime
from pathlib import Path
from typing import Any

from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration

from sac_agent.config import find_file
from sac_agent.errors import ConfigError

_TOOL_ARGUMENTS = {'sigterm_timeout', 'sigkill_timeout'}


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
            description="YAML file with further parameters, over those in the robot's: a path, or "
            'an installed one, e.g. settings/minitaur_terrain.yaml.',
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


def parameter_files(value: Mapping[str, str]) -> list[str]:
    """Return the YAML files in the arguments `robot` and `settings`; the later one wins.

    Both may be names of installed ones.

    Raises:
        RuntimeError: One does not exist.
    """
    names = [name for name in ('robot', 'settings') if value[name]]
    try:
        return [str(find_file(value[name]).resolve()) for name in names]
    except ConfigError as error:
        raise RuntimeError(str(error)) from None


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
