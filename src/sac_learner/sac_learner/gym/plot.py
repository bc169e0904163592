"""Learning curves of several seeds as in the paper's Fig. 1: ``ros2 run sac_learner plot DIR...``.

One panel per environment, one line per configuration: the mean over its seeds, shaded from the
least to the largest.
"""

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
import json
from pathlib import Path
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from sac_learner.command_line import arguments, CommandError, CommandParser, run, say
from sac_learner.gym.policy import run_config
from sac_learner.run import metrics

Array = npt.NDArray[np.float64]
COLOURS = ('tab:blue', 'tab:orange', 'tab:green', 'tab:red', 'tab:purple', 'tab:brown')
SUFFIXES = ('.png', '.pdf', '.svg')
COLUMNS = 3
EXAMPLES = """\
runs --output curves.png
runs/valve-seed0 runs/valve-seed1 --metric success_rate --output success.pdf"""


@dataclass(frozen=True)
class Curve:
    """Evaluations of one run: steps (N,) ascending, values (N,)."""

    env: str
    label: str
    seed: int
    steps: Array
    values: Array


@dataclass(frozen=True)
class Band:
    """Several seeds on common steps, each (N,)."""

    steps: Array
    mean: Array
    least: Array
    largest: Array
    seeds: int


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the curves of all runs in the given directories."""
    parser = CommandParser('plot', 'Draw mean and min-max over seeds.', EXAMPLES)
    parser.add_argument('directories', type=Path, nargs='+', metavar='DIR', help='runs, or above')
    parser.add_argument('--output', type=Path, default=Path('curves.png'), help='picture to write')
    parser.add_argument(
        '--metric', default='return', help="'return', 'success_rate' or the task's"
    )
    args = parser.parse_args(arguments(argv))
    return run(lambda: _plot(args), 'plot')


def _plot(args: argparse.Namespace) -> int:
    if args.output.suffix not in SUFFIXES:
        raise CommandError(f'--output must end in {", ".join(SUFFIXES)}, got {args.output}')
    found = sorted({path for top in args.directories for path in runs_in(top)})
    curves = [curve for path in found if (curve := read_curve(path, args.metric)) is not None]
    if not curves:
        raise CommandError(
            f'none of the {len(found)} runs in {", ".join(map(str, args.directories))} has '
            f'evaluations with {args.metric!r}'
        )
    groups: dict[str, dict[str, list[Curve]]] = {}
    for curve in curves:
        groups.setdefault(curve.env, {}).setdefault(curve.label, []).append(curve)
    bands = {
        env: {label: band_of(members) for label, members in labels.items()}
        for env, labels in groups.items()
    }
    for env, labels in bands.items():
        for label, band in labels.items():
            say(
                f'{env} {label}: {band.seeds} seeds, after {band.steps[-1]:.0f} steps '
                f'{band.mean[-1]:.1f} ({band.least[-1]:.1f} to {band.largest[-1]:.1f})'
            )
    try:
        draw(bands, args.metric).savefig(args.output, dpi=150)
    except OSError as error:
        raise CommandError(f'{args.output} cannot be written: {error.strerror}') from error
    say(f'{args.output}: {len(curves)} runs')
    return 0


def runs_in(top: Path) -> list[Path]:
    """Return the run directories at or below a directory.

    Raises:
        CommandError: There is no such directory.
    """
    if not top.is_dir():
        raise CommandError(f'{top} is no directory')
    return sorted(path.parent for path in top.rglob('metrics.jsonl'))


def read_curve(path: Path, metric: str) -> Curve | None:
    """Return the evaluations of a run; None where it has none with that metric."""
    points: dict[float, float] = {}
    for record in metrics.read(path / 'metrics.jsonl', 'evaluation'):
        value = record.get(metric, record.get('metrics', {}).get(metric))
        if isinstance(value, (int, float)):
            points[float(record['steps'])] = float(value)  # a repeated one counts last
    if not points:
        return None
    config = run_config(path)
    gym, learner = config.get('gym', {}), config.get('learner', {})
    seed = learner.get('seed', _seed(path))
    steps = sorted(points)
    return Curve(
        gym.get('env', path.parent.name),
        learner.get('preset', 'SAC'),
        int(seed),
        np.array(steps),
        np.array([points[step] for step in steps]),
    )


def band_of(curves: Iterable[Curve]) -> Band:
    """Return mean, least and largest of the seeds, as far as all of them have got."""
    members = list(curves)
    first = max(curve.steps[0] for curve in members)
    last = min(curve.steps[-1] for curve in members)
    grid = np.unique(np.concatenate([curve.steps for curve in members]))
    grid = grid[(grid >= first) & (grid <= last)]
    if not grid.size:  # no common part: the shortest run's end
        grid = np.array([last])
    values = np.stack([np.interp(grid, curve.steps, curve.values) for curve in members])
    return Band(grid, values.mean(axis=0), values.min(axis=0), values.max(axis=0), len(members))


def draw(bands: dict[str, dict[str, Band]], metric: str) -> Any:
    """Return the figure."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(bands))
    rows = -(-len(bands) // columns)
    figure = Figure(figsize=(4.2 * columns, 3.2 * rows), layout='constrained')
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    largest = max(b.steps[-1] for labels in bands.values() for b in labels.values())
    scale, unit = (1e6, 'million steps') if largest >= 1e5 else (1e3, 'thousand steps')
    for panel, (env, labels) in zip(panels, bands.items(), strict=False):
        for i, (label, band) in enumerate(sorted(labels.items())):
            colour = COLOURS[i % len(COLOURS)]
            x = band.steps / scale
            text = f'{label}, {band.seeds} seed{"s" if band.seeds > 1 else ""}'
            panel.plot(x, band.mean, color=colour, linewidth=1.4, label=text)
            panel.fill_between(x, band.least, band.largest, color=colour, alpha=0.2, linewidth=0)
        panel.set_title(env, fontsize=10)
        panel.set_xlabel(unit)
        panel.set_ylabel('average return' if metric == 'return' else metric.replace('_', ' '))
        panel.grid(alpha=0.25)
        panel.spines[['top', 'right']].set_visible(False)
        panel.legend(frameon=False, fontsize=8)
    for panel in panels[len(bands) :]:
        panel.set_axis_off()
    return figure


def _seed(path: Path) -> int:
    try:
        return int(json.loads((path / 'environment.json').read_text())['seed'])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


if __name__ == '__main__':
    sys.exit(main())
