"""The agent as a process between fakes, in a ROS domain of its own; its journal without it."""

from collections.abc import Callable, Iterator
import os
from pathlib import Path
import signal
import subprocess
import sys
import time
from typing import Any

import pytest
import yaml

from sac_agent.journal import Courier, JournalConfig
from sac_core.bag import Definitions

from .fakes import FakeLearner, FakeRobot
from .journal_records import COMMAND

CONFIG = Path(__file__).resolve().parents[3] / 'config' / 'dclaw_valve.yaml'


class World:
    """Fakes, the agent's process, and waiting for conditions."""

    def __init__(self, directory, node, executor, environment):
        self.directory, self.node = directory, node
        self._executor, self._environment = executor, environment
        self.agent = None
        self.output = directory / 'agent.log'

    def start(self, changes=None, **parameters):
        content = yaml.safe_load(CONFIG.read_text())
        own = content['/**/sac_agent']['ros__parameters']
        for name, value in (changes or {}).items():
            section = own
            *parents, last = name.split('.')
            for parent in parents:
                section = section.setdefault(parent, {})
            section[last] = value
        path = self.directory / 'robot.yaml'
        path.write_text(yaml.safe_dump(content))
        values = {'trigger': 'observation', 'run_dir': str(self.directory / 'run'), **parameters}
        command = [sys.executable, '-m', 'sac_agent.node.sac_agent_node', '--ros-args',
                   '-r', '__ns:=/dclaw', '--params-file', str(path)]  # fmt: skip
        for name, value in values.items():
            command += ['-p', f'{name}:={value}']
        self._log = self.output.open('ab')
        self.agent = subprocess.Popen(
            command, stdout=self._log, stderr=subprocess.STDOUT, env=self._environment
        )
        return self.agent

    def robot(self, lockstep=True):
        return FakeRobot(self.node, lockstep)

    def run(self, lockstep=True, changes=None, **parameters):
        """Start everything; return robot and learner once transitions flow."""
        robot, learner = FakeRobot(self.node, lockstep), FakeLearner(self.node)
        trigger = 'observation' if lockstep else 'timer'
        self.start(changes, trigger=trigger, **parameters)
        self.until(lambda: learner.transitions)
        return robot, learner

    def until(self, condition, timeout=20.0):
        deadline = time.monotonic() + timeout
        while not condition():
            self._executor.spin_once(timeout_sec=0.05)
            assert time.monotonic() < deadline, self.output.read_text()[-3000:]

    def spin(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._executor.spin_once(timeout_sec=0.02)

    def call(self, name, service, request):
        client = self.node.create_client(service, name)
        self.until(client.service_is_ready)
        future = client.call_async(request)
        self.until(future.done)
        return future.result()

    def trigger(self, name):
        from std_srvs.srv import Trigger

        return self.call(f'/dclaw/sac_agent/{name}', Trigger, Trigger.Request())

    def stop(self, number=signal.SIGINT):
        if self.agent is None or self.agent.poll() is not None:
            return None if self.agent is None else self.agent.returncode
        self.agent.send_signal(number)
        deadline = time.monotonic() + 10.0
        while self.agent.poll() is None and time.monotonic() < deadline:
            self._executor.spin_once(timeout_sec=0.02)
        return self.agent.poll()


@pytest.fixture
def world(tmp_path, monkeypatch, ros_domain_id) -> Iterator[World]:
    rclpy = pytest.importorskip('rclpy')
    pytest.importorskip('sac_msgs.msg')
    monkeypatch.setenv('ROS_LOG_DIR', str(tmp_path / 'log'))
    from rclpy.executors import SingleThreadedExecutor

    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node('fakes', context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    environment = {**os.environ, 'PYTHONUNBUFFERED': '1', 'OMP_NUM_THREADS': '1'}
    world = World(tmp_path, node, executor, environment)
    yield world
    if world.agent is not None and world.agent.poll() is None:
        world.agent.kill()
        world.agent.wait()
    executor.shutdown()
    node.destroy_node()
    rclpy.shutdown(context=context)


@pytest.fixture(scope='session')
def definitions() -> Definitions:
    return Definitions({'sac_msgs': Path(__file__).resolve().parents[2] / 'sac_msgs' / 'msg'})


@pytest.fixture
def start_courier(tmp_path: Path, definitions: Definitions) -> Iterator[Callable[..., Courier]]:
    started = []

    def begin(publish: Callable[[bytes], None] = lambda payload: None, **config: Any) -> Courier:
        started.append(
            Courier(
                tmp_path / 'robot',
                'robot',
                publish,
                JournalConfig(**config),
                definitions=definitions,
            )
        )
        started[-1].add_topic('/joint_command', COMMAND)
        return started[-1]

    yield begin
    for courier in started:
        courier.close()
