"""Which transitions each file of a bag holds, and where in it."""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sac_core.bag import Definitions
from sac_core.bag.storage import scan
from sac_core.bag.transitions import Key, key


@dataclass
class Span:
    """The transitions of one stream in one file.

    Attributes:
        stream_id: Their stream.
        first: Lowest sequence number.
        last: Highest sequence number.
        episode: Highest episode.
        training: How many were no evaluation steps.
    """

    stream_id: str
    first: int
    last: int = 0
    episode: int = 0
    training: int = 0


@dataclass
class _Index:
    """Where the transitions of a file are: ascending sequence numbers and positions."""

    sequences: 'array[int]' = field(default_factory=lambda: array('Q'))
    positions: 'array[int]' = field(default_factory=lambda: array('Q'))

    def add(self, sequence: int, position: int) -> None:
        if not self.positions or self.positions[-1] != position:
            self.sequences.append(sequence)
            self.positions.append(position)

    def position(self, sequence: int) -> int | None:
        found = bisect_right(self.sequences, sequence) - 1
        return self.positions[found] if found >= 0 else None


class Contents:
    """The transitions of a bag, file by file.

    Attributes:
        stream_id: The stream that can be read; of others only the extent is known.
    """

    def __init__(self, directory: Path, topic: str) -> None:
        """Know of no file yet.

        Args:
            directory: The bag.
            topic: Of the transitions in it.
        """
        self.stream_id = ''
        self._directory = directory
        self._topic = topic
        self._spans: dict[str, list[Span]] = {}
        self._indices: dict[str, _Index] = {}

    def own(self) -> Iterator[Span]:
        """Return the spans of the stream."""
        for spans in self._spans.values():
            yield from (span for span in spans if span.stream_id == self.stream_id)

    def newest_stream(self) -> str:
        """Return the stream of the last transitions, '' if there is none."""
        known = [span.stream_id for spans in self._spans.values() for span in spans]
        return known[-1] if known else ''

    def note(self, file: str, position: int, found: Key, *, training: bool) -> None:
        """Take up a transition that was written.

        Args:
            file: Name of the file.
            position: Where in it.
            found: Of the transition.
            training: It is no evaluation step.
        """
        spans = self._spans.setdefault(file, [])
        if not spans or spans[-1].stream_id != found.stream_id:
            spans.append(Span(found.stream_id, found.sequence))
        span = spans[-1]
        span.last, span.episode = found.sequence, found.episode
        span.training += training
        if found.stream_id == self.stream_id:
            self._indices.setdefault(file, _Index()).add(found.sequence, position)

    def read(self, sequence: int, count: int) -> list[bytes]:
        """Return up to `count` transitions from `sequence` on, as far as one file holds them."""
        for file, spans in self._spans.items():
            for span in spans:
                if span.stream_id == self.stream_id and span.first <= sequence <= span.last:
                    return self._read_span(self._directory / file, span, sequence, count)
        return []

    def holds_none_after(self, file: str, sequence: int) -> bool:
        """Return whether all transitions of a file are of the stream and up to `sequence`."""
        return all(
            span.stream_id == self.stream_id and span.last <= sequence
            for span in self._spans.get(file, [])
        )

    def forget(self, file: str) -> None:
        """Drop a file that was deleted."""
        self._spans.pop(file, None)
        self._indices.pop(file, None)

    def recall(self, file: str, spans: Iterable[Mapping[str, Any]]) -> None:
        """Take up a file from what `plain` returned for it."""
        self._spans[file] = [Span(**span) for span in spans]

    def scan(self, path: Path, definitions: Definitions) -> None:
        """Take up a file by reading all of it."""
        for message in scan(path).messages():
            if message.topic == self._topic:
                evaluation = definitions.decode(message.data, message.type).evaluation
                self.note(path.name, message.position, key(message.data), training=not evaluation)

    def plain(self, files: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
        """Return the spans of these files, ready for JSON."""
        wanted = set(files)
        return {
            file: [asdict(span) for span in spans]
            for file, spans in self._spans.items()
            if file in wanted
        }

    def _read_span(self, path: Path, span: Span, sequence: int, count: int) -> list[bytes]:
        index = self._indices.get(path.name) or self._make_index(path)
        payloads: list[bytes] = []
        for message in scan(path).messages(index.position(sequence)):
            if message.topic != self._topic:
                continue
            found = key(message.data)
            if found.stream_id != self.stream_id or found.sequence < sequence:
                continue
            payloads.append(message.data)
            if len(payloads) == count or found.sequence == span.last:
                break
        return payloads

    def _make_index(self, path: Path) -> _Index:
        index = self._indices[path.name] = _Index()
        for message in scan(path).messages():
            if message.topic == self._topic:
                found = key(message.data)
                if found.stream_id == self.stream_id:
                    index.add(found.sequence, message.position)
        return index
