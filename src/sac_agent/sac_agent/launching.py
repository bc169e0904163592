"""What the launch files share: arguments, run directories, and when to give up."""

from collections.abc import Iterable, Mapping
import datetime
from pathlib import Path
import subprocess
from typing import Any

from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.substitutions import ExecutableInPackage

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

    Raises:
        RuntimeError: One does not exist.
    """
    files = [value[name] for name in ('robot', 'settings') if value[name]]
    for file in files:
        if not Path(file).is_file():
            raise RuntimeError(f'{file}: there is no such file')
    return [str(Path(file).resolve()) for file in files]


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
