"""Robot and workstation in two network namespaces, by the commands of docs/two_computers.md."""
# ruff: noqa: E402  (without ROS these tests are skipped)

from collections.abc import Iterator
from dataclasses import dataclass
import json
import os
from pathlib import Path
import shutil
import signal
import subprocess
import time

import pytest

pytest.importorskip('rclpy')
index = pytest.importorskip('ament_index_python.packages')

from sac_core.bag.transitions import transitions
from sac_learner.run import metrics

STEPS = 400
SETTINGS = '/**/sac_agent: {ros__parameters: {episode.time_limit: 30, evaluation.episodes: 2}}\n'
AWAY = 4.0  # [s] without a link


def _namespaces_are_permitted() -> str:
    """Return why there can be no network namespaces here, or ''."""
    if shutil.which('ip') is None:
        return 'ip (Debian package iproute2) is not installed'
    name = f'sac-probe-{os.getpid()}'
    made = subprocess.run(['ip', 'netns', 'add', name], capture_output=True, text=True)
    if made.returncode:
        return f'network namespaces need root: {made.stderr.strip()}'
    link = ['ip', '-n', name, 'link', 'add', 'sac0', 'type', 'veth', 'peer', 'name', 'sac1']
    linked = subprocess.run(link, capture_output=True, text=True)
    if not linked.returncode:
        bridge = ['ip', '-n', name, 'link', 'add', 'sac2', 'type', 'bridge']
        linked = subprocess.run(bridge, capture_output=True, text=True)
    subprocess.run(['ip', 'netns', 'delete', name], check=True)
    return f'virtual links are not permitted: {linked.stderr.strip()}' if linked.returncode else ''


REFUSAL = _namespaces_are_permitted()
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(REFUSAL), reason=REFUSAL)]


@dataclass
class Computer:
    """A network namespace with shared memory of its own, as on another machine."""

    name: str
    home: Path
    profile: str
    environment: dict[str, str]

    @property
    def namespace(self) -> str:
        return f'sac-{self.name}-{os.getpid()}'

    @property
    def log(self) -> str:
        return (self.home / 'launch.log').read_text()

    def launch(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Run ``ros2 launch sac_agent`` there."""
        profile = Path(index.get_package_share_directory('sac_agent')) / 'config/dds'
        inside = 'mount -t tmpfs tmpfs /dev/shm && exec ros2 launch sac_agent "$@"'
        enter = ['ip', 'netns', 'exec', self.namespace, 'unshare', '--mount']
        environment = {
            **os.environ,
            'CI': 'true',
            'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SUBNET',
            'ROS_LOG_DIR': str(self.home / 'log'),
            'FASTDDS_DEFAULT_PROFILES_FILE': str(profile / f'{self.profile}.xml'),
            **self.environment,
        }
        with (self.home / 'launch.log').open('a') as log:
            return subprocess.Popen(
                [*enter, 'bash', '-c', inside, 'bash', *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self.home,
                env=environment,
            )


class Network:
    """Two computers, and a switch or a router between them."""

    def __init__(self, home: Path, profile: str, *, routed: bool) -> None:
        """Connect them; a router lets no multicast pass, as many access points do."""
        addresses = {'robot': '10.77.1.1', 'station': '10.77.2.1'}
        self.router = f'sac-router-{os.getpid()}'
        self.computers = {}
        _ip('netns', 'add', self.router)
        _ip('-n', self.router, 'link', 'set', 'lo', 'up')
        if routed:
            forward = 'echo 1 > /proc/sys/net/ipv4/ip_forward'
            _ip('netns', 'exec', self.router, 'bash', '-c', forward)
        else:
            _ip('-n', self.router, 'link', 'add', 'switch', 'type', 'bridge')
            _ip('-n', self.router, 'link', 'set', 'switch', 'up')
        for name, other in (('robot', 'station'), ('station', 'robot')):
            (home / name).mkdir()
            (home / name / 'short.yaml').write_text(SETTINGS)
            peers = {'ROS_STATIC_PEERS': addresses[other]} if routed else {}
            computer = Computer(name, home / name, profile, peers)
            self.computers[name] = computer
            here, there = ('-n', computer.namespace), ('-n', self.router)
            _ip('netns', 'add', computer.namespace)
            _ip(*here, 'link', 'add', 'lan', 'type', 'veth', 'peer', 'name', name,
                'netns', self.router)  # fmt: skip
            _ip(*here, 'link', 'set', 'lo', 'up')
            length = 24 if routed else 16
            _ip(*here, 'address', 'add', f'{addresses[name]}/{length}', 'dev', 'lan')
            _ip(*here, 'link', 'set', 'lan', 'up')
            _ip(*there, 'link', 'set', name, 'up')
            if routed:
                gateway = addresses[name].removesuffix('1') + '254'
                _ip(*there, 'address', 'add', f'{gateway}/24', 'dev', name)
                _ip(*here, 'route', 'add', 'default', 'via', gateway)
            else:
                _ip(*there, 'link', 'set', name, 'master', 'switch')

    def cable(self, state: str) -> None:
        """Plug it 'up' or 'down'."""
        _ip('-n', self.router, 'link', 'set', 'robot', state)

    def remove(self) -> None:
        for computer in self.computers.values():
            found = subprocess.run(
                ['ip', 'netns', 'pids', computer.namespace], capture_output=True, text=True
            )
            for pid in found.stdout.split():
                os.kill(int(pid), signal.SIGKILL)
            _ip('netns', 'delete', computer.namespace)
        _ip('netns', 'delete', self.router)


def _ip(*arguments: str) -> None:
    subprocess.run(['ip', *arguments], check=True, capture_output=True, text=True)


@pytest.fixture(params=[('lan', False), ('wifi', True)], ids=['lan', 'wifi'])
def network(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Network]:
    profile, routed = request.param
    made = Network(tmp_path, profile, routed=routed)
    yield made
    made.remove()


def wait_for(condition, timeout: float, what: str) -> None:
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f'timeout: {what}'
        time.sleep(0.2)


def test_a_robot_learns_from_another_computer_and_a_lost_link_costs_nothing(network) -> None:
    robot, station = network.computers['robot'], network.computers['station']
    config = Path(index.get_package_share_directory('sac_agent')) / 'config'
    common = [f'steps:={STEPS}', 'run_dir:=run', 'settings:=short.yaml']
    moving = robot.launch('dclaw_valve.launch.py', 'learner:=elsewhere', *common)
    learning = station.launch(
        'learner.launch.py', f'robot:={config / "dclaw_valve.yaml"}', *common
    )
    records = station.home / 'run' / 'metrics.jsonl'
    wait_for(lambda: records.exists() and metrics.read(records, 'episode'), 120, 'an episode')
    network.cable('down')
    time.sleep(AWAY)
    network.cable('up')
    assert learning.wait(timeout=180) == 0, station.log[-3000:] + robot.log[-3000:]
    os.kill(_launcher(robot), signal.SIGINT)
    assert moving.wait(timeout=60) == 0, robot.log[-3000:]
    assert not (robot.home / 'run' / 'replay').exists()  # the robot keeps its journal only
    kept = list(transitions([robot.home / 'run' / 'bags' / 'dclaw']))
    assert [step.sequence for step in kept] == list(range(1, len(kept) + 1))
    last = metrics.read(records, 'training')[-1]
    assert last['steps'] == sum(not step.evaluation for step in kept) == STEPS
    journal = json.loads((robot.home / 'run/bags/dclaw/journal.json').read_text())
    assert journal['durable'] == len(kept)
    assert metrics.read(records, 'evaluation')


def _launcher(computer: Computer) -> int:
    """Return the process of ``ros2 launch``, which ``ip`` and ``unshare`` have become."""
    found = subprocess.run(
        ['ip', 'netns', 'pids', computer.namespace], capture_output=True, text=True, check=True
    )
    for pid in map(int, found.stdout.split()):
        if 'launch' in Path(f'/proc/{pid}/cmdline').read_text().split('\0'):
            return pid
    raise AssertionError(f'nothing is launched any more:\n{computer.log[-3000:]}')
