"""What the robot notices when the learner is gone, the network is bad, or the agent dies.

    ./ros2w exec python bench/outage.py --stop 60
    ./ros2w exec python bench/outage.py --stop 60 --loss 0.05 --cut 30
    ./ros2w exec python bench/outage.py --kill-agent 10 --robots dclaw minitaur sawyer

With --stop the learner gets SIGSTOP for so long: the largest gap between two commands counts, and
how long after SIGCONT new weights act. With --loss and --cut, agent and learner are on two hosts.
Where the machine itself stood still for part of a gap (see standstill.py), the gap without that
time is told as well, and that one is held against the bound. In the end every transition must be
in the replay exactly once. With --kill-agent the time from SIGKILL to rest counts, as the wire of
the emulated robot sees it (see at_rest.py).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
import contextlib
from dataclasses import dataclass
from itertools import pairwise
import math
import os
from pathlib import Path
import signal
import sys
import tempfile
import time

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

from at_rest import last_motion
from chaos import account
from chaos.kinds import KINDS
from chaos.network import Network
from chaos.rig import Rig, Surroundings
from standstill import Span, Standstill, within

EARLY = ('warmup.steps:=50',)
LEARNER = ('learning_starts:=50',)
SETTLE = 20.0  # [s] until weights act and everything is regular
BACK = 15.0  # [s] watched after an outage
DOMAIN = 80
EARLIEST, LATEST = 5, 30  # steps of an episode between which the agent is killed
LATE = 1.5  # [periods] from which a gap is counted


def main() -> int:
    """Measure, print, return 0 if everything is within its bound."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n')[0])
    parser.add_argument('--robots', nargs='+', choices=sorted(KINDS), default=['dclaw', 'sawyer'])
    parser.add_argument('--stop', type=float, default=0.0, help='SIGSTOP of the learner [s]')
    parser.add_argument('--loss', type=float, default=0.0, help='share of lost packets')
    parser.add_argument('--cut', type=float, default=0.0, help='network down [s]')
    parser.add_argument('--kill-agent', type=int, default=0, help='how often')
    parser.add_argument('--within', type=float, default=0.1, help='allowed until at rest [s]')
    parser.add_argument(
        '--patience', type=float, help='silence that the driver bears, instead of its own [s]'
    )
    parser.add_argument(
        '--gap', type=float, default=1.5, help='allowed between commands [periods]'
    )
    parser.add_argument(
        '--back', type=float, default=5.0, help='allowed until new weights act again [s]'
    )
    parser.add_argument('--settle', type=float, default=SETTLE, help='time before the first [s]')
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leaves no process behind
    print(f'load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores')
    with Standstill() as standstill:
        results = [
            measure(name, options, DOMAIN + i, standstill) for i, name in enumerate(options.robots)
        ]
    print(f'load {os.getloadavg()[0]:.1f}')
    return 0 if all(results) else 1


def measure(name: str, options: argparse.Namespace, domain: int, standstill: Standstill) -> bool:
    """Run one robot through what was asked for."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix='outage-')))
        surroundings = Surroundings()
        if options.loss or options.cut:
            surroundings.network = stack.enter_context(Network(1))
            surroundings.network.cable.loss = options.loss
        patience = (
            [f'safety.command_timeout:={options.patience}', 'safety.limp_timeout:=0.0']
            if options.patience
            else []
        )
        rig = Rig(
            KINDS[name], directory, surroundings, domain=domain, seed=0, learner=LEARNER,
            agent=EARLY, driver=patience,
        )  # fmt: skip
        stack.callback(rig.end)
        time.sleep(options.settle)
        good = True
        if options.kill_agent:
            good = _killed(rig, options.kill_agent, options.within)
        if options.stop:
            child = rig.children['learner']
            good &= _outage(
                rig,
                f'learner stopped for {options.stop:g} s',
                options.stop,
                lambda: child.signal(signal.SIGSTOP),
                lambda: child.signal(signal.SIGCONT),
                options,
                standstill,
            )
        if options.cut:
            assert surroundings.network is not None
            cable = surroundings.network.cable

            def loss(value: float) -> None:
                cable.loss = value

            good &= _outage(
                rig,
                f'network down for {options.cut:g} s',
                options.cut,
                lambda: loss(1.0),
                lambda: loss(options.loss),
                options,
                standstill,
            )
        drained = rig.drain(60.0)
        rig.end()
        found = account.take(rig)
        print(
            f'{name:9} {found.recorded} executed, {found.replayed} in the replay, lost '
            f'{found.lost}, doubled {found.doubled}' + ('' if drained else ', NOT DRAINED')
        )
        return good and drained and found.exact


def _outage(
    rig: Rig,
    text: str,
    duration: float,
    begin: Callable[[], None],
    end: Callable[[], None],
    options: argparse.Namespace,
    standstill: Standstill,
) -> bool:
    """Measure gaps in the command topic during and after an outage, and when weights act again."""
    begun = time.monotonic()
    begin()
    time.sleep(duration)
    versions = [line[7] for line in rig.heard('/transition') if line[0] > begun]
    end()
    ended = time.monotonic()
    time.sleep(BACK)
    period = 1.0 / rig.kind.rate
    spans = standstill.spans()
    gaps = Gaps.of(account.commands(rig, begun - 1.0, ended + BACK), period, spans)
    before = max(versions, default=0)
    # The step that the new weights chose is told a period later, when it is complete.
    acting = [line[0] - ended for line in rig.heard('/agent_status') if line[4] > before]
    back = min((t for t in acting if t > 0.0), default=math.inf)
    calm = Gaps.of(account.commands(rig, begun - BACK, begun), period, spans)
    print(f'{rig.kind.name:9} {text}: {gaps}; before: {calm}; new weights act after {back:.1f} s')
    return gaps.largest_running <= options.gap and back <= options.back


@dataclass(frozen=True)
class Gaps:
    """Times between commands, in periods.

    Attributes:
        count: How many.
        largest: Of all.
        late: Above 1.5.
        largest_running: Largest without the time that the machine stood still.
        late_running: Above 1.5 without that time.
        paused: Whether it stood still in any.
    """

    count: int
    largest: float
    late: int
    largest_running: float
    late_running: int
    paused: bool

    @classmethod
    def of(cls, times: list[float], period: float, spans: list[Span]) -> Gaps:
        """Compare commands at some times [s] with the period [s] that they should have."""
        if len(times) < 2:
            return cls(0, math.inf, 0, math.inf, 0, paused=False)
        total = np.diff(times) / period
        still = np.array([within(spans, a, b) for a, b in pairwise(times)]) / period
        running = total - still
        return cls(
            total.size,
            total.max(),
            int((total > LATE).sum()),
            running.max(),
            int((running > LATE).sum()),
            paused=bool((still > 0.0).any()),
        )

    def __str__(self) -> str:
        """Tell the largest, and how many were too large."""
        if not self.count:
            return 'no commands'
        text = f'{self.count} gaps, largest {self.largest:.2f} periods, {self.late} over {LATE}'
        if self.paused:
            text += (
                f' (the machine stood still at times; without those: {self.largest_running:.2f} '
                f'periods, {self.late_running} over {LATE})'
            )
        return text


def _killed(rig: Rig, count: int, within: float) -> bool:
    """Kill the agent while it acts; time what the emulated robot does."""
    delays = []
    for _ in range(count):
        if not _wait_until_acting(rig):
            print(f'{rig.kind.name:9} the agent does not act: killed {len(delays)} times only')
            return False
        killed = time.monotonic()
        rig.children['agent'].signal(signal.SIGKILL)
        delays.append(last_motion(rig, killed) - killed)
    worst, middle = max(delays), sorted(delays)[len(delays) // 2]
    print(
        f'{rig.kind.name:9} agent killed {count} times while acting: robot at rest after median '
        f'{1000 * middle:.0f} ms, worst {1000 * worst:.0f} ms'
    )
    return worst <= within


def _wait_until_acting(rig: Rig) -> bool:
    """Wait for the midst of an episode; return whether there was one within a minute.

    In a reset the driver moves the robot by itself, whatever becomes of the agent.
    """
    begun = time.monotonic()
    while time.monotonic() < begun + 60.0:
        steps = [line for line in rig.heard('/transition') if line[0] > begun + 1.0]
        fresh = steps and time.monotonic() - steps[-1][0] < 2.0 / rig.kind.rate
        if fresh and len(steps) > rig.kind.rate and EARLIEST < steps[-1][4] < LATEST:
            return True
        time.sleep(0.5 / rig.kind.rate)
    return False


if __name__ == '__main__':
    sys.exit(main())
