"""What each fault of a schedule does to a rig, and how it ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
import contextlib
import math
import signal
import sys

from chaos.processes import Child
from chaos.rig import HERE, Rig
from chaos.schedule import Event

LOSS = (0.05, 0.2)  # share of the packets
STEP = (0.5, 3600.0)  # [s] of a stepped clock, either way
SAWYER_TOPICS = ['/robot/joint_states', '/robot/limb/right/endpoint_state', '/robot/state']


class Injector:
    """Brings faults on one rig; several of a kind may overlap, and the last one ends it.

    Attributes:
        done: How often each fault happened.
        skipped: Faults that this machine does not allow, and why.
    """

    def __init__(self, rig: Rig) -> None:
        """Bring nothing yet."""
        self._rig = rig
        self._losses: list[float] = []
        self._open: Counter[str] = Counter()
        self._rubbish: dict[Event, Child] = {}
        self.done: Counter[str] = Counter()
        self.skipped: dict[str, str] = {}

    def begin(self, event: Event) -> None:
        """Bring a fault."""
        verb, _, what = event.fault.partition(' ')
        acts: dict[str, Callable[[str, Event], str]] = {
            'kill': self._kill,
            'stop': self._stop,
            'lose': self._lose,
            'cut': self._lose,
            'fill': self._fill,
            'step': self._step,
            'unplug': self._unplug,
            'send': self._send,
        }
        problem = acts[verb](what, event)
        if problem:
            self.skipped[event.fault] = problem
        else:
            self.done[event.fault] += 1

    def end(self, event: Event) -> None:
        """Take it away again."""
        if event.fault in self.skipped:
            return
        verb, _, what = event.fault.partition(' ')
        if verb == 'stop' and self._last(event.fault):
            self._rig.children[what].signal(signal.SIGCONT)
        elif verb in ('lose', 'cut'):
            self._losses.remove(_loss(event))
            self._set_loss()
        elif verb == 'fill' and self._last(event.fault):
            self._rig.surroundings.disks[what.split()[0]].empty()
        elif verb == 'unplug' and self._last(event.fault):
            self._plug(True)
        elif verb == 'send':
            self._rubbish.pop(event).end(5.0)

    def _kill(self, name: str, event: Event) -> str:
        del event
        return '' if self._rig.children[name].signal(signal.SIGKILL) else 'was dead at that time'

    def _stop(self, name: str, event: Event) -> str:
        self._open[event.fault] += 1
        self._rig.children[name].signal(signal.SIGSTOP)
        return ''

    def _lose(self, what: str, event: Event) -> str:
        del what
        if self._rig.surroundings.network is None:
            return 'there is no second host'
        self._losses.append(_loss(event))
        self._set_loss()
        return ''

    def _set_loss(self) -> None:
        network = self._rig.surroundings.network
        assert network is not None
        network.cable.loss = max(self._losses, default=0.0)

    def _fill(self, what: str, event: Event) -> str:
        disk = self._rig.surroundings.disks.get(what.split()[0])
        if disk is None:
            return 'there is no small disk'
        self._open[event.fault] += 1
        disk.fill()
        return ''

    def _step(self, what: str, event: Event) -> str:
        clock = self._rig.surroundings.clocks.get(what.split()[0])
        if clock is None:
            return 'clocks cannot be stepped'
        low, high = (math.log(value) for value in STEP)
        # The strength gives size and direction at once.
        size = math.exp(low + (2.0 * event.strength) % 1.0 * (high - low))
        clock.step(size if event.strength < 0.5 else -size)
        return ''

    def _unplug(self, what: str, event: Event) -> str:
        del what
        self._open[event.fault] += 1
        self._plug(False)
        return ''

    def _plug(self, plugged: bool) -> None:
        rig = self._rig
        with contextlib.suppress(OSError, ValueError):
            if rig.kind.name == 'dclaw':
                rig.emulator('plug' if plugged else 'unplug')
                return
            count = 0 if plugged else 10**9
            rig.emulator({'do': 'unmute'} if plugged else {'do': 'mute', 'topics': SAWYER_TOPICS})
            rig.emulator({'do': 'drop_commands', 'count': count})

    def _send(self, what: str, event: Event) -> str:
        del what
        kind = self._rig.kind
        host = 'robot' if event.strength < 0.5 else 'workstation'
        seed = str(round(1000 * event.strength))
        command = [
            sys.executable,
            str(HERE / 'hostile.py'),
            kind.name,
            str(kind.mode),
            seed,
            *kind.joints,
        ]
        self._rubbish[event] = self._rig.spawn(host, command, 'hostile')
        return ''

    def _last(self, fault: str) -> bool:
        self._open[fault] -= 1
        return self._open[fault] <= 0


def _loss(event: Event) -> float:
    if event.fault.startswith('cut'):
        return 1.0
    return LOSS[0] + event.strength * (LOSS[1] - LOSS[0])
