"""The emulated robot without sockets and clock: its plant, its end of the link, its stage.

Whoever owns the sockets puts datagrams into ``incoming`` and sends what ``outgoing`` gives. What
happens to a command is written in `link.py`, what a request may ask for in `stage.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
import json
from typing import Any

import numpy as np

from robot_drivers.minitaur.controller import MotorController
from robot_drivers.minitaur.disturbance import Address, Channel, Disturbance
from robot_drivers.minitaur.link import (
    Command,
    decode,
    encode,
    FAULT_OVERHEAT,
    LinkError,
    MODE_OFF,
    MODE_RESET,
)
from robot_drivers.minitaur.plant import MinitaurPlant, PlantConfig
from robot_drivers.minitaur.simulation import Placement


class EmulatedMinitaur:
    """One robot behind datagrams; time is an argument, monotonic [s].

    Attributes:
        plant: Body and motor controller.
        incoming: Datagrams on their way to the robot.
        outgoing: Datagrams on their way to the host.
        host: Where states go; None until somebody commands.
        running: False once a request has ended the robot.
        received: Commands that were followed.
        rejected: Datagrams that were no command of this session.
        repeated: Commands that came again, or late.
    """

    def __init__(self, config: PlantConfig, *, lockstep: bool, host_port: int = 0) -> None:
        """Lie limp at the origin.

        Args:
            config: The robot and its world.
            lockstep: Every new command advances the robot by the period it carries.
            host_port: Where states go to; 0: to the sender of the last command.
        """
        self.plant = MinitaurPlant(config)
        random = np.random.default_rng([config.seed, 1])
        self.incoming, self.outgoing = Channel(random), Channel(random)
        self.host: Address | None = None
        self.running = True
        self.received = self.rejected = self.repeated = 0
        self._lockstep = lockstep
        self._host_port = host_port
        self._session = 0
        self._sequence = 0
        self._sent = 0
        self._answer: list[bytes] = []
        self._silent_until = self._frozen_until = 0.0
        self._supply: float | None = None

    def frozen(self, now: float) -> bool:
        """Return whether the controller stands still, neither receiving nor sending."""
        return now < self._frozen_until

    def work(self, now: float) -> None:
        """Handle every datagram that has arrived."""
        for data, address in self.incoming.take(now):
            self._on_datagram(data, address, now)

    def report(self, now: float) -> None:
        """Send what the tracking sees and what the controller reports."""
        state = self.plant.state()
        self._sent += 1
        if self._supply is not None:
            state = replace(state, supply=self._supply)
        self._answer = [
            encode(self.plant.mocap(), session=self._session, sequence=self._sent),
            encode(state, session=self._session, sequence=self._sent),
        ]
        self._send(self._answer, now)

    def request(self, data: bytes, now: float) -> bytes:
        """Do what a request to the stage asks for; return the answer."""
        try:
            request = json.loads(data)
            op = request.pop('op')
            handler: Callable[..., dict[str, Any] | None] = getattr(self, f'_do_{op}')
            answer = {'ok': True, **(handler(now=now, **request) or {})}
        except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
            answer = {'ok': False, 'error': f'{type(error).__name__}: {error}'}
        return json.dumps(answer).encode()

    def _on_datagram(self, data: bytes, address: Address, now: float) -> None:
        try:
            datagram = decode(data)
        except LinkError:
            self.rejected += 1
            return
        command = datagram.body
        if not isinstance(command, Command):
            self.rejected += 1
            return
        if datagram.session != self._session:
            if command.mode not in (MODE_OFF, MODE_RESET):  # nobody may resume what was limp
                self.rejected += 1
                return
            self._session, self._sequence = datagram.session, 0
        self.host = (address[0], self._host_port or address[1])
        if datagram.sequence <= self._sequence:
            self.repeated += 1
            if datagram.sequence == self._sequence and self._lockstep:
                self._send(self._answer, now)
            return
        self.received += 1
        self._sequence = datagram.sequence
        self.plant.accept(command, datagram.sequence)
        if self._lockstep:
            self.plant.advance(round(command.period / self.plant.config.controller.period))
            self.report(now)

    def _send(self, datagrams: Sequence[bytes], now: float) -> None:
        if now < self._silent_until or self.host is None:
            return
        for data in datagrams:
            self.outgoing.put(data, self.host, now)

    def _do_place(
        self,
        *,
        now: float,
        x: float = 0.0,
        y: float = 0.0,
        yaw: float = 0.0,
        perturb: float = 0.0,
    ) -> None:
        del now
        self.plant.place(Placement(float(x), float(y), float(yaw), float(perturb)))

    def _do_tip(self, *, now: float, roll: float) -> None:
        del now
        data = self.plant.simulation.data
        data.qpos[2] = 0.3
        data.qpos[3:7] = np.cos(roll / 2), np.sin(roll / 2), 0.0, 0.0

    def _do_push(self, *, now: float, velocity: Sequence[float]) -> None:
        del now
        self.plant.simulation.data.qvel[:3] += np.asarray(velocity, dtype=float)

    def _do_disturb(self, *, now: float, **arguments: float) -> None:
        del now
        self.incoming.disturbance = self.outgoing.disturbance = Disturbance(**arguments)

    def _do_overheat(self, *, now: float, motors: Sequence[int]) -> None:
        del now
        self.plant.controller.shut_down(motors)

    def _do_supply(self, *, now: float, volts: float) -> None:
        del now
        self._supply = float(volts)

    def _do_silence(self, *, now: float, seconds: float) -> None:
        self._silent_until = now + float(seconds)

    def _do_freeze(self, *, now: float, seconds: float) -> None:
        self._frozen_until = now + float(seconds)

    def _do_restart(self, *, now: float) -> None:
        del now
        self.plant.controller = MotorController(self.plant.config.controller)
        self.plant.ticks = 0
        self._session = self._sequence = self._sent = 0
        self.host = None

    def _do_status(self, *, now: float) -> dict[str, Any]:
        del now
        controller = self.plant.controller
        return {
            'time': self.plant.time,
            'mode': controller.mode,
            'faults': controller.faults,
            'shut_motors': controller.shut_motors,
            'overheat': bool(controller.faults & FAULT_OVERHEAT),
            'position': self.plant.simulation.position.tolist(),
            'received': self.received,
            'rejected': self.rejected,
            'repeated': self.repeated,
        }

    def _do_quit(self, *, now: float) -> None:
        del now
        self.running = False
