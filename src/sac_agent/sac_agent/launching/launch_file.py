"""What every launch file does alike: declare and check, include another, give up."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from launch import LaunchDescription
from launch.actions import IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource

from sac_agent.launching.arguments import refuse_unknown_arguments
from sac_core.startup import CONFIGURATION_ERROR

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


def include(path: Path, arguments: Mapping[str, str]) -> Any:
    """Return the action that starts another launch file."""
    source = PythonLaunchDescriptionSource(str(path))
    return IncludeLaunchDescription(source, launch_arguments=arguments.items())


def stop_on_configuration_error(event: Any, context: Any) -> None:
    """End the launch with an error where restarting a node cannot help.

    Raises:
        RuntimeError: The node says so by its exit code.
    """
    if event.returncode == CONFIGURATION_ERROR:
        raise RuntimeError(f'{event.process_name} cannot run, see its message above')
