"""Injects every fault of the table into the emulated robots behind their real drivers.

./ros2w exec python bench/faults.py                    # print the table
./ros2w exec python bench/faults.py --write            # and put it into docs/faults.md
./ros2w exec python bench/faults.py --robots sawyer --repeat 5

What fails while the machine itself stands still (see standstill.py) is tried again.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
import sys
import time

from robot_drivers.faults.fault import Fault, LIMIT, Outcome, run
from robot_drivers.faults.rigs import RIGS
from robot_drivers.faults.table import FAULTS

sys.path.insert(0, str(Path(__file__).resolve().parent))

from standstill import Standstill, within

DOCUMENT = Path(__file__).resolve().parents[1] / 'docs' / 'faults.md'
MARK = '<!-- generated below by bench/faults.py -->\n'
TRIES = 5  # of a fault that fails while the machine stands still
HEAD = """| robot | fault | state reached | worst [ms] | limit [ms] | verdict |
|---|---|---|---|---|---|
"""


def main() -> int:
    """Run the table; 1: a state was not reached, or too late."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n')[0])
    parser.add_argument('--robots', nargs='+', choices=sorted(RIGS), default=sorted(RIGS))
    parser.add_argument('--repeat', type=int, default=1, help='times each; the worst counts')
    parser.add_argument(
        '--attempts',
        type=int,
        default=1,
        help='until it passes, on a loaded machine; the table tells which one did',
    )
    parser.add_argument('--write', action='store_true', help='put the table into docs/faults.md')
    options = parser.parse_args()
    load = os.getloadavg()[0]
    rows, passed = [], True
    with Standstill() as standstill:
        for fault in (fault for fault in FAULTS if fault.robot in options.robots):
            attempt, outcome = 0, None
            while outcome is None or not (outcome.passed or attempt >= options.attempts):
                attempt += 1
                outcome = worst([inject(fault, standstill) for _ in range(options.repeat)])
            rows.append(row(outcome, attempt))
            passed &= outcome.passed
            sys.stderr.write(rows[-1])
    notes = [
        f'* {1000 * limit:.0f} ms: {why}.\n'
        for limit, why in dict.fromkeys((f.limit, f.why) for f in FAULTS if f.why)
    ]
    table = (
        HEAD
        + ''.join(rows)
        + f'\nLimits beyond {1000 * LIMIT:.0f} ms:\n\n'
        + ''.join(notes)
        + f'\nEach {options.repeat} times, on {os.cpu_count()} cores at a load of {load:.1f}.\n'
    )
    sys.stdout.write(table)
    if options.write:
        text = DOCUMENT.read_text()
        DOCUMENT.write_text(text[: text.index(MARK) + len(MARK)] + '\n' + table)
    return 0 if passed else 1


def inject(fault: Fault, standstill: Standstill) -> Outcome:
    """Run a fault, anew where it failed and the machine stood still meanwhile."""
    for _ in range(TRIES):
        begun = time.monotonic()
        outcome = run(fault)
        if outcome.passed or not within(standstill.spans(), begun, time.monotonic()):
            break
        sys.stderr.write(f'{fault.robot} {fault.name}: the machine stood still, once more\n')
    return outcome


def worst(outcomes: list[Outcome]) -> Outcome:
    """Return the outcome that was not as it must be, or else the slowest one."""
    return max(outcomes, key=lambda o: (not o.passed, o.seconds is None, o.seconds or 0.0))


def row(outcome: Outcome, attempt: int) -> str:
    """Return one line of the table; an attempt after the first is told."""
    fault: Fault = outcome.fault
    took = '-' if outcome.seconds is None else f'{1000 * outcome.seconds:.0f}'
    verdict = 'ok' if outcome.passed else f'**no** {outcome.wrong}'.strip()
    if attempt > 1:
        verdict += f' (attempt {attempt})'
    limit = f'{1000 * fault.limit:.0f}'
    cells = (fault.robot, fault.name, fault.state, took, limit, verdict)
    return f'| {" | ".join(cells)} |\n'


if __name__ == '__main__':
    sys.exit(main())
