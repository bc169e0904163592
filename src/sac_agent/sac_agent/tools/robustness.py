"""Evaluate a policy where it never learned: ``ros2 run sac_agent robustness RUN_DIR ...``.

Every option of the twin can be varied: the look of the scene for a policy that learned from
images, the terrain under a walking robot. Nothing is learned.

    ros2 run sac_agent robustness runs/valve --robot dclaw_valve_image.yaml \
        --twin robot_drivers.sim.dclaw:DclawTwin --vary varied=colours,light appearance=1,2,3
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
import json
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
from sac_agent.tools.film import add_robot, best_policy, parts
from sac_core.policy_format import load_policy, PolicyFormatError

Image = npt.NDArray[np.uint8]
AS_BUILT = 'as built'


@dataclass(frozen=True)
class Result:
    """What a policy reached in one variation.

    Attributes:
        name: Of the variation.
        options: Of the twin.
        episodes: Number of deterministic episodes.
        success_rate: Share of them that the task calls a success.
        metrics: Medians of the task's metrics, as in an evaluation of the agent; of those that
            are 0 or 1 in every episode, the share of episodes with 1.
    """

    name: str
    options: dict[str, Any]
    episodes: int
    success_rate: float
    metrics: dict[str, float]

    def line(self) -> str:
        """Return one line of the table."""
        numbers = ', '.join(f'{n.replace("_", " ")} {v:.3g}' for n, v in self.metrics.items())
        return f'{self.name:<36} success {self.success_rate:4.0%}  {numbers}'


def main(argv: Sequence[str] | None = None) -> int:
    """Print success per variation and write robustness.json and robustness.png beside the run."""
    args = _arguments(argv)
    os.environ.setdefault('MUJOCO_GL', 'egl')  # no display is needed; read when a twin is imported
    try:
        source: Path = args.policy
        architecture, arrays, _ = load_policy(source if source.is_file() else best_policy(source))
        policy = NumpyPolicy(architecture, arrays)
        config = robot_config(args.robot, args.settings)
        results, looks = [], []
        for name, options in variations(args.vary).items():
            environment = TwinEnv(config, args.twin, options, evaluation=True)
            result, look = evaluate(environment, policy, name, options, args.episodes, args.seed)
            results.append(result)
            looks.append(look)
            sys.stdout.write(f'{result.line()}\n')
            sys.stdout.flush()
        folder: Path = args.output or (source.parent if source.is_file() else source)
        folder.mkdir(parents=True, exist_ok=True)
        content = json.dumps([asdict(result) for result in results], indent=1)
        (folder / 'robustness.json').write_text(content + '\n')
        draw(folder / 'robustness.png', results, looks)
    except (ConfigError, PolicyFormatError, OSError, ImportError, TypeError, ValueError) as error:
        sys.stderr.write(f'robustness: {error}\n')
        return 2
    sys.stdout.write(f'robustness: {folder / "robustness.json"}, {folder / "robustness.png"}\n')
    return 0


def variations(vary: Mapping[str, Sequence[Any]]) -> dict[str, dict[str, Any]]:
    """Return the options of the twin by the name of the variation; the first one has none.

    Args:
        vary: Values by option; every combination is one variation.
    """
    found: dict[str, dict[str, Any]] = {AS_BUILT: {}}
    if not vary:
        return found
    for values in product(*vary.values()):
        options = dict(zip(vary, values, strict=True))
        found[', '.join(f'{name} {value}' for name, value in options.items())] = options
    return found


def evaluate(
    environment: TwinEnv,
    policy: NumpyPolicy,
    name: str,
    options: dict[str, Any],
    episodes: int,
    seed: int,
) -> tuple[Result, Image]:
    """Play deterministic episodes, of the same goals in every variation.

    Returns:
        The result, and what the scene looked like at the start: the policy's own image where it
        sees one, (H, W, 3).
    """
    successes, metrics = 0, []
    look: Image | None = None
    for index in range(episodes):
        observation, _ = environment.reset(seed=seed if index == 0 else None)
        if look is None:
            image = parts(observation)[1]
            look = environment.twin.render(160, 120) if image is None else image.copy()
        info: dict[str, Any] = {}
        while 'is_success' not in info:
            vector, image = parts(observation)
            action, _, _ = policy.act(vector, image)
            observation, _, _, _, info = environment.step(action)
        successes += bool(info['is_success'])
        metrics.append({k: v for k, v in info.items() if isinstance(v, float)})
    assert look is not None  # at least one episode
    environment.twin.close()
    shown = {key: typical(np.array([m[key] for m in metrics])) for key in metrics[0]}
    return Result(name, options, episodes, successes / episodes, shown), look


def typical(values: npt.NDArray[np.float64]) -> float:
    """Return the median; of yes and no the share of yes."""
    answers = bool(np.isin(values, (0.0, 1.0)).all())
    return float(values.mean() if answers else np.median(values))


def draw(path: Path, results: Sequence[Result], looks: Sequence[Image]) -> None:
    """Draw what each variation looks like, with its success."""
    import matplotlib as mpl

    mpl.use('Agg')
    from matplotlib import pyplot

    columns = min(5, len(results))
    rows = -(-len(results) // columns)
    figure, axes = pyplot.subplots(
        rows, columns, figsize=(2.2 * columns, 2.6 * rows), squeeze=False, layout='constrained'
    )
    for axis in axes.flat:
        axis.axis('off')
    for axis, result, look in zip(axes.flat, results, looks, strict=False):
        axis.imshow(look)
        axis.set_title(f'{result.name}\n{result.success_rate:.0%}', fontsize=8)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='robustness', description='Evaluate a policy in variations of its simulated robot.'
    )
    parser.add_argument('policy', type=Path, help='run directory (its best policy) or policy file')
    add_robot(parser)
    parser.add_argument(
        '--vary', nargs='+', action='extend', default=[], metavar='OPTION=VALUE,VALUE',
        help='options of the twin; every combination is tried, after the robot as built',
    )  # fmt: skip
    parser.add_argument('--episodes', type=int, default=50, help='of each variation (50)')
    parser.add_argument('--seed', type=int, default=0, help='of the start positions (0)')
    parser.add_argument('--output', type=Path, help='folder for the results; default: the run')
    args, _ = parser.parse_known_args(argv)
    if args.episodes < 1:
        parser.error(f'--episodes must be at least 1, got {args.episodes}')
    vary: dict[str, list[Any]] = {}
    for text in args.vary:
        name, equals, values = text.partition('=')
        if not (name and equals and values):
            parser.error(f'--vary takes OPTION=VALUE,VALUE, got {text!r}')
        vary[name] = [yaml.safe_load(value) for value in values.split(',')]
    args.vary = vary
    return args


if __name__ == '__main__':
    sys.exit(main())
