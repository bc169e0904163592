"""Play a learned policy: ``ros2 run sac_learner evaluate RUN_OR_POLICY --env HalfCheetah-v5``."""

import argparse
from collections.abc import Sequence
import json
from pathlib import Path
import sys

from sac_core.policy_format import Architecture
from sac_learner.command_line import (
    arguments,
    CommandError,
    CommandParser,
    run,
    say,
    whole_number,
)
from sac_learner.gym import environment
from sac_learner.gym.episodes import play
from sac_learner.gym.policy import CHOICES, load, PolicyModule, run_config
from sac_learner.gym.suggestions import environment_options

EXAMPLES = """\
runs/HalfCheetah-v5-seed0-20261121-120000 --episodes 20
runs/valve/checkpoints/best/policy.safetensors --env sac/DclawValve-v0 --json"""


def main(argv: Sequence[str] | None = None) -> int:
    """Play deterministic episodes and print what they gave."""
    parser = CommandParser('evaluate', 'Play deterministic episodes of a policy.', EXAMPLES)
    parser.add_argument('policy', type=Path, help='run directory or policy.safetensors')
    parser.add_argument('--env', help="environment; default: the run's own")
    parser.add_argument(
        '--env-options', nargs='+', action='extend', default=[], metavar='NAME=VALUE',
        help="arguments of the environment, over the run's own",
    )  # fmt: skip
    parser.add_argument('--episodes', type=whole_number, default=10, help='default 10')
    parser.add_argument('--seed', type=whole_number, default=0, help='of the first episode')
    parser.add_argument('--which', choices=CHOICES, default='best', help='policy of a run')
    parser.add_argument('--register', metavar='MODULE:FUNCTION', help='makes environments known')
    parser.add_argument('--json', action='store_true', help='print one JSON object instead')
    args = parser.parse_args(arguments(argv))
    return run(lambda: _evaluate(args), 'evaluate')


def _evaluate(args: argparse.Namespace) -> int:
    gym = run_config(args.policy).get('gym', {}) if args.policy.is_dir() else {}
    name = args.env or gym.get('env')
    if not name:
        raise CommandError(f'--env is needed: {args.policy} does not say its environment')
    if args.episodes < 1:
        raise CommandError('--episodes must be at least 1')
    path, architecture, arrays = load(args.policy, args.which)
    own = gym.get('options', {}) if name == gym.get('env') else {}
    options = own | environment_options(args.env_options)
    register = args.register or gym.get('register', '')
    env = environment.make(name, register, evaluation=True, **options)
    try:
        interface = environment.Interface.of(env)
        check_fit(architecture, interface, path, name)
        module = PolicyModule(architecture, arrays)
        summary = play(env, interface, module.act, args.episodes, seed=args.seed)
    finally:
        env.close()
    if summary is None:
        raise CommandError('the episodes were interrupted')
    if args.json:
        content = {
            'env': name,
            'policy': str(path),
            'return': summary.mean_return,
            'returns': [episode.total for episode in summary.episodes],
            'lengths': [episode.length for episode in summary.episodes],
            'success_rate': summary.success_rate,
            'metrics': summary.metrics,
        }
        say(json.dumps(content))
    else:
        say(f'{name}, {len(summary.episodes)} episodes of {path}: {summary.text()}')
    return 0


def check_fit(
    architecture: Architecture, interface: environment.Interface, path: Path, name: str
) -> None:
    """Check that a policy can act in an environment.

    Raises:
        CommandError: Sizes differ.
    """
    got = (architecture.vector_size, architecture.image_shape, architecture.action_size)
    needed = (len(interface.names), interface.image_shape, interface.low.size)
    if got != needed:
        raise CommandError(
            f'{path} is a policy of (vector, image, action) {got}, but {name} has {needed}'
        )


if __name__ == '__main__':
    sys.exit(main())
