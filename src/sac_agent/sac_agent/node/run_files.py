"""What the agent leaves in the run directory, besides its journal."""

from collections.abc import Iterator, Mapping
import contextlib
from dataclasses import asdict
import json
import os
from pathlib import Path
from typing import Any

from sac_agent.policy.kept import KeptPolicy
from sac_agent.records import EvaluationRecord


class RunFiles:
    """Writes small files, each replaced in one step; does nothing without a directory.

    Attributes:
        policy: The one in use.
    """

    def __init__(self, run_dir: str, agent_id: str, *, evaluation_only: bool = False) -> None:
        """Use ``run_dir/agents/agent_id``, made if needed; '' for nothing.

        Args:
            run_dir: Of the run.
            agent_id: Of this robot.
            evaluation_only: No policy is kept.
        """
        self._directory = Path(run_dir) / 'agents' / agent_id if run_dir else None
        self._run_dir = Path(run_dir) if run_dir else None
        self._problem = ''
        if self._directory:
            self._directory.mkdir(parents=True, exist_ok=True)
        self.policy = KeptPolicy(None if evaluation_only else self._directory)

    @property
    def problem(self) -> str:
        """Why the newest of them is not on the disk, empty if it is; acting goes on."""
        return self._problem or self.policy.problem

    def account(self) -> dict[str, float]:
        """Return the time account [s] of earlier sessions."""
        if self._directory is None:
            return {}
        try:
            hours = json.loads((self._directory / 'hours.json').read_text())
            return {kind: 3600.0 * float(value) for kind, value in hours.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}

    def save_account(self, account: Mapping[str, float]) -> None:
        """Write the robot's hours by kind."""
        if self._directory:
            hours = {kind: seconds / 3600.0 for kind, seconds in account.items()}
            with self._noting_problems():
                _write(self._directory / 'hours.json', hours)

    def save_change(self, stamp: float, steps: int, changes: Mapping[str, Any]) -> None:
        """Append a change of live parameters to the audit."""
        if self._directory:
            line = json.dumps({'stamp': stamp, 'steps': steps, **changes})
            path = self._directory / 'changes.jsonl'
            with self._noting_problems(), path.open('a') as file:
                file.write(line + '\n')

    def save_evaluation(self, evaluation: EvaluationRecord, policy: str) -> None:
        """Write the result of evaluating a policy file."""
        if self._run_dir:
            self._run_dir.mkdir(parents=True, exist_ok=True)
            _write(self._run_dir / 'evaluation.json', {'policy': policy, **asdict(evaluation)})

    @contextlib.contextmanager
    def _noting_problems(self) -> Iterator[None]:
        try:
            yield
            self._problem = ''
        except OSError as error:
            self._problem = f'{error.filename or self._directory}: {error.strerror}'


def _write(path: Path, content: Mapping[str, Any]) -> None:
    temporary = path.with_suffix('.tmp')
    temporary.write_text(json.dumps(content, indent=2) + '\n')
    os.replace(temporary, path)  # noqa: PTH105  replaces in one step
