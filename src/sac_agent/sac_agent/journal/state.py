"""What a journal notes beside its bag, so that opening it need not read all of it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
import json
from pathlib import Path
from typing import Any, Self

from sac_agent.journal.errors import JournalError
from sac_core.bag.metadata import replace

NAME = 'journal.json'
BOOT = Path('/proc/sys/kernel/random/boot_id')


@dataclass(frozen=True)
class State:
    """Content of the file.

    Attributes:
        agent_id: Whose journal it is, '' if there is no file.
        stream_id: Identity of the numbers.
        durable: What the learner has on its disk.
        last: Highest number that was committed.
        sync: Commits survive the computer, not only the process.
        boot: Identity of the computer's run that wrote it.
        clean: The journal was closed.
        files: Of every finished file, what `Contents.plain` says.
    """

    agent_id: str = ''
    stream_id: str = ''
    durable: int = 0
    last: int = 0
    sync: bool = True
    boot: str = ''
    clean: bool = True
    files: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read the file of a bag, if there is one.

        Raises:
            JournalError: It is damaged.
        """
        path = directory / NAME
        try:
            return cls(**json.loads(path.read_text(encoding='utf-8')))
        except FileNotFoundError:
            return cls()
        except (ValueError, TypeError) as error:
            raise JournalError(
                f'{path} is damaged ({error}); delete it, and it is made again from the bag'
            ) from error

    def save(self, directory: Path) -> None:
        """Replace the file in one step.

        Raises:
            OSError: The disk does not take it.
        """
        replace(directory / NAME, json.dumps(asdict(self), indent=1))

    @property
    def end_may_be_missing(self) -> bool:
        """Whether the computer went down since and may have taken what was not synced along."""
        return not self.sync and not self.clean and self.boot != boot()


def boot() -> str:
    """Return the identity of this run of the computer, '' where there is none."""
    try:
        return BOOT.read_text(encoding='ascii').strip()
    except OSError:
        return ''
