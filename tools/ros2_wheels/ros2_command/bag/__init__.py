"""``ros2 bag``: record, play and inspect bags."""

import argparse

from . import info, play, record


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    verbs = parser.add_subparsers(metavar='VERB', required=True)
    for module in (record, play, info):
        module.configure(verbs)
