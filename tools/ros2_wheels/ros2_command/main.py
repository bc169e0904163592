"""Entry point of ``ros2``: finds the command by its name and runs it."""

import argparse
from collections.abc import Sequence
from importlib import import_module
import os
import signal
import sys

from .errors import CommandError

COMMANDS = {
    'bag': 'Record, play and inspect bags',
    'daemon': 'There is none here: every call looks at the graph itself',
    'interface': 'Show messages and services',
    'launch': 'Run a launch file',
    'lifecycle': 'Inspect and change the state of lifecycle nodes',
    'node': 'List nodes and what they offer',
    'param': 'Read and set parameters',
    'pkg': 'Find packages',
    'run': 'Run an executable of a package',
    'service': 'List and call services',
    'topic': 'List, show, measure and publish topics',
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    parser = argparse.ArgumentParser(
        prog='ros2', description='ros2 is an extensible command-line tool for ROS 2.'
    )
    commands = parser.add_subparsers(dest='command', metavar='COMMAND', required=True)
    words = list(sys.argv[1:] if arguments is None else arguments)
    for name, summary in COMMANDS.items():
        # Only the wanted one is imported: rclpy alone takes longer than the rest.
        if words[:1] == [name]:
            module = import_module(f'.{name}', __package__)
            module.configure(commands.add_parser(name, help=summary, description=summary))
        else:
            commands.add_parser(name, help=summary)
    options = parser.parse_args(words)
    try:
        return int(options.function(options) or 0)
    except CommandError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
