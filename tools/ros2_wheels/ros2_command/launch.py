"""``ros2 launch``: runs a launch file of a package, or one that is named by its path."""

import argparse
import os
from pathlib import Path
import sys

from launch import LaunchDescription, LaunchDescriptionEntity, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import (
    AnyLaunchDescriptionSource,
    InvalidLaunchFileError,
    LaunchDescriptionSource,
)
from launch.logging import get_logger, LOG
from launch.substitution import describe

from .errors import CommandError
from .packages import launch_file


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument(
        '-n',
        '--noninteractive',
        default=not sys.stdin.isatty(),
        action='store_true',
        help='pass Ctrl-C on to the processes, which no terminal does',
    )
    parser.add_argument('-d', '--debug', action='store_true', help='show tracebacks')
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument('-p', '--print', action='store_true', help='print what the file describes')
    modes.add_argument(
        '-s', '--show-args', '--show-arguments', action='store_true', help='list the arguments'
    )
    parser.add_argument(
        '-a',
        '--show-all-subprocesses-output',
        action='store_true',
        help='show all output on the screen and write it to the log',
    )
    parser.add_argument('package_name', help='package, or path of a launch file')
    parser.add_argument('launch_file_name', nargs='?', help='name of a launch file in the package')
    parser.add_argument('launch_arguments', nargs='*', help="arguments as '<name>:=<value>'")
    parser.set_defaults(function=run)


def run(options: argparse.Namespace) -> int:
    """Run the launch file and return the exit status."""
    path, arguments = find(
        options.package_name, options.launch_file_name, options.launch_arguments
    )
    source = AnyLaunchDescriptionSource(str(path))
    if options.show_all_subprocesses_output:
        os.environ['OVERRIDE_LAUNCH_PROCESS_OUTPUT'] = 'both'
    if options.show_args:
        return show_arguments(source)
    if options.print:
        return print_description(source)
    pairs = parse(arguments)
    service = LaunchService(
        argv=arguments, noninteractive=options.noninteractive, debug=options.debug
    )
    logger = get_logger('launch')
    logger.info(f'All log files can be found below {LOG.directory}')
    logger.info(f'Default logging verbosity is set to {"DEBUG" if options.debug else "INFO"}')
    include = IncludeLaunchDescription(source, launch_arguments=pairs.items())
    service.include_launch_description(LaunchDescription([include]))
    return service.run()


def find(first: str, second: str | None, rest: list[str]) -> tuple[Path, list[str]]:
    """Return the launch file and its arguments.

    Raises:
        CommandError: There is no such file.
    """
    if Path(first).is_file():
        return Path(first), ([] if second is None else [second]) + rest
    if second is None:
        if os.sep in first or first.endswith('.py'):
            raise CommandError(f"no launch file at '{first}'")
        raise CommandError(
            f"'{first}' is no launch file: name a file, or a package and a file in it"
        )
    return launch_file(first, second), rest


def parse(arguments: list[str]) -> dict[str, str]:
    """Return the arguments by name, the last one of a name.

    Raises:
        CommandError: One has no name, or no value.
    """
    pairs = {}
    for argument in arguments:
        name, mark, value = argument.partition(':=')
        if not (name and mark and value):
            raise CommandError(
                f"malformed launch argument '{argument}', expected format '<name>:=<value>'"
            )
        pairs[name] = value
    return pairs


def show_arguments(source: LaunchDescriptionSource) -> int:
    """Print the arguments with descriptions and default values."""
    declared = _load(source).declared_arguments()
    print("Arguments (pass arguments as '<name>:=<value>'):")
    if not declared:
        print('\n  No arguments.')
    for argument, conditional in declared:
        print(f"\n    '{argument.name}'{'*' if conditional else ''}:")
        print('\n'.join(f'        {line}' for line in argument.description.splitlines()))
        if argument.default_value is not None:
            print(f'        (default: {describe(argument.default_value)})')
    if any(conditional for _, conditional in declared):
        print('\n* argument(s) which are only used if specific conditions occur')
    return 0


def print_description(source: LaunchDescriptionSource) -> int:
    """Print the entities as a tree."""

    def show(entities: list[LaunchDescriptionEntity], depth: int) -> None:
        for entity in entities:
            print(f'{"    " * depth}{type(entity).__name__}({getattr(entity, "name", "")})')
            show(
                [*entity.describe_sub_entities(), *entity.describe_conditional_sub_entities()],
                depth + 1,
            )

    show([_load(source)], 0)
    return 0


def _load(source: LaunchDescriptionSource) -> LaunchDescription:
    try:
        description = source.try_get_launch_description_without_context()
    except InvalidLaunchFileError as error:
        raise CommandError(str(error)) from error
    assert description is not None
    return description
