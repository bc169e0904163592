"""``ros2 topic``: list, show, measure and publish topics."""

import argparse

from . import echo, inspect, publish, rate


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    verbs = parser.add_subparsers(metavar='VERB', required=True)
    for module in (echo, inspect, publish, rate):
        module.configure(verbs)
