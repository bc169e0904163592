"""Repeat every decision in a bag: ``verify_bag --bag BAG``; exit code 0 if all come out the same.

From observation, latent noise and weights of the bag each action and command is computed again and
compared bit for bit; so are observation (from the raw sensor values), reward and end (from the
task), the order of the transitions, and every checksum. Where the noise follows from the recorded
seed it is repeated too. Exit code 1 names the first step that differs and why; 2: no such bag.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
import sys
from typing import Any, TextIO

from sac_agent.errors import ConfigError
from sac_agent.tools.decisions import Decisions
from sac_agent.tools.difference import DifferenceError
from sac_agent.tools.weights_source import Weights
from sac_core.bag import BagError, BagReader, RawMessage
from sac_core.bag.errors import DamagedError
from sac_core.bag.mcap_scan import McapScan
from sac_core.bag.storage import check
from sac_core.bag.transitions import AGENT_SPEC, Key, key, POLICY, TRANSITION

DIFFERENT, USAGE = 1, 2


class Verifier:
    """Goes through bags once."""

    def __init__(self, bags: list[Path], weights: list[Path], tolerance: float = 0.0) -> None:
        """Find the files.

        Args:
            bags: Bag directories or files, of one run in its order.
            weights: Where further weights are: bags, policy files, directories of such files.
            tolerance: Admissible difference of actions and commands.

        Raises:
            BagError: There is no such bag.
        """
        self._reader = BagReader(bags)
        self._weights = Weights(weights)
        self._tolerance = tolerance
        self._streams: dict[str, Decisions] = {}
        self._last: dict[str, Key] = {}
        self.transitions = 0

    @property
    def streams(self) -> list[Decisions]:
        """What was found out, one entry per stream."""
        return list(self._streams.values())

    def run(self) -> None:
        """Verify everything.

        Raises:
            DifferenceError: Something is not as it was recorded; the text names the step.
            BagError: A bag is no bag.
            ConfigError: The recorded configuration is unusable.
        """
        unfinished = set(self._reader.unfinished())
        for path in self._reader.files:
            if path not in unfinished:
                self._check(path)
        try:
            for raw in self._reader.messages():
                self._message(raw)
        except DamagedError as error:
            raise DifferenceError(str(error)) from error

    def _check(self, path: Path) -> None:
        try:
            check(path)
        except DamagedError as error:
            where = ', '.join(str(item) for item in _steps_at(path, error.position))
            raise DifferenceError(f'{where or "no step of a transition"}: {error}') from error

    def _message(self, raw: RawMessage) -> None:
        if raw.type == POLICY:
            self._weights.add(self._reader.decode(raw))
        elif raw.type == AGENT_SPEC:
            message = self._reader.decode(raw)
            stream = self._streams.get(message.stream_id)
            if stream is None:
                stream = Decisions(self._weights, self._tolerance)
                self._streams[message.stream_id] = stream
            stream.configure(message)
        elif raw.type == TRANSITION:
            self._transition(self._reader.decode(raw), key(raw.data))

    def _transition(self, message: Any, found: Key) -> None:
        self.transitions += 1
        last = self._last.get(found.stream_id)
        if last is not None and found.sequence != last.sequence + 1:
            raise DifferenceError(f'{found}: does not follow {last}')
        self._last[found.stream_id] = found
        if found.stream_id not in self._streams:
            raise DifferenceError(
                f'{found}: no agent spec of stream {found.stream_id!r} comes before'
            )
        try:
            self._streams[found.stream_id].verify(message)
        except DifferenceError as error:
            raise DifferenceError(f'{found}: {error}') from None


def _steps_at(path: Path, position: int) -> Iterator[Key]:
    """Yield the transitions in a damaged chunk, as far as they can be told."""
    if path.suffix != '.mcap':
        return
    try:
        for message in McapScan(path, trusting=True).messages():
            if message.position == position and message.type == TRANSITION:
                yield key(message.data)
    except (BagError, ValueError, IndexError):
        return


def main(arguments: list[str] | None = None, output: TextIO = sys.stdout) -> int:
    """Verify; return the exit code."""
    parser = argparse.ArgumentParser(prog='verify_bag', description=__doc__)
    parser.add_argument('--bag', type=Path, action='append', required=True, help='may be repeated')
    parser.add_argument(
        '--weights', type=Path, action='append', default=[],
        help='further bags, policy files or directories of them',
    )  # fmt: skip
    parser.add_argument(
        '--tolerance', type=float, default=0.0,
        help='of actions and commands, for another machine than that of the run',
    )  # fmt: skip
    options = parser.parse_args(arguments)
    try:
        verifier = Verifier(options.bag, options.weights, options.tolerance)
        verifier.run()
        if not verifier.transitions:
            raise BagError(f'{", ".join(map(str, options.bag))}: no transitions to verify')
    except DifferenceError as error:
        output.write(f'verify_bag: {error}\n')
        return DIFFERENT
    except (BagError, ConfigError, OSError) as error:
        sys.stderr.write(f'verify_bag: {" ".join(str(error).split())}\n')
        return USAGE
    for stream in verifier.streams:
        output.write(f'{stream.account()}\n')
    return 0


def run() -> None:
    """Console script."""
    sys.exit(main())


if __name__ == '__main__':
    run()
