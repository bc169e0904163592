"""The emulator's line protocol: what a tester's hands would do to the real robot."""

from __future__ import annotations

from collections.abc import Callable
import json
from typing import Protocol

from robot_drivers.dclaw.emulator.bank import IDS
from robot_drivers.dclaw.emulator.bus import EmulatedBus
from robot_drivers.sim.dclaw_physics import ASPECTS


class Served(Protocol):
    """What a tester has his hands on.

    Attributes:
        bus: The servos.
        running: Whether it goes on.
    """

    bus: EmulatedBus
    running: bool

    def plug(self) -> None:
        """Make the serial device appear."""

    def unplug(self) -> None:
        """Make the serial device vanish, as if the cable was pulled."""


class Console:
    """Executes one command per line and answers with one line: ok, JSON, or error and why.

    ``ID`` is a servo or ``all``; counts are answers on the wire.
    """

    def __init__(self, server: Served) -> None:
        """Build the table of commands from the methods' names."""
        self.tripped: list[tuple[int, float]] = []  # since the last `status`: servo, monotonic
        self._server = server
        self._commands: dict[str, Callable[..., object]] = {
            name.removeprefix('do_'): getattr(self, name)
            for name in dir(self)
            if name.startswith('do_')
        }

    def execute(self, line: str) -> str:
        """Return the answer to one line."""
        name, *words = line.split() or ['']
        if name not in self._commands:
            return f'error: unknown command {name!r}; there are {sorted(self._commands)}'
        try:
            result = self._commands[name](*words)
        except (ValueError, TypeError, IndexError) as error:
            return f'error: {error}; {self._commands[name].__doc__}'
        return 'ok' if result is None else json.dumps(result)

    def do_time(self) -> object:
        """Usage: time. The simulated time [s]."""
        return self._server.bus.bank.physics.time

    def do_status(self) -> object:
        """Usage: status. All servos: torque, goals, positions, errors, watchdogs that tripped."""
        tripped, self.tripped = self.tripped, []
        bus = self._server.bus
        return bus.bank.state() | {'tripped': tripped, 'instructions': dict(bus.instructions)}

    def do_drop(self, servo: str, count: str = '1') -> None:
        """Usage: drop ID [COUNT]. Swallow answers."""
        for servo_id in _ids(servo):
            self._server.bus.drop[servo_id] = int(count)

    def do_corrupt(self, servo: str, count: str = '1') -> None:
        """Usage: corrupt ID [COUNT]. Damage answers so that their CRC is wrong."""
        for servo_id in _ids(servo):
            self._server.bus.corrupt[servo_id] = int(count)

    def do_late(self, servo: str, count: str = '1') -> None:
        """Usage: late ID [COUNT]. Keep answers back until the next exchange."""
        for servo_id in _ids(servo):
            self._server.bus.late[servo_id] = int(count)

    def do_lose(self, count: str = '1') -> None:
        """Usage: lose [COUNT]. Lose instruction packets."""
        self._server.bus.lose = int(count)

    def do_alert(self, servo: str, bits: str = '32') -> None:
        """Usage: alert ID [BITS]. Raise a hardware error: 32 overload, 4 heat, 1 voltage."""
        for servo_id in _ids(servo):
            self._server.bus.bank.servos[servo_id].fail(int(bits))
        self._server.bus.bank.changed()

    def do_reboot(self, servo: str) -> None:
        """Usage: reboot ID. Drop the supply for a moment."""
        for servo_id in _ids(servo):
            self._server.bus.reboot(servo_id)

    def do_offline(self, servo: str) -> None:
        """Usage: offline ID. Pull a servo's plug."""
        self._server.bus.offline.update(_ids(servo))

    def do_online(self, servo: str) -> None:
        """Usage: online ID. Put it back."""
        self._server.bus.offline.difference_update(_ids(servo))

    def do_unplug(self) -> None:
        """Usage: unplug. Pull the USB cable."""
        self._server.unplug()

    def do_plug(self) -> None:
        """Usage: plug. Put it back."""
        self._server.plug()

    def do_push(self, joint: str, angle: str) -> None:
        """Usage: push JOINT ANGLE. Put a joint at an angle [rad] by hand."""
        self._server.bus.bank.physics.push(joint, float(angle))
        self._server.bus.bank.advance(0)

    def do_appearance(self, seed: str, strength: str = '1.0', *aspects: str) -> None:
        """Usage: appearance SEED|none [STRENGTH [colours] [light] [camera]]. Vary the scene."""
        number = None if seed == 'none' else int(seed)
        physics = self._server.bus.bank.physics
        physics.vary_appearance(number, float(strength), aspects or ASPECTS)

    def do_quit(self) -> None:
        """Usage: quit. End the emulator."""
        self._server.running = False


def _ids(word: str) -> tuple[int, ...]:
    if word == 'all':
        return IDS
    if not word.isdigit() or int(word) not in IDS:
        raise ValueError(f'no servo {word!r}; there are {IDS} and all')
    return (int(word),)
