"""Learn on a Gymnasium environment: ``ros2 run sac_learner train --env HalfCheetah-v5``."""

import argparse
from collections.abc import Callable, Sequence
import contextlib
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
import sys
import time
from typing import Any

from sac_core.parameters import check_values
from sac_learner.checkpoint import CheckpointError
from sac_learner.command_line import (
    arguments,
    CommandError,
    CommandParser,
    interruptible,
    run,
    say,
    settings_of,
    settings_text,
    whole_number,
)
from sac_learner.gym import environment
from sac_learner.gym.display import display
from sac_learner.gym.loop import GymSettings, Loop, RefusedError
from sac_learner.gym.policy import run_config
from sac_learner.gym.suggestions import environment_options, Suggestions, suggestions
from sac_learner.replay import ReplayError
from sac_learner.run import report
from sac_learner.run.directory import RunDirectory, RunDirectoryError
from sac_learner.run.metrics import Metrics
from sac_learner.sac.agent import DivergenceError
from sac_learner.sac.config import preset, PRESETS, SacConfig
from sac_learner.settings import LearnerSettings
from sac_learner.training.training import Training

FAILURE = 1
EXAMPLES = """\
--env HalfCheetah-v5 --seed 0 --steps 1e6
--env sac/DclawValve-v0 --seed 0 --steps 4e4
--env sac/MinitaurWalk-v0 --env-options settings=settings/minitaur_terrain.yaml --steps 15000
--env Ant-v5 --preset droq --set gradient_clip=10.0 threads=2
--resume runs/HalfCheetah-v5-seed0-20261121-120000 --steps 2e6
--settings"""


@dataclass(frozen=True)
class Plan:
    """What the command line asks for.

    Attributes:
        path: Run directory.
        changes: Settings of the algorithm to change in a run that goes on.
    """

    path: Path
    gym: GymSettings
    sac: SacConfig
    learner: LearnerSettings
    changes: dict[str, Any]


def main(argv: Sequence[str] | None = None) -> int:
    """Train, or go on with a run; return 0 when it is complete or was interrupted and saved."""
    args = _parser().parse_args(arguments(argv))
    if args.settings:
        say(settings_text())
        return 0
    return run(lambda: _train(_resumed(args) if args.resume else _new(args)), 'train')


def _parser() -> CommandParser:
    parser = CommandParser(
        'train', 'Learn on a Gymnasium environment with Soft Actor-Critic.', EXAMPLES
    )
    parser.add_argument('--env', help='environment, e.g. HalfCheetah-v5 or sac/DclawValve-v0')
    parser.add_argument(
        '--env-options', nargs='+', action='extend', default=[], metavar='NAME=VALUE',
        help='arguments of the environment; of our robots e.g. settings=FILE, with further '
        'settings over those of the robot',
    )  # fmt: skip
    parser.add_argument('--seed', type=whole_number, help='seed of everything random; default 0')
    parser.add_argument('--steps', type=whole_number, help='environment steps; default 1e6')
    parser.add_argument(
        '--preset', choices=sorted(PRESETS),
        help='settings to begin with (docs/sac.md); without it that of the robot, or else '
        f'{LearnerSettings.preset}',
    )  # fmt: skip
    parser.add_argument(
        '--set', nargs='+', action='extend', default=[], metavar='NAME=VALUE',
        help='settings of docs/sac.md or of the learner, e.g. --set gradient_clip=1.0 threads=2',
    )  # fmt: skip
    parser.add_argument('--settings', action='store_true', help='list what --set takes, and end')
    parser.add_argument('--run-dir', type=Path, help='where the run is kept; default runs/...')
    parser.add_argument('--resume', type=Path, metavar='RUN_DIR', help='go on with this run')
    parser.add_argument(
        '--eval-every', type=whole_number, metavar='STEPS', help='default 5000; 0: never'
    )
    parser.add_argument('--eval-episodes', type=whole_number, metavar='N', help='default 10')
    parser.add_argument(
        '--register', metavar='MODULE:FUNCTION', help='makes more environments known'
    )
    return parser


def _new(args: argparse.Namespace) -> Plan:
    if not args.env:
        raise CommandError('--env is needed, e.g. --env HalfCheetah-v5, or --resume RUN_DIR')
    algorithm, learner = settings_of(args.set)
    seed = args.seed or 0
    stem = f'{args.env.replace("/", "-").replace(":", "-")}-seed{seed}'
    path = args.run_dir or Path('runs') / f'{stem}-{time.strftime("%Y%m%d-%H%M%S")}'
    if (path / 'environment.json').exists():
        raise CommandError(f'{path} holds a run already; go on with --resume {path}')
    options = environment_options(args.env_options)
    suggested = _suggested(args, options)
    gym = GymSettings(args.env, args.register or '', options, **suggested.gym)
    name = args.preset or suggested.preset or LearnerSettings.preset
    algorithm, learner = suggested.algorithm | algorithm, suggested.learner | learner
    steps = 1_000_000 if args.steps is None else args.steps
    try:
        check_values(LearnerSettings, learner)
        return Plan(
            path,
            _with_evaluation(gym, args),
            preset(name, **algorithm),
            LearnerSettings(run_dir=str(path), seed=seed, steps=steps, preset=name, **learner),
            {},
        )
    except ValueError as error:
        raise CommandError(str(error)) from error


def _suggested(args: argparse.Namespace, options: dict[str, Any]) -> Suggestions:
    env = environment.make(args.env, args.register or '', **options)
    try:
        return suggestions(env)
    finally:
        env.close()


def _resumed(args: argparse.Namespace) -> Plan:
    path: Path = args.resume
    content = run_config(path)
    if 'gym' not in content:
        raise CommandError(f'--resume: {path} holds no run of this command')
    stored = content['gym']
    options = environment_options(args.env_options) or None
    fixed = {
        '--env': (args.env, stored['env']),
        '--env-options': (options, stored.get('options', {})),
        '--preset': (args.preset, content['learner']['preset']),
        '--seed': (args.seed, content['learner']['seed']),
        '--run-dir': (args.run_dir, path),
    }
    for option, (given, kept) in fixed.items():
        if given is not None and given != kept:
            raise CommandError(f'{option} of this run is {kept} and stays so, got {given}')
    algorithm, learner = settings_of(args.set)
    live = sorted(item.name for item in fields(SacConfig) if item.metadata.get('live'))
    for name in algorithm:
        if name not in live:
            raise CommandError(f'{name} is fixed in a resumed run; can change: {", ".join(live)}')
    if args.steps is not None:
        learner['steps'] = args.steps
    gym = GymSettings(**{**stored, **({'register': args.register} if args.register else {})})
    try:
        check_values(LearnerSettings, learner)
        return Plan(
            path,
            _with_evaluation(gym, args),
            replace(SacConfig(**content['sac']), **algorithm),
            replace(LearnerSettings(**content['learner']), run_dir=str(path), **learner),
            algorithm,
        )
    except (TypeError, ValueError) as error:
        raise CommandError(f'{path}/config.yaml: {error}') from error


def _with_evaluation(gym: GymSettings, args: argparse.Namespace) -> GymSettings:
    if args.eval_every is not None:
        gym = replace(gym, eval_every=args.eval_every)
    if args.eval_episodes is not None:
        gym = replace(gym, eval_episodes=args.eval_episodes)
    if gym.eval_every and not gym.eval_episodes:
        raise CommandError('--eval-episodes must be at least 1; --eval-every 0 turns tests off')
    return gym


def _train(plan: Plan) -> int:
    with contextlib.ExitStack() as stack:
        made = plan.gym.env, plan.gym.register
        env = environment.make(*made, **plan.gym.options)
        stack.callback(env.close)
        testing = environment.make(*made, evaluation=True, **plan.gym.options)
        stack.callback(testing.close)
        interface = environment.Interface.of(env)
        gym = replace(
            plan.gym,
            action_low=tuple(interface.low.tolist()),
            action_high=tuple(interface.high.tolist()),
        )
        stopped = stack.enter_context(interruptible())
        try:
            directory = RunDirectory(plan.path)
            directory.record_environment(
                plan.learner.seed,
                {
                    'learner': asdict(plan.learner),
                    'sac': asdict(plan.sac),
                    'gym': asdict(gym),
                },
            )
            metrics = Metrics(directory.path, tensorboard=plan.learner.tensorboard)
            stack.callback(metrics.close)
            training = Training(
                interface.spec(gym.env), plan.sac, plan.learner, directory, metrics
            )
        except (
            RunDirectoryError,
            ReplayError,
            CheckpointError,
            ValueError,
            RuntimeError,
        ) as error:
            raise CommandError(str(error)) from error
        for name, value in plan.changes.items():
            training.set_parameter(name, value)
            metrics.event('parameter', name=name, value=value)
        metrics.event('start', seed=plan.learner.seed, env=gym.env)
        shown = display(plan.learner.steps)
        stack.callback(shown.close)
        shown.log(
            f'{gym.env}, seed {plan.learner.seed}, preset {plan.learner.preset}, update '
            f'{training.sac.backend}, run directory {directory.path}'
        )
        loop = Loop(env, testing, interface, training, metrics, shown, plan.learner, gym)
        status, complete = _learn(loop, training, metrics, stopped)
        shown.close()
    report.write(directory.path)
    if not complete:
        say(f'saved; go on with: ros2 run sac_learner train --resume {plan.path}')
    return status


def _learn(
    loop: Loop, training: Training, metrics: Metrics, stopped: Callable[[], bool]
) -> tuple[int, bool]:
    """Run the loop and save, whatever ends it; return the status and whether it is complete."""
    failure = reason = ''
    try:
        if reason := loop.run(stopped):
            metrics.event('finished', reason=reason)
    except (DivergenceError, RefusedError, ReplayError, OSError) as error:
        failure = str(error)
    except BaseException:  # the environment's own faults are not ours to explain
        training.close()
        raise
    try:
        training.record()
        if failure:
            training.replay.close()  # the last good checkpoint stays the newest one
        else:
            training.close()
    except (CheckpointError, ReplayError, OSError) as error:
        failure = failure or str(error)
    metrics.event('stop', failure=failure)
    if failure:
        sys.stderr.write(f'train: {failure}\n')
    return FAILURE if failure else 0, bool(reason)


if __name__ == '__main__':
    sys.exit(main())
