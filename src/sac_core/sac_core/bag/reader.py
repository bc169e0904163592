"""Reads bags of rosbag2 in the order in which they were written."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from sac_core.bag.definitions import Definitions
from sac_core.bag.errors import BagError
from sac_core.bag.messages import RawMessage
from sac_core.bag.storage import bag_files, scan


class BagReader:
    """One bag or several, one after the other.

    The last file of a killed process ends with its last committed message. Messages are decoded
    by the definitions embedded in the bag, so no package needs to be installed.
    """

    def __init__(self, paths: Sequence[Path] | Path) -> None:
        """Find the files.

        Args:
            paths: Bag directories or single ``.mcap`` and ``.db3`` files.

        Raises:
            BagError: A path holds no bag.
        """
        self.files: list[Path] = []
        for path in [paths] if isinstance(paths, Path) else paths:
            if path.is_dir():
                found = bag_files(path)
                if not found:
                    raise BagError(f'{path} holds no bag files (.mcap or .db3)')
                self.files += found
            elif path.is_file():
                scan(path)
                self.files.append(path)
            else:
                raise BagError(f'{path} does not exist')
        self._definitions = Definitions()
        self._learned: dict[str, str] = {}

    def unfinished(self) -> list[Path]:
        """Return the files that a killed process left without their end."""
        return [path for path in self.files if not scan(path).finished()]

    def messages(self, topics: Collection[str] | None = None) -> Iterator[RawMessage]:
        """Yield messages of the topics, default all.

        Raises:
            BagError: A file is damaged; the text names it, the place and the remedy.
        """
        for path in self.files:
            found = scan(path)
            known = 0
            for message in found.messages():
                if len(found.channels) > known:
                    known = len(found.channels)
                    for channel in found.channels.values():
                        self._learn(channel.type, channel.text)
                if topics is None or message.topic in topics:
                    yield message

    def decode(self, message: RawMessage) -> Any:
        """Return the message with its fields as attributes, arrays as numpy arrays.

        Raises:
            BagError: Its bytes do not fit its type.
        """
        return self._definitions.decode(message.data, message.type)

    @property
    def definitions(self) -> Definitions:
        """Definitions met so far."""
        return self._definitions

    def _learn(self, name: str, text: str) -> None:
        if not text:
            return
        known = self._learned.setdefault(name, text)
        if known != text:
            raise BagError(
                f'these bags hold two different definitions of {name}; read them one at a time'
            )
        self._definitions.learn(name, text)
