"""The emulated robot as a process: a motor controller behind UDP, with MuJoCo as its body.

    minitaur_emulator --clock lockstep --terrain flat

In lock-step every new command advances the robot by the period it carries and is answered with one
MOCAP and one STATE datagram. On the wall clock the robot lives in real time and sends both at
``--state-rate``. `stage.py` describes the second socket, through which tests and resets reach in.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
import select
import signal
import socket
import sys
import time
from typing import Any

from robot_drivers.minitaur.emulated_robot import EmulatedMinitaur
from robot_drivers.minitaur.plant import plant_config, PlantConfig
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
    """Two sockets, a clock and the robot behind them, in one thread."""

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
        self.robot = EmulatedMinitaur(config, lockstep=clock == 'lockstep', host_port=host_port)
        self._clock = clock
        self._link = _open(host, robot_port)
        self.robot_port = int(self._link.getsockname()[1])
        wanted = 0 if robot_port == 0 else robot_port + 1
        self._stage = _open(host, wanted if stage_port is None else stage_port)
        self.stage_port = int(self._stage.getsockname()[1])
        self._state_period = 1.0 / state_rate

    def run(self) -> None:
        """Serve until `stop`."""
        try:
            if self._clock == 'wall':
                self._run_wall()
            else:
                while self.robot.running:
                    self._serve(0.1)
        finally:
            self._link.close()
            self._stage.close()

    def stop(self) -> None:
        """End `run` within a tenth of a second; may be called from a signal handler."""
        self.robot.running = False

    def _run_wall(self) -> None:
        robot = self.robot
        period = robot.plant.config.controller.period
        physics = state = time.monotonic()
        while robot.running:
            now = time.monotonic()
            physics = max(physics, now - MAX_CATCH_UP)
            due = int((now - physics) / period)
            if due > 0 and not robot.frozen(now):
                robot.plant.advance(due)
            physics += due * period
            if now >= state and not robot.frozen(now):
                state = max(state + self._state_period, now)
                if robot.host is not None:
                    robot.report(now)
            self._serve(max(0.0, min(physics + period, state) - time.monotonic()))

    def _serve(self, timeout: float) -> None:
        """Wait for a datagram for at most ``timeout`` [s], and handle everything that is there."""
        robot = self.robot
        now = time.monotonic()
        due = [t - now for t in (robot.incoming.next_arrival, robot.outgoing.next_arrival) if t]
        ready, _, _ = select.select(
            [self._link, self._stage], [], [], max(0.0, min([timeout, *due]))
        )
        now = time.monotonic()
        if self._link in ready:
            data, address = self._link.recvfrom(2048)
            if not robot.frozen(now):
                robot.incoming.put(data, address, now)
        robot.work(now)
        if self._stage in ready:
            data, address = self._stage.recvfrom(65536)
            self._stage.sendto(robot.request(data, now), address)
        self._flush()

    def _flush(self) -> None:
        for data, address in self.robot.outgoing.take(time.monotonic()):
            try:
                self._link.sendto(data, address)
            except OSError:
                self.robot.host = None  # it is gone; the next command tells a new one


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
