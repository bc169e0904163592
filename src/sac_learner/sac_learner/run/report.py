"""Pictures and summary of a run: ``ros2 run sac_learner report RUN_DIR``."""

import argparse
from collections.abc import Sequence
import json
from pathlib import Path
import sys
from typing import Any

from sac_learner.run import metrics
from sac_learner.run.directory import write_text
from sac_learner.run.progress import clock

RECORDS = 'metrics.jsonl'


def main(argv: Sequence[str] | None = None) -> int:
    """Write learning_curve.png and summary.txt into a run directory and print the summary."""
    parser = argparse.ArgumentParser(
        prog='report', description='Draw the learning curve of a run and summarise it.'
    )
    parser.add_argument('run_dir', type=Path, help='a run directory, with metrics.jsonl')
    parser.add_argument('--metric', help="the task's metric to draw; default: its first")
    parser.add_argument('--label', help='axis label of that metric, with unit')
    parser.add_argument(
        '--paper-steps', type=float, help='steps the paper needed, drawn as a line'
    )
    parser.add_argument('--paper-hours', type=float, help='robot hours the paper needed')
    args, _ = parser.parse_known_args(argv)
    if not (args.run_dir / RECORDS).is_file():
        sys.stderr.write(f'report: {args.run_dir} is no run directory: it lacks {RECORDS}\n')
        return 2
    write(
        args.run_dir,
        metric=args.metric,
        label=args.label,
        paper_steps=args.paper_steps,
        paper_hours=args.paper_hours,
    )
    return 0


def write(
    run_dir: Path,
    *,
    metric: str | None = None,
    label: str | None = None,
    paper_steps: float | None = None,
    paper_hours: float | None = None,
) -> None:
    """Write learning_curve.png and summary.txt into a run directory and print the summary.

    Args:
        run_dir: With metrics.jsonl.
        metric: Of the task, to draw; empty: its first.
        label: Axis label of that metric, with unit; empty: its name.
        paper_steps: Steps the paper needed, drawn as a line where there are any.
        paper_hours: Robot hours the paper needed, likewise.

    Raises:
        OSError: The records cannot be read, or the disk takes no more.
    """
    records = metrics.read(run_dir / RECORDS)
    text = summary(run_dir, records)
    write_text(run_dir / 'summary.txt', text)
    sys.stdout.write(text)
    name = metric or headline(records)
    if name is None:
        sys.stdout.write('no episode has ended, so there is no learning curve\n')
        return
    figure = draw(records, name, label or name.replace('_', ' '), paper_steps, paper_hours)
    figure.savefig(run_dir / 'learning_curve.png', dpi=150)
    sys.stdout.write(f'learning curve: {run_dir / "learning_curve.png"}\n')


def headline(records: Sequence[dict[str, Any]]) -> str | None:
    """Return the first metric of the task, or None before an episode has ended."""
    for record in records:
        if record['kind'] == 'episode':
            return next(iter(record['metrics']), 'return')
    return None


def agents(records: Sequence[dict[str, Any]]) -> list[str]:
    """Return the names of the robots that had a training episode, or only an evaluation."""
    trained = {r['agent'] for r in records if r['kind'] == 'episode' and not r['evaluation']}
    return sorted(trained or {r['agent'] for r in records if r['kind'] == 'evaluation'})


def summary(run_dir: Path, records: Sequence[dict[str, Any]]) -> str:
    """Return the summary of a run in words."""
    episodes = [r for r in records if r['kind'] == 'episode' and not r['evaluation']]
    evaluations = [r for r in records if r['kind'] == 'evaluation']
    trainings = [r for r in records if r['kind'] == 'training']
    lines = [f'run            {run_dir}']
    environment = run_dir / 'environment.json'
    if environment.exists():
        facts = json.loads(environment.read_text())
        lines.append(f'revision       {facts["git_revision"]}, seed {facts["seed"]}')
    if records:
        lines.append(f'wall-clock     {clock(records[-1]["time"] - records[0]["time"])}')
    if trainings:
        last = trainings[-1]
        lines.append(
            f'training       {last["steps"]} steps, {last["updates"]} updates, '
            f'{last.get("updates_per_second", 0.0):.0f} updates/s, '
            f'update-to-data {last.get("update_to_data", 0.0):.2f}'
        )
    if episodes:
        hours = sum(e['duration'] for e in episodes) / 3600
        lines.append(f'robot time     {hours:.2f} h acting in {len(episodes)} training episodes')
    robots = agents(episodes)
    if len(robots) > 1:
        lines += [f'{"robot " + name:<15}{_robot_line(name, episodes)}' for name in robots]
    lines += [_hours_line(agent, found) for agent, found in _hours(records).items()]
    if evaluations:
        best = max(evaluations, key=lambda e: (e['success_rate'], e['return'] or 0.0))
        for name, record in (('first', evaluations[0]), ('last', evaluations[-1]), ('best', best)):
            lines.append(f'{name + " test":<15}{_evaluation_line(record)}')
        solved = [e for e in evaluations if e['solved']]
        lines.append(
            f'result         solved after {solved[0]["steps"]} steps'
            if solved
            else 'result         not solved'
        )
    return '\n'.join(lines) + '\n'


def draw(
    records: Sequence[dict[str, Any]],
    metric: str,
    label: str,
    paper_steps: float | None = None,
    paper_hours: float | None = None,
) -> Any:
    """Return a figure in the style of the paper's Fig. 4: the metric over steps and robot time.

    Several robots have a curve each, over their own steps and time.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 3.6), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2, sharey=True)
    robots = agents(records)
    single = len(robots) < 2
    for axis, column, unit, paper in (
        (axes[0], 1, 'environment steps', paper_steps),
        (axes[1], 2, 'robot time [h]', paper_hours),
    ):
        for number, robot in enumerate(robots):
            own = [r for r in records if r.get('agent', robot) == robot]
            training = _series(own, 'episode', metric)
            testing = _series(own, 'evaluation', metric)
            x = [point[column] for point in training]
            y = [point[0] for point in training]
            colour = 'tab:blue' if single else f'C{number}'
            if single:
                axis.plot(x, y, color=colour, alpha=0.18, linewidth=0.7)
            name = 'training episodes' if single else robot
            axis.plot(x, _running_median(y), color=colour, label=f'{name}, median of 20')
            axis.plot(
                [point[column] for point in testing],
                [point[0] for point in testing],
                'o-' if single else 'o',
                color='tab:orange' if single else colour,
                markersize=3.5,
                label='deterministic evaluation, median' if single and testing else None,
            )
        if paper:
            axis.axvline(paper, color='0.4', linestyle='--', linewidth=1)
            axis.annotate(
                'paper, on hardware',
                (paper, 0.97),
                xycoords=('data', 'axes fraction'),
                rotation=90,
                ha='right',
                va='top',
                fontsize=7,
                color='0.4',
            )
        axis.set_xlabel(unit)
        axis.locator_params(axis='x', nbins=6)
        axis.grid(alpha=0.25)
        axis.spines[['top', 'right']].set_visible(False)
    axes[0].set_ylabel(label)
    axes[0].legend(frameon=False, fontsize=8)
    return figure


def _series(
    records: Sequence[dict[str, Any]], kind: str, metric: str
) -> list[tuple[float, float, float]]:
    """Return (value, steps, robot hours) of training episodes or of evaluations."""
    points = []
    hours = 0.0
    for record in records:
        if record['kind'] == 'episode' and not record['evaluation']:
            hours += record['duration'] / 3600
        if record['kind'] != kind or (kind == 'episode' and record['evaluation']):
            continue
        value = record['return'] if metric == 'return' else record['metrics'].get(metric)
        if value is not None:
            points.append((value, record['steps'], hours))
    return points


def _running_median(values: Sequence[float], window: int = 20) -> list[float]:
    medians = []
    for i in range(len(values)):
        part = sorted(values[max(0, i - window + 1) : i + 1])
        medians.append(part[len(part) // 2])
    return medians


def _robot_line(name: str, episodes: Sequence[dict[str, Any]]) -> str:
    own = [e for e in episodes if e['agent'] == name]
    last = own[-20:]
    returns = sum(e['return'] for e in last) / len(last)
    return (
        f'{max(e["steps"] for e in own)} steps, '
        f'{sum(e["duration"] for e in own) / 3600:.2f} h in {len(own)} episodes, '
        f'return {returns:.1f} in the last {len(last)}'
    )


def _hours(records: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the records of robot hours by agent, oldest first."""
    found: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        if record['kind'] == 'hours':
            found.setdefault(record['agent'], []).append(record)
    return found


def _hours_line(agent: str, records: Sequence[dict[str, Any]]) -> str:
    """Tell one robot's hours; its count of missed deadlines begins again with its process."""
    misses = before = 0
    for record in records:
        count = record['deadline_misses']
        misses += count - before if count >= before else count
        before = count
    kinds = ('acting', 'resetting', 'waiting', 'human', 'fault')
    hours = ', '.join(f'{kind} {records[-1][kind]:.2f}' for kind in kinds)
    return (
        f'{"robot hours":<15}{agent}: {hours}; {misses} of {records[-1]["steps"]} steps missed '
        'their deadline'
    )


def _evaluation_line(record: dict[str, Any]) -> str:
    metric_texts = [
        f'{k.replace("_", " ")} {v:.3f}' for k, v in record['metrics'].items() if v is not None
    ]
    return ', '.join(
        [
            f'success {record["success_rate"]:.0%} of {record["episodes"]} episodes',
            f'return {record["return"]:.1f}',
            *metric_texts,
            f'after {record["steps"]} steps',
        ]
    )


if __name__ == '__main__':
    sys.exit(main())
