"""``ros2 daemon``: accepted, and without effect, since there is no daemon."""

import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument('verb', choices=['start', 'stop', 'status'])
    parser.set_defaults(function=run)


def run(options: argparse.Namespace) -> None:
    """Say that there is none."""
    print('The daemon is not running')
