"""Check a robot file: ``check_config FILE... [--task TASK]``; exit code 2, one line if wrong."""

import argparse
from dataclasses import replace
from pathlib import Path
import sys

from sac_agent.config import from_file
from sac_agent.errors import ConfigError
from sac_agent.pilot import Pilot
from sac_agent.tasks.task import try_task
from sac_core.startup import CONFIGURATION_ERROR


def main(arguments: list[str] | None = None) -> int:
    """Check the file; print what it makes, or what is wrong with it."""
    parser = argparse.ArgumentParser(prog='check_config', description=__doc__)
    parser.add_argument('file', type=Path, help='ROS parameter file with a sac_agent section')
    parser.add_argument('others', type=Path, nargs='*', help='further files, whose values win')
    parser.add_argument('--task', default='', help='task instead of the one in the file')
    options = parser.parse_intermixed_args(arguments)
    try:
        config = from_file(options.file, *options.others)
        if options.task:
            config = replace(config, task=options.task)
        try:
            pilot = Pilot(config, now=0.0)
            try_task(pilot.task, pilot.mapper.size)
            spec = pilot.spec
        except ConfigError as error:
            raise ConfigError(f'{options.file}: sac_agent.{error}') from None
    except ConfigError as error:
        sys.stderr.write(f'{" ".join(str(error).split())}\n')
        return CONFIGURATION_ERROR
    image = spec.observation.image_shape
    sys.stdout.write(
        f'{options.file}: task {spec.task}, {1 / spec.control_period:g} Hz, '
        f'{spec.observation.vector_size} observations, {spec.action_size} actions'
        + (f', image {image[0]}x{image[1]}' if image else '')
        + f', spec {spec.spec_hash()}\n'
    )
    return 0


def run() -> None:
    """Console script."""
    sys.exit(main())


if __name__ == '__main__':
    run()
