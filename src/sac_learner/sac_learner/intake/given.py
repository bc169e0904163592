"""What of the replay of a run comes from bags; the record of it in the run directory."""

from dataclasses import dataclass
import json
from pathlib import Path

from sac_learner.replay import ReplayError
from sac_learner.run.directory import write_text

RECORD = 'given.json'


@dataclass(frozen=True)
class Given:
    """What of a run's replay comes from bags.

    Attributes:
        paths: The bags.
        transitions: Their transitions of training; they do not count as steps of a robot.
        complete: Whether all of them were read.
        before: Transitions that were in the replay when reading began.
    """

    paths: tuple[str, ...] = ()
    transitions: int = 0
    complete: bool = True
    before: int = 0

    @classmethod
    def read(cls, run_dir: Path) -> 'Given':
        """Return what a run directory says.

        Raises:
            ReplayError: It cannot be read.
        """
        path = run_dir / RECORD
        try:
            content = json.loads(path.read_text())
            return cls(**{**content, 'paths': tuple(content['paths'])})
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ReplayError(
                f'{path} is damaged: {error!r}; restore it, or begin anew'
            ) from error

    def write(self, run_dir: Path) -> None:
        """Keep it in a run directory.

        Raises:
            OSError: The disk does not take it.
        """
        write_text(run_dir / RECORD, json.dumps(vars(self), indent=1) + '\n')
