"""When the machine itself stood still, which no program on it can help.

    ./ros2w exec python bench/standstill.py --seconds 60

A process per processor, bound to it and of a real-time priority above everything else, does
nothing but sleep a millisecond. Where it comes back late, nothing ran there: the host paused the
virtual machine, the firmware took the processor, or a device driver did. Other benches lay these
times beside the gaps that they find. Needs permission for real-time priority.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
import contextlib
import os
from pathlib import Path
import subprocess
import sys
import tempfile
import time
from types import TracebackType

PRIORITY = 90  # above the agent, the driver, and the kernel's threads for interrupts
SHORTEST = 0.005  # [s] that counts
Span = tuple[float, float]


class Standstill:
    """Watches while it is entered.

    Attributes:
        permitted: Whether it can watch; if not, it reports nothing.
    """

    def __init__(self) -> None:
        """Prepare."""
        self.permitted = False
        self._watchers: list[subprocess.Popen[bytes]] = []
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Standstill:
        """Begin to watch."""
        directory = tempfile.TemporaryDirectory(prefix='standstill-')
        self._directory = Path(self._stack.enter_context(directory))
        for processor in sorted(os.sched_getaffinity(0)):
            command = [sys.executable, __file__, '--processor', str(processor)]
            with (self._directory / str(processor)).open('wb') as output:
                self._watchers.append(
                    subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL)
                )
        time.sleep(1.0)
        self.permitted = all(watcher.poll() is None for watcher in self._watchers)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the watchers."""
        for watcher in self._watchers:
            watcher.kill()
            watcher.wait()
        self._stack.close()

    def spans(self) -> list[Span]:
        """Return when some processor stood still so far, ascending, monotonic times [s].

        One after the other counts together, for a thread moves from processor to processor.
        """
        found: list[Span] = []
        lines = (line for path in self._directory.iterdir() for line in path.open())
        for begin, end in sorted((float(a), float(b)) for a, b in map(str.split, lines)):
            if found and begin <= found[-1][1]:
                found[-1] = (found[-1][0], max(end, found[-1][1]))
            else:
                found.append((begin, end))
        return found


def within(spans: Iterable[Span], begin: float, end: float) -> float:
    """Return how much of the time between two times spans take [s]."""
    return sum(max(0.0, min(last, end) - max(first, begin)) for first, last in spans)


def watch(processor: int) -> None:
    """Tell begin and end of every standstill of a processor, for ever."""
    os.sched_setaffinity(0, {processor})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    before = time.monotonic()
    while True:
        time.sleep(0.001)
        now = time.monotonic()
        if now - before > SHORTEST:
            sys.stdout.write(f'{before:.6f} {now:.6f}\n')
            sys.stdout.flush()
        before = time.monotonic()


def main() -> int:
    """Watch for some time and tell what was seen."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n')[0])
    parser.add_argument('--seconds', type=float, default=60.0)
    parser.add_argument('--processor', type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.processor is not None:
        watch(options.processor)
    with Standstill() as standstill:
        if not standstill.permitted:
            print('real-time priority is not permitted')
            return 1
        begun = time.monotonic()
        time.sleep(options.seconds)
        spans = standstill.spans()
    for begin, end in spans:
        print(f'after {begin - begun:7.2f} s  {1000 * (end - begin):6.1f} ms')
    total = sum(end - begin for begin, end in spans)
    longest = max((end - begin for begin, end in spans), default=0.0)
    print(
        f'{len(spans)} times in {options.seconds:g} s some processor stood still, longest '
        f'{1000 * longest:.0f} ms, {100 * total / options.seconds:.2f} % of the time'
    )
    return 0


if __name__ == '__main__':
    sys.exit(main())
