"""One simulated robot that learns: emulator, driver, agent on one host, learner on another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
import json
from pathlib import Path
import socket
import sys
import time
from typing import Any

from chaos import commands
from chaos.clocks import SteppedClock
from chaos.disk import Disk
from chaos.kinds import Kind
from chaos.network import ADDRESSES, Network
from chaos.processes import Child, environment

HERE = Path(__file__).resolve().parent
MASTER_PORT, CONTROL_PORT = 11311, 11411
DISK = 128 << 20  # [bytes]


@dataclass
class Surroundings:
    """What a rig is exposed to; what this machine does not allow is None, with the reason.

    Attributes:
        network: Two hosts, or None: both halves on this one.
        disks: By host.
        clocks: By host.
        missing: Why something is not there.
    """

    network: Network | None = None
    disks: dict[str, Disk] = field(default_factory=dict)
    clocks: dict[str, SteppedClock] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


class Rig:
    """The processes of one robot.

    Attributes:
        kind: The robot.
        children: emulator, driver, agent, learner, witness, by these names.
    """

    def __init__(
        self,
        kind: Kind,
        directory: Path,
        surroundings: Surroundings,
        *,
        domain: int,
        seed: int,
        clock: str = 'wall',
        speed: float = 1.0,
        learner: Sequence[str] = (),
        agent: Sequence[str] = (),
        driver: Sequence[str] = (),
    ) -> None:
        """Start everything.

        Args:
            kind: The robot.
            directory: For logs and, without small disks, the run.
            surroundings: Hosts, disks and clocks.
            domain: ROS domain; rigs on the same hosts need different ones.
            seed: Of learner, agent and emulator.
            clock: wall, or lockstep: the robot waits for every command.
            speed: Simulated seconds per second in lockstep; 0: as fast as it is learned from.
            learner: More parameters of the learner, NAME:=VALUE.
            agent: More parameters of the agent.
            driver: More parameters of the driver.
        """
        self.kind = kind
        self.directory = directory
        self.surroundings = surroundings
        self.children: dict[str, Child] = {}
        self._domain = domain
        self._drained_since = 0.0
        directory.mkdir(parents=True, exist_ok=True)
        self._run = {
            host: (surroundings.disks[host].path if host in surroundings.disks else directory)
            / f'run-{host}'
            for host in ('robot', 'workstation')
        }
        self._master, self.control_port = (
            (MASTER_PORT, CONTROL_PORT) if surroundings.network else (_free_port(), _free_port())
        )
        if kind.name == 'minitaur':
            self.control_port = self._master + 1
        master, control = self._master, self.control_port
        robot, workstation = self.run('robot'), self.run('workstation')
        programs = {
            'witness': [sys.executable, str(HERE / 'witness.py'), kind.name],
            'emulator': commands.emulator(
                kind, self._port, master, control, clock=clock, seed=seed
            ),
            'driver': commands.driver(kind, self._port, driver, clock=clock, speed=speed),
            'agent': commands.agent(kind, robot, agent, clock=clock, seed=seed),
            'learner': commands.learner(kind, workstation, learner, seed=seed),
        }
        for name, command in programs.items():
            self._start(name, 'workstation' if name == 'learner' else 'robot', command)

    def run(self, host: str) -> Path:
        """Return the run directory on a host: the agent's on the robot, else the learner's."""
        return self._run[host]

    @property
    def record(self) -> Path:
        """What the witness heard."""
        return self.directory / 'witness.log'

    def emulator(self, request: dict[str, Any] | str) -> None:
        """Reach into the emulated robot: a line for the D'Claw, an object for the others.

        Raises:
            OSError: It does not answer.
        """
        if self.kind.name == 'dclaw':
            from robot_drivers.dclaw.emulator.client import ConsoleClient

            client = ConsoleClient(self._port)
            client.ask(str(request))
            client.close()
            return
        command = [
            sys.executable, '-S', '-c', _ASK, str(self.control_port), json.dumps(request),
        ]  # fmt: skip
        self.spawn('robot', command, 'fault').end(5.0)

    def spawn(self, host: str, command: Sequence[str], log: str) -> Child:
        """Start one more process on a host, which is not started again."""
        network = self.surroundings.network
        words = network.command(host, list(command)) if network else list(command)
        return Child(
            log,
            words,
            environment=self._environment(host),
            log=self.directory / f'{log}.log',
            respawn=False,
        )

    def heard(self, topic: str) -> list[list[Any]]:
        """Return what the witness has heard on a topic, without the topic's name."""
        found = []
        with self.record.open(errors='replace') as file:
            for line in file:
                if line.startswith(f'["{topic}"') and line.endswith(']\n'):
                    found.append(json.loads(line)[1:])
        return found

    def steps(self) -> int:
        """Return how many steps the agent says it has made."""
        status = self.heard('/agent_status')[-1:]
        return int(status[0][3]) if status else 0

    def drain(self, timeout: float) -> bool:
        """End acting, wait until the learner has everything; return whether it got there.

        The agent ends last of all with its journal on the disk, so nothing is in doubt afterwards.
        """
        self.children['agent'].end(20.0)
        self._restart_to_send()
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            status = self.heard('/agent_status')[-1:]
            if status and status[0][5] == 0 and status[0][0] > self._drained_since:
                return True
            time.sleep(0.5)
        return False

    def end(self) -> None:
        """End everything."""
        for name in ('agent', 'learner', 'driver', 'emulator', 'witness'):
            if name in self.children:
                self.children[name].end()

    def _restart_to_send(self) -> None:
        """Let the agent live without a robot, so that it only sends what is left."""
        self.children['driver'].end()
        self.children['emulator'].end()
        self._drained_since = time.monotonic()
        child = self.children['agent']
        again = Child(
            'agent',
            child.command,
            environment=self._environment('robot'),
            log=self.directory / 'agent.log',
        )
        again.starts, again.deaths = child.starts + 1, child.deaths
        self.children['agent'] = again

    def _start(self, name: str, host: str, command: list[str]) -> None:
        network = self.surroundings.network
        self.children[name] = Child(
            name,
            network.command(host, command) if network else command,
            environment=self._environment(host),
            log=self.directory / f'{name}.log',
        )

    def _environment(self, host: str) -> dict[str, str]:
        clock = self.surroundings.clocks.get(host)
        middleware = {'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'}
        if self.surroundings.network:  # as docs/two_computers.md says for networks that lose
            middleware = {
                'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SUBNET',
                'ROS_STATIC_PEERS': ';'.join(ADDRESSES.values()),
                'FASTDDS_DEFAULT_PROFILES_FILE': str(HERE.parents[1] / 'config/dds/wifi.xml'),
            }
        return environment(
            ROS_DOMAIN_ID=str(self._domain),
            **middleware,
            ROS_LOG_DIR=str(self.directory / 'ros'),
            OMP_NUM_THREADS='1',
            **(clock.environment if clock else {}),
        )

    @property
    def _port(self) -> str:
        if self.kind.name == 'dclaw':
            return str(self.directory / 'bus')
        if self.kind.name == 'minitaur':
            return f'127.0.0.1:{self._master}'
        return f'http://127.0.0.1:{self._master}'


_ASK = """
import socket, sys
with socket.create_connection(('127.0.0.1', int(sys.argv[1])), 3.0) as link:
    link.sendall(sys.argv[2].encode() + b'\\n')
    print(link.makefile().readline())
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return int(probe.getsockname()[1])
