"""Command ``describe_robot``: writes a robot as URDF, SDF and controller files for Gazebo."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
import sys

from robot_drivers import models
from robot_drivers.sim.describe.control import bridge, controllers
from robot_drivers.sim.describe.robots import find, GazeboSetup, SETUPS
from robot_drivers.sim.describe.sdf import sdf
from robot_drivers.sim.describe.urdf import urdf

FORMATS: dict[str, tuple[str, Callable[[GazeboSetup], str]]] = {
    'urdf': ('robot.urdf', urdf),
    'sdf': ('world.sdf', sdf),
    'controllers': ('controllers.yaml', controllers),
    'bridge': ('bridge.yaml', bridge),
}


def directory(robot: str) -> Path:
    """Return where the checked-in files of a robot are."""
    return models.directory(robot, 'gazebo')


def main(arguments: Sequence[str] | None = None) -> int:
    """Write one format to the standard output, or all of them into the source tree."""
    parser = argparse.ArgumentParser(prog='describe_robot', description=__doc__)
    parser.add_argument('robot', nargs='?', choices=sorted(SETUPS), help='default: all')
    parser.add_argument('--format', choices=sorted(FORMATS), help='print this one')
    parser.add_argument('--write', action='store_true', help='write models/ROBOT/gazebo/')
    options = parser.parse_args(arguments)
    if options.write == bool(options.format):
        parser.error('give either --format or --write')
    if options.format and not options.robot:
        parser.error('--format needs a robot')
    for name in [options.robot] if options.robot else sorted(SETUPS):
        setup = find(name)
        if options.format:
            sys.stdout.write(FORMATS[options.format][1](setup))
            continue
        directory(name).mkdir(exist_ok=True)
        for file, describe in FORMATS.values():
            (directory(name) / file).write_text(describe(setup))
    return 0


if __name__ == '__main__':
    sys.exit(main())
