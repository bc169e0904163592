"""Everything goes wrong, and the books must balance.

    ./ros2w exec python bench/chaos --minutes 10 --seed 0

Runs the simulated D'Claw and Sawyer on the wall clock, each with its agent on one host and its
learner on another, and lets things go wrong by a plan that depends on the seed only: SIGKILL,
SIGSTOP, packet loss, a pulled network cable, full disks, stepped clocks, an unplugged robot,
malformed messages. In the end it counts, and lets the same robots learn undisturbed for as many
steps, with several seeds, to compare what was learned.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
import contextlib
import os
from pathlib import Path
import signal
import sys
import tempfile
import time
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from chaos import account, clocks
from chaos.disk import Disk, NoDiskError
from chaos.faults import Injector
from chaos.kinds import KINDS
from chaos.network import HOSTS, Network, NoNamespacesError
from chaos.rig import DISK, Rig, Surroundings
from chaos.schedule import Event, plan

Key = TypeVar('Key')
Run = tuple[str, int]  # robot and seed
ROBOTS = ['dclaw', 'sawyer']
DOMAIN = 60  # of the first rig, the others follow
DRAIN = 90.0  # [s] the learners may take for what is left
STANDSTILL = 120.0  # [s] without a step, after which an undisturbed run is given up


def main() -> int:
    """Run, print the account, return 0 if it balances."""
    parser = argparse.ArgumentParser(prog='bench/chaos', description=__doc__.split('\n')[0])
    parser.add_argument('--minutes', type=float, default=10.0, help='how long things go wrong')
    parser.add_argument('--seed', type=int, default=0, help='of plan, learning and simulation')
    parser.add_argument('--robots', nargs='+', choices=sorted(KINDS), default=ROBOTS)
    parser.add_argument(
        '--clock',
        choices=('wall', 'lockstep'),
        default='wall',
        help='lockstep: robots wait for their commands, and go as fast as is learned from them',
    )
    parser.add_argument('--kills', type=int, default=20, help='SIGKILLs per robot, at least')
    parser.add_argument(
        '--undisturbed',
        type=int,
        default=3,
        help='runs per robot without faults afterwards, from this seed on; 0: compare with none',
    )
    parser.add_argument('--plan', action='store_true', help='print the plan and end')
    parser.add_argument('--directory', type=Path, help='for logs; default: a temporary one')
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leaves no process behind
    duration = 60.0 * options.minutes
    plans = {
        name: plan(options.seed * 100 + number, duration, kills=options.kills)
        for number, name in enumerate(options.robots)
    }
    if options.plan:
        for name, events in plans.items():
            for event in events:
                print(f'{name:8} {event.start:7.1f} s {event.duration:5.1f} s  {event.fault}')
        return 0
    directory = options.directory or Path(tempfile.mkdtemp(prefix='chaos-'))
    print(f'logs in {directory}; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores')
    with contextlib.ExitStack() as stack:
        rigs: dict[str, Rig] = {}
        for number, name in enumerate(options.robots):
            surroundings = stack.enter_context(_surroundings(directory / name, options.seed))
            rigs[name] = Rig(
                KINDS[name], directory / name, surroundings, domain=DOMAIN + number,
                seed=options.seed, clock=options.clock,
                speed=0.0 if options.clock == 'lockstep' else 1.0,
            )  # fmt: skip
            stack.callback(rigs[name].end)
            for text in surroundings.missing:
                print(f'{name}: {text}')
        injectors = {name: Injector(rig) for name, rig in rigs.items()}
        _play(plans, injectors, duration)
        drained = _end(rigs)
        found = {name: account.take(rig) for name, rig in rigs.items()}
    results = [
        _report(name, rig, injectors[name], found[name], drained[name])
        for name, rig in rigs.items()
    ]
    if options.undisturbed:
        seeds = range(options.seed, options.seed + options.undisturbed)
        steps = {name: of.recorded for name, of in found.items()}
        others: dict[Run, account.Account] = {}
        for seed in seeds:  # as many robots at a time as before, for they share the processors
            others |= _undisturbed(steps, directory, seed, options.clock)
        results += [_compare(name, found[name], others) for name in rigs]
    print(f'load at the end {os.getloadavg()[0]:.1f}')
    return 0 if all(results) else 1


@contextlib.contextmanager
def _surroundings(directory: Path, seed: int) -> Iterator[Surroundings]:
    """Make all that this machine allows."""
    found = Surroundings()
    directory.mkdir(parents=True, exist_ok=True)
    try:
        found.network = Network(seed)
    except NoNamespacesError as error:
        found.missing.append(str(error))
    try:
        library = clocks.build(directory)
        for host in HOSTS:
            found.clocks[host] = clocks.SteppedClock(library, directory / f'clock-{host}')
    except clocks.NoCompilerError as error:
        found.missing.append(str(error))
    try:
        for host in HOSTS:
            found.disks[host] = Disk(directory / f'disk-{host}', DISK)
    except NoDiskError as error:
        found.missing.append(str(error))
    try:
        yield found
    finally:
        for disk in found.disks.values():
            disk.close()
        if found.network:
            found.network.close()


def _play(plans: dict[str, list[Event]], injectors: dict[str, Injector], duration: float) -> None:
    """Bring every fault at its time, and end it."""
    actions = sorted(
        (time_, name, begins, event)
        for name, events in plans.items()
        for event in events
        for begins, time_ in ((True, event.start), (False, event.start + event.duration))
    )
    origin = time.monotonic()
    for due, name, begins, event in actions:
        time.sleep(max(0.0, origin + due - time.monotonic()))
        if begins:
            print(f'{time.monotonic() - origin:7.1f} s  {name:8} {event.fault}', flush=True)
            injectors[name].begin(event)
        else:
            injectors[name].end(event)
    time.sleep(max(0.0, origin + duration - time.monotonic()))


def _end(rigs: Mapping[Key, Rig]) -> dict[Key, bool]:
    """End runs once their learners have everything; return which of them got there in time."""
    with ThreadPoolExecutor() as pool:
        drained = dict(pool.map(lambda item: (item[0], item[1].drain(DRAIN)), rigs.items()))
    for rig in rigs.values():
        rig.end()
    return drained


def _undisturbed(
    steps: Mapping[str, int], directory: Path, seed: int, clock: str
) -> dict[Run, account.Account]:
    """Let the robots learn without faults until each has made its steps."""
    with contextlib.ExitStack() as stack:
        rigs: dict[Run, Rig] = {}
        for number, name in enumerate(steps):
            place = directory / f'{name}-undisturbed-{seed}'
            surroundings = stack.enter_context(_surroundings(place, seed))
            rigs[name, seed] = Rig(
                KINDS[name], place, surroundings, domain=DOMAIN + 10 + number, seed=seed,
                clock=clock, speed=0.0 if clock == 'lockstep' else 1.0,
            )  # fmt: skip
            stack.callback(rigs[name, seed].end)
        acting, done, moved = set(rigs), dict.fromkeys(rigs, 0), time.monotonic()
        while acting and time.monotonic() < moved + STANDSTILL:
            time.sleep(1.0)
            before, done = done, {run: rig.steps() for run, rig in rigs.items()}
            if done != before:
                moved = time.monotonic()
            for run in [run for run in acting if done[run] >= steps[run[0]]]:
                rigs[run].children['agent'].end(20.0)  # leaves the processors to the others
                acting.remove(run)
        _end(rigs)
        return {run: account.take(rig) for run, rig in rigs.items()}


def _report(
    name: str, rig: Rig, injector: Injector, found: account.Account, drained: bool
) -> bool:
    """Print the books of one robot; return whether they balance."""
    kills = sum(count for fault, count in injector.done.items() if fault.startswith('kill'))
    done = ', '.join(f'{count} x {fault}' for fault, count in sorted(injector.done.items()))
    skipped = ', '.join(f'{fault} ({why})' for fault, why in sorted(injector.skipped.items()))
    cable = rig.surroundings.network and rig.surroundings.network.cable
    print(f'\n{name}')
    print(f'  faults                 {done}')
    if skipped:
        print(f'  not brought            {skipped}')
    if cable:
        share = cable.lost / max(1, cable.lost + cable.carried)
        print(f'  packets                {cable.carried} carried, {cable.lost} lost ({share:.1%})')
    print(f'  starts                 {found.starts}')
    print(f'  died by themselves     {found.deaths or "none"}')
    print(f'  transitions executed   {found.recorded} (journal of the agent)')
    print(f'  transitions in replay  {found.replayed}')
    print(
        f'  lost {found.lost}, doubled {found.doubled}, foreign {found.foreign}, '
        f'changed {found.changed}'
    )
    print(
        f'  steps under way at a SIGKILL of the agent: {found.under_way}, and just being written: '
        f'{found.unsaved}'
    )
    print(
        f'  refused: {found.rejected} transitions, {found.refused} weights; '
        f'{found.misses} deadline misses'
    )
    # A step is a transition once it is written; one at most is being written at a time.
    good = found.exact and drained and found.unsaved <= injector.done['kill agent']
    if not drained:
        print('  NOT DRAINED: the learner did not get everything in time')
    print(f'  {"the books balance" if good else "THE BOOKS DO NOT BALANCE"} ({kills} SIGKILLs)')
    return good


def _compare(name: str, found: account.Account, others: Mapping[Run, account.Account]) -> bool:
    """Print what one robot has learned; return whether it is as much as undisturbed."""
    level = found.level()
    print(f'\n{name}')
    print(f'  learning level         {level} (last returns, without episodes that a fault cut)')
    own = {seed: other for (robot, seed), other in others.items() if robot == name}
    levels = {seed: other.level(found.recorded) for seed, other in own.items()}
    texts = ', '.join(f'{other} (seed {seed})' for seed, other in levels.items())
    print(f'  undisturbed            {texts}, after as many steps')
    learned = level.reaches(list(levels.values()))
    print(f'  {"learned as well" if learned else "DID NOT LEARN AS WELL"} as undisturbed')
    exact = all(other.exact for other in own.values())
    if not exact:
        print('  THE BOOKS OF AN UNDISTURBED RUN DO NOT BALANCE')
    return learned and exact


if __name__ == '__main__':
    sys.exit(main())
