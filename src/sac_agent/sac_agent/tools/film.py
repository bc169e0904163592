"""Film a learned policy: ``ros2 run sac_agent film RUN_DIR --robot FILE --twin MODULE:CLASS``."""

import argparse
from collections.abc import Sequence
import os
from pathlib import Path
import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from sac_agent.errors import ConfigError
from sac_agent.gym_env import robot_config, TwinEnv
from sac_agent.policy.network import NumpyPolicy
from sac_core.policy_format import load_policy, PolicyFormatError

Frame = npt.NDArray[np.uint8]
FRAMES_PER_SECOND = 10.0


def main(argv: Sequence[str] | None = None) -> int:
    """Write policy.gif into a run directory, or the file that is asked for."""
    args = _arguments(argv)
    os.environ.setdefault('MUJOCO_GL', 'egl')  # no display is needed; read when a twin is imported
    try:
        policy_file = args.policy or best_policy(args.run_dir)
        architecture, arrays, _ = load_policy(policy_file)
        config = robot_config(args.robot, args.settings)
        environment = TwinEnv(config, args.twin, dict(args.option), evaluation=True)
        policy = NumpyPolicy(architecture, arrays)
        frames: list[Frame] = []
        for episode in range(args.episodes):
            frames += film(environment, policy, args.seed + episode, tuple(args.size))
            sys.stdout.write(f'filmed episode {episode + 1} of {args.episodes}\n')
        path = args.output or args.run_dir / 'policy.gif'
        save(path, frames)
    except (ConfigError, PolicyFormatError, OSError, ImportError, TypeError, ValueError) as error:
        sys.stderr.write(f'film: {error}\n')
        return 2
    sys.stdout.write(f'film: {path}\n')
    return 0


def best_policy(run_dir: Path) -> Path:
    """Return the best policy of a run, or its newest where none was evaluated.

    Raises:
        PolicyFormatError: The run holds no policy.
    """
    checkpoints = run_dir / 'checkpoints'
    candidates = [
        checkpoints / 'best' / 'policy.safetensors',
        *sorted(checkpoints.glob('checkpoint_*/policy.safetensors'), reverse=True),
    ]
    for path in candidates:
        if path.exists():
            return path
    raise PolicyFormatError(f'{run_dir} holds no policy in checkpoints/')


def film(
    environment: TwinEnv, policy: NumpyPolicy, seed: int, size: tuple[int, int]
) -> list[Frame]:
    """Return the pictures of one deterministic episode, each (height, width, 3)."""
    observation, _ = environment.reset(seed=seed)
    every = max(1, round(environment.config.control_rate / FRAMES_PER_SECOND))
    frames = [environment.twin.render(*size)]
    ended, steps = False, 0
    while not ended:
        vector, image = parts(observation)
        action, _, _ = policy.act(vector, image)
        observation, _, terminated, truncated, _ = environment.step(action)
        ended, steps = terminated or truncated, steps + 1
        if steps % every == 0:
            frames.append(environment.twin.render(*size))
    return frames


def save(path: Path, frames: Sequence[Frame]) -> None:
    """Write frames as an animated GIF."""
    from PIL import Image

    pictures = [Image.fromarray(frame).quantize(64) for frame in frames]
    pictures[0].save(
        path,
        save_all=True,
        append_images=pictures[1:],
        duration=round(1000 / FRAMES_PER_SECOND),
        loop=0,
        optimize=True,
    )


def parts(observation: Any) -> tuple[npt.NDArray[np.float32], Frame | None]:
    """Return vector and image of an observation; None without a camera."""
    if isinstance(observation, dict):
        return observation['vector'], observation['image']
    return observation, None


def add_robot(parser: argparse.ArgumentParser) -> None:
    """Add the options that name a simulated robot: --robot, --settings, --twin."""
    parser.add_argument('--robot', required=True, help='YAML file of the robot')
    parser.add_argument('--settings', default='', help="YAML file with settings over the robot's")
    parser.add_argument('--twin', required=True, help='simulated robot, module:Class')


def twin_option(text: str) -> tuple[str, Any]:
    """Return name and value of NAME=VALUE, the value as YAML reads it.

    Raises:
        argparse.ArgumentTypeError: The text is something else.
    """
    name, equals, value = text.partition('=')
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f'takes NAME=VALUE, got {text!r}')
    return name, yaml.safe_load(value)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='film', description='Render episodes of a learned policy to an animated GIF.'
    )
    parser.add_argument('run_dir', type=Path, help='run directory; its best policy is filmed')
    add_robot(parser)
    parser.add_argument('--policy', type=Path, help='policy file instead of the best of the run')
    parser.add_argument('--episodes', type=int, default=3, help='episodes to film (3)')
    parser.add_argument('--seed', type=int, default=0, help='of the start positions (0)')
    parser.add_argument('--size', type=int, nargs=2, default=(320, 240), help='width and height')
    parser.add_argument(
        '--option', nargs='+', action='extend', default=[], type=twin_option, metavar='NAME=VALUE',
        help='of the twin, e.g. terrain=stairs_down',
    )  # fmt: skip
    parser.add_argument('--output', type=Path, help='file of the film (RUN_DIR/policy.gif)')
    args, _ = parser.parse_known_args(argv)
    if args.episodes < 1:
        parser.error(f'--episodes must be at least 1, got {args.episodes}')
    return args


if __name__ == '__main__':
    sys.exit(main())
