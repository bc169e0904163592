"""The robot of a simulation: a motor controller behind UDP, with MuJoCo as its body.

    minitaur_emulator --clock lockstep --terrain flat

In lock-step every new command advances the robot by the period it carries and is answered with one
MOCAP and one STATE datagram. On the wall clock the robot lives in real time and sends both at
``--state-rate``. `stage.py` describes the second socket, through which tests and resets reach in.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
import json
import select
import signal
import socket
import sys
import time
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
from robot_drivers.minitaur.plant import MinitaurPlant, plant_config, PlantConfig
from robot_drivers.minitaur.simulation import Placement
from robot_drivers.minitaur.terrain import Terrain, TERRAINS
from sac_core.realtime import prefer

CLOCKS = ('lockstep', 'wall')
WORLD = (
    'terrain',
    'friction',
    'slope',
    'step_height',
    'gain',
    'strength',
    'latency',
    'noise',
    'seed',
    'timestep',
)
PRIORITY = 20  # SCHED_FIFO: a real controller is not slowed down by the computer's load either
MAX_CATCH_UP = 0.1  # wall clock: what a stalled process loses beyond this is not made up [s]


class Emulator:
    """One emulated robot: two sockets and a plant, in one thread."""

    def __init__(
        self,
        config: PlantConfig,
        *,
        clock: str = 'lockstep',
        robot_port: int = 15001,
        host_port: int = 0,
        stage_port: int | None = None,
        state_rate: float = 250.0,
        host: str = '127.0.0.1',
    ) -> None:
        """Open the sockets.

        Args:
            config: The robot and its world.
            clock: lockstep or wall.
            robot_port: Where commands arrive; 0 picks a free port.
            host_port: Where states go to; 0: to the sender of the last command.
            stage_port: Of the requests; None: robot_port + 1.
            state_rate: Wall clock: states per second [Hz].
            host: Address to listen at.

        Raises:
            ValueError: Unknown clock.
            OSError: A port is taken.
        """
        if clock not in CLOCKS:
            raise ValueError(f'clock must be one of {CLOCKS}, got {clock!r}')
        self.plant = MinitaurPlant(config)
        self._clock = clock
        self._host_port = host_port
        self._link = _open(host, robot_port)
        self.robot_port = int(self._link.getsockname()[1])
        wanted = 0 if robot_port == 0 else robot_port + 1
        self._stage = _open(host, wanted if stage_port is None else stage_port)
        self.stage_port = int(self._stage.getsockname()[1])
        random = np.random.default_rng([config.seed, 1])
        self._incoming, self._outgoing = Channel(random), Channel(random)
        self._session = 0
        self._sequence = 0
        self._sent = 0
        self._host: Address | None = None
        self._answer: list[bytes] = []
        self._silent_until = self._frozen_until = 0.0
        self._supply: float | None = None
        self._state_period = 1.0 / state_rate
        self._running = True
        self.received = self.rejected = self.repeated = 0

    def run(self) -> None:
        """Serve until `stop`."""
        try:
            if self._clock == 'wall':
                self._run_wall()
            else:
                while self._running:
                    self._serve(0.1)
        finally:
            self._link.close()
            self._stage.close()

    def stop(self) -> None:
        """End `run` within a tenth of a second; may be called from a signal handler."""
        self._running = False

    def _run_wall(self) -> None:
        period = self.plant.config.controller.period
        physics = state = time.monotonic()
        while self._running:
            now = time.monotonic()
            physics = max(physics, now - MAX_CATCH_UP)
            due = int((now - physics) / period)
            if due > 0 and now >= self._frozen_until:
                self.plant.advance(due)
            physics += due * period
            if now >= state and now >= self._frozen_until:
                state = max(state + self._state_period, now)
                if self._host is not None:
                    self._report(now)
            self._serve(max(0.0, min(physics + period, state) - time.monotonic()))

    def _serve(self, timeout: float) -> None:
        """Wait for a datagram for at most ``timeout`` [s], and handle everything that is there."""
        now = time.monotonic()
        due = [t - now for t in (self._incoming.next_arrival, self._outgoing.next_arrival) if t]
        ready, _, _ = select.select(
            [self._link, self._stage], [], [], max(0.0, min([timeout, *due]))
        )
        now = time.monotonic()
        if self._link in ready:
            data, address = self._link.recvfrom(2048)
            if now >= self._frozen_until:
                self._incoming.put(data, address, now)
        for data, address in self._incoming.take(now):
            self._on_datagram(data, address, now)
        if self._stage in ready:
            data, address = self._stage.recvfrom(65536)
            self._stage.sendto(self._on_request(data, now), address)
        self._flush()

    def _flush(self) -> None:
        for data, address in self._outgoing.take(time.monotonic()):
            try:
                self._link.sendto(data, address)
            except OSError:
                self._host = None  # the host is gone; the next command tells a new one

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
        self._host = (address[0], self._host_port or address[1])
        if datagram.sequence <= self._sequence:
            self.repeated += 1
            if datagram.sequence == self._sequence and self._clock == 'lockstep':
                self._send(self._answer, now)
            return
        self.received += 1
        self._sequence = datagram.sequence
        self.plant.accept(command, datagram.sequence)
        if self._clock == 'lockstep':
            self.plant.advance(round(command.period / self.plant.config.controller.period))
            self._report(now)

    def _report(self, now: float) -> None:
        state = self.plant.state()
        self._sent += 1
        if self._supply is not None:
            state = replace(state, supply=self._supply)
        self._answer = [
            encode(self.plant.mocap(), session=self._session, sequence=self._sent),
            encode(state, session=self._session, sequence=self._sent),
        ]
        self._send(self._answer, now)

    def _send(self, datagrams: Sequence[bytes], now: float) -> None:
        if now < self._silent_until or self._host is None:
            return
        for data in datagrams:
            self._outgoing.put(data, self._host, now)

    def _on_request(self, data: bytes, now: float) -> bytes:
        try:
            request = json.loads(data)
            op = request.pop('op')
            handler: Callable[..., dict[str, Any] | None] = getattr(self, f'_do_{op}')
            answer = {'ok': True, **(handler(now=now, **request) or {})}
        except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
            answer = {'ok': False, 'error': f'{type(error).__name__}: {error}'}
        return json.dumps(answer).encode()

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
        self._incoming.disturbance = self._outgoing.disturbance = Disturbance(**arguments)

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
        self._host = None

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
        self.stop()


def parse(arguments: Sequence[str]) -> tuple[PlantConfig, dict[str, Any]]:
    """Return the plant and the keyword arguments of `Emulator` that a command line asks for."""
    parser = argparse.ArgumentParser(prog='minitaur_emulator', description=__doc__.split('\n')[0])
    parser.add_argument('--robot-port', type=int, default=15001, help='UDP port of commands')
    parser.add_argument(
        '--host-port', type=int, default=0, help='UDP port of the host; 0: wherever it sends from'
    )
    parser.add_argument('--stage-port', type=int, help='UDP port of requests; robot port + 1')
    parser.add_argument('--host', default='127.0.0.1', help='address to listen at')
    parser.add_argument('--clock', choices=CLOCKS, default='lockstep')
    parser.add_argument('--state-rate', type=float, default=250.0, help='wall clock [Hz]')
    parser.add_argument('--terrain', choices=TERRAINS, default='flat')
    parser.add_argument('--friction', type=float, default=1.0, help='of feet on the ground')
    parser.add_argument('--slope', type=float, default=Terrain.slope, help='[rad]')
    parser.add_argument('--step-height', type=float, default=Terrain.step_height, help='[m]')
    parser.add_argument('--gain', type=float, default=1.0, help='scales the commanded gains')
    parser.add_argument('--strength', type=float, default=1.0, help='scales the motor torques')
    parser.add_argument('--latency', type=float, default=0.0, help='age of sensor values [s]')
    parser.add_argument('--noise', type=float, default=0.0, help='1: noise as in plant.py')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--timestep', type=float, default=0.002, help='physics and PD loop [s]')
    arguments = list(arguments)
    if '--ros-args' in arguments:  # appended by launch files
        arguments = arguments[: arguments.index('--ros-args')]
    args = parser.parse_args(arguments)
    try:
        config = plant_config(**{name: getattr(args, name) for name in WORLD})
    except ValueError as error:
        parser.error(str(error))
    names = ('clock', 'robot_port', 'host_port', 'stage_port', 'state_rate', 'host')
    return config, {name: getattr(args, name) for name in names}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run an emulator until it is interrupted."""
    config, options = parse(sys.argv[1:] if arguments is None else arguments)
    try:
        emulator = Emulator(config, **options)
    except OSError as error:
        sys.exit(f'minitaur_emulator: {error}')
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: emulator.stop())
    sys.stdout.write(
        f'minitaur emulator: commands at port {emulator.robot_port}, '
        f'requests at port {emulator.stage_port}, {options["clock"]}, {config.terrain.kind}\n'
    )
    sys.stdout.flush()
    if options['clock'] == 'wall':
        prefer(PRIORITY)
    emulator.run()


def _open(host: str, port: int) -> socket.socket:
    channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        channel.bind((host, port))
    except OSError as error:
        channel.close()
        raise OSError(
            error.errno, f'UDP port {host}:{port} is taken ({error.strerror}); choose another'
        ) from error
    return channel


if __name__ == '__main__':
    main()
