"""Learn from bags alone: ``ros2 run sac_learner offline --bag BAG --steps 100000``.

No robot and no topic takes part, so it goes as fast as the machine. The run directory it leaves is
that of any run: a launch file goes on in it with a robot, and keeps data, weights and optimisers.
"""

import argparse
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
import sys
import time
from typing import Any

import yaml

from sac_core.parameters import check_values
from sac_learner.command_line import (
    arguments,
    CommandError,
    CommandParser,
    run,
    settings_of,
    whole_number,
)
from sac_learner.gym.policy import run_config
from sac_learner.offline.study import learn, NODE, OfflineSettings, Plan
from sac_learner.sac.config import preset, PRESETS, SacConfig
from sac_learner.settings import LearnerSettings

EXAMPLES = """--bag runs/valve/bags/dclaw --robot config/dclaw_valve.yaml --steps 100000
--bag monday --bag tuesday --steps 50000 --environment none --set critics=5
--resume runs/offline --steps 200000"""


def main(argv: Sequence[str] | None = None) -> int:
    """Learn from bags; return 0 when the updates are done or were interrupted and saved."""
    args = _parser().parse_args(arguments(argv))
    return run(lambda: learn(_resumed(args) if args.resume else _new(args)), 'offline')


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog='offline', description='Learn from bags alone, without a robot.', examples=EXAMPLES
    )
    parser.add_argument('--bag', type=Path, action='append', default=[], help='may be repeated')
    parser.add_argument(
        '--steps', type=whole_number, metavar='UPDATES',
        help='gradient updates of the whole run; default 1e5',
    )  # fmt: skip
    parser.add_argument('--robot', type=Path, help='YAML file with a sac_learner section')
    parser.add_argument('--run-dir', type=Path, help='where the run is kept; default runs/...')
    parser.add_argument('--resume', type=Path, metavar='RUN_DIR', help='go on with this run')
    parser.add_argument(
        '--preset', choices=sorted(PRESETS),
        help=f"settings to begin with; without it the robot's, or {LearnerSettings.preset}",
    )  # fmt: skip
    parser.add_argument('--seed', type=whole_number, help='of networks and sampling; default 0')
    parser.add_argument(
        '--environment', default=None, metavar='NAME',
        help='twin to evaluate in, e.g. sac/DclawValve-v0; auto: that of the robot; none',
    )  # fmt: skip
    parser.add_argument(
        '--evaluate-every', type=whole_number, metavar='UPDATES', help='default 1e4; 0: never'
    )
    parser.add_argument('--episodes', type=whole_number, metavar='N', help='default 50')
    parser.add_argument(
        '--set', nargs='+', action='extend', default=[], metavar='NAME=VALUE',
        help='settings of docs/sac.md or of the learner, e.g. --set critics=5 discount=0.98',
    )  # fmt: skip
    return parser


def _new(args: argparse.Namespace) -> Plan:
    if not args.bag:
        raise CommandError('--bag is needed, e.g. --bag runs/valve/bags/dclaw')
    names = tuple(str(path.expanduser().absolute()) for path in args.bag)
    stem = args.bag[0].resolve().name or 'bag'
    path = args.run_dir or Path('runs') / f'offline-{stem}-{time.strftime("%Y%m%d-%H%M%S")}'
    if (path / 'environment.json').exists():
        raise CommandError(f'{path} holds a run already; go on with --resume {path}')
    algorithm, learner = robot_settings(args.robot) if args.robot else ({}, {})
    changed, changed_learner = settings_of(args.set)
    name = args.preset or learner.get('preset', LearnerSettings.preset)
    learner |= {'seed': args.seed or 0, 'preset': name, **changed_learner}
    try:
        return Plan(
            path,
            _asked(OfflineSettings(names), args),
            preset(name, **{**algorithm, **changed}),
            _settings(path, learner),
        )
    except ValueError as error:
        raise CommandError(str(error)) from error


def _resumed(args: argparse.Namespace) -> Plan:
    path: Path = args.resume
    content = run_config(path)
    if 'offline' not in content:
        raise CommandError(f'--resume: {path} holds no run of this command')
    stored = OfflineSettings(**{**content['offline'], 'bags': tuple(content['offline']['bags'])})
    given = tuple(str(bag.expanduser().absolute()) for bag in args.bag)
    if given and given != stored.bags:
        raise CommandError(f'--bag of this run is {" ".join(stored.bags)} and stays so')
    algorithm, learner = settings_of(args.set)
    if algorithm:
        raise CommandError(f'{sorted(algorithm)[0]} is fixed in a run that goes on')
    try:
        return Plan(
            path,
            _asked(stored, args),
            SacConfig(**content['sac']),
            _settings(path, {**content['learner'], **learner}),
        )
    except (TypeError, ValueError) as error:
        raise CommandError(f'{path}/config.yaml: {error}') from error


def _asked(settings: OfflineSettings, args: argparse.Namespace) -> OfflineSettings:
    asked = {
        'updates': args.steps,
        'environment': args.environment,
        'evaluate_every': args.evaluate_every,
        'episodes': args.episodes,
    }
    found = replace(settings, **{name: v for name, v in asked.items() if v is not None})
    if found.evaluate_every and not found.episodes:
        raise CommandError('--episodes must be at least 1; --evaluate-every 0 turns tests off')
    return found


def _settings(path: Path, values: dict[str, Any]) -> LearnerSettings:
    # Updates are counted here, steps are those of a robot later on.
    values = {**values, 'run_dir': str(path), 'steps': 0}
    check_values(LearnerSettings, values)
    return LearnerSettings(**values)


def robot_settings(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the settings of algorithm and learner in the sac_learner section of a robot file.

    Raises:
        CommandError: The file cannot be read, or names an unknown setting.
    """
    try:
        content = yaml.safe_load(path.read_text())
        sections = [v['ros__parameters'] for k, v in content.items() if k.endswith(NODE)]
    except (OSError, yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        raise CommandError(f'--robot {path} is no ROS parameter file: {error}') from error
    known = [{item.name for item in fields(kind)} for kind in (SacConfig, LearnerSettings)]
    found: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    for name, value in {k: v for section in sections for k, v in section.items()}.items():
        if name not in known[0] | known[1]:
            raise CommandError(f'--robot {path}: unknown setting {name!r} of {NODE}')
        found[name in known[1]][name] = tuple(value) if isinstance(value, list) else value
    return found


if __name__ == '__main__':
    sys.exit(main())
