"""Metrics of a run: one JSON line per record, a CSV of the episodes, and TensorBoard."""

from collections.abc import Mapping, Sequence
import csv
import io
import json
import math
from pathlib import Path
import time
from typing import Any

from sac_learner.run.append_file import AppendFile

EPISODE_COLUMNS = (
    'time', 'agent', 'episode', 'evaluation', 'steps', 'length', 'duration', 'return', 'success',
    'terminated', 'truncation_reason', 'policy_version',
)  # fmt: skip


class Metrics:
    """Writers of one run; every record is on disk when its call returns.

    While the disk is full, records wait in memory, and those for TensorBoard end.
    """

    def __init__(self, directory: Path, *, tensorboard: bool = True) -> None:
        """Open the files to append."""
        self._jsonl = AppendFile(directory / 'metrics.jsonl')
        self._csv = AppendFile(directory / 'episodes.csv')
        self._board_problem = ''
        self._board: Any = None
        if tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(directory / 'tensorboard'))

    @property
    def problem(self) -> str:
        """Why records are not on the disk; empty if they are."""
        return self._jsonl.problem or self._csv.problem or self._board_problem

    def training(self, updates: int, transitions: int, values: Mapping[str, float]) -> None:
        """Record losses and rates; names as in docs/sac.md."""
        self._write('training', {'updates': updates, 'steps': transitions, **values})
        self._scalars('training', values, transitions)

    def episode(self, record: Mapping[str, Any], values: Mapping[str, float]) -> None:
        """Record one ended episode; `values` are the task's own metrics."""
        self._write('episode', {**record, 'metrics': dict(values)})
        self._append_csv({**record, **values})
        kind = 'evaluation_episode' if record['evaluation'] else 'episode'
        scalars = {'return': record['return'], 'length': record['length'], **values}
        self._scalars(f'{kind}/{record["agent"]}', scalars, record['steps'])

    def evaluation(self, record: Mapping[str, Any], values: Mapping[str, float]) -> None:
        """Record a batch of deterministic episodes."""
        self._write('evaluation', {**record, 'metrics': dict(values)})
        scalars = {'success_rate': record['success_rate'], 'return': record['return'], **values}
        self._scalars('evaluation', scalars, record['steps'])

    def hours(self, agent: str, values: Mapping[str, float]) -> None:
        """Record how a robot has spent its time so far, and what it missed."""
        self._write('hours', {'agent': agent, **values})

    def event(self, event: str, /, **details: Any) -> None:
        """Record something that happened once: a start, a checkpoint, a changed parameter."""
        self._write('event', {'event': event, **details})

    def close(self) -> None:
        """Close all files."""
        self._jsonl.close()
        self._csv.close()
        if self._board is not None:
            self._board.close()

    def _write(self, kind: str, record: Mapping[str, Any]) -> None:
        line = {'kind': kind, 'time': round(time.time(), 3), **record}
        self._jsonl.write(json.dumps(_finite(line)))

    def _append_csv(self, row: Mapping[str, Any]) -> None:
        extra = [name for name in row if name not in EPISODE_COLUMNS]
        if self._csv.empty:
            self._csv.write(_csv_line([*EPISODE_COLUMNS, *extra]))
        row = {'time': round(time.time(), 3), **row}
        self._csv.write(_csv_line([row.get(name, '') for name in (*EPISODE_COLUMNS, *extra)]))

    def _scalars(self, group: str, values: Mapping[str, float], step: int) -> None:
        if self._board is None:
            return
        try:
            for name, value in values.items():
                self._board.add_scalar(f'{group}/{name}', value, step)
        except OSError as error:  # its thread is gone for good
            self._board, self._board_problem = None, f'TensorBoard files have ended: {error}'


def read(path: Path, kind: str | None = None) -> list[dict[str, Any]]:
    """Return the records of a metrics file, all or of one kind; a torn last line is left out."""
    records = []
    for line in path.read_text().splitlines():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        if kind is None or record.get('kind') == kind:
            records.append(record)
    return records


def _csv_line(values: Sequence[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator='').writerow(values)
    return text.getvalue()


def _finite(value: Any) -> Any:
    """JSON knows no NaN; None says the same."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    return value
