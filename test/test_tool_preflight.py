"""``preflight`` names the cause of every injected fault, and passes a healthy robot."""
# ruff: noqa: E402  (without ROS these tests are skipped)

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
import io
from pathlib import Path
import threading
import time
from typing import Any

import pytest

rclpy = pytest.importorskip('rclpy')
pytest.importorskip('sac_msgs')

import numpy as np
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64, Float64MultiArray

from sac_agent.tools import checks, preflight

FILE = """
/**/sac_agent:
  ros__parameters:
    task: test_tool_preflight_task:Still
    control_rate: 20.0
    sensors:
      joints:
        topic: joint_states
        type: sensor_msgs/msg/JointState
        names: [a, b]
        reliable: {reliable}
    observation:
      fields:
        position:
          source: joints.position
    actions:
      arm:
        topic: command
        type: std_msgs/msg/Float64MultiArray
        names: [a, b]
        low: [-1.0, -1.0]
        high: [1.0, 1.0]
        state: joints.position
    episode:
      reset_service: ''
"""

TASK = """
import numpy as np
from sac_agent.tasks.task import Task

class Still(Task):
    def reward(self, before, action, after, history):
        return np.zeros(1)
"""


@dataclass
class Fault:
    """How the robot differs from a healthy one."""

    rate: float = 50.0
    publish: bool = True
    type_name: str = 'JointState'
    names: tuple[str, ...] = ('a', 'b')
    stamp: Callable[[int], int] = lambda now: now
    values: Callable[[np.ndarray], np.ndarray] = lambda position: position
    best_effort: bool = False
    subscribe: bool = True
    command_type: Any = Float64MultiArray
    second_commander: bool = False
    start: tuple[float, float] = (0.1, 0.2)
    move: Callable[[np.ndarray], np.ndarray] = lambda change: change
    speak: bool = True
    delay: float = 0.0
    extra: dict[str, Any] = field(default_factory=dict)


class FakeRobot:
    """Two joints that follow their targets."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault
        self._context = Context()
        rclpy.init(context=self._context)
        self._node = Node('fake_robot', context=self._context)
        self._position = np.array(fault.start)
        self._home = np.array(fault.start)
        self._target = np.array(fault.start)
        self._pending: list[tuple[float, np.ndarray]] = []
        reliability = (
            ReliabilityPolicy.BEST_EFFORT if fault.best_effort else ReliabilityPolicy.RELIABLE
        )
        kind = JointState if fault.type_name == 'JointState' else Float64
        if fault.publish:
            self._publisher = self._node.create_publisher(
                kind, 'joint_states', QoSProfile(depth=5, reliability=reliability)
            )
            if fault.speak:
                self._node.create_timer(1.0 / fault.rate, self._tell)
        if fault.subscribe:
            self._node.create_subscription(fault.command_type, 'command', self._take, 1)
        if fault.second_commander:
            self._node.create_publisher(Float64MultiArray, 'command', 1)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._context.try_shutdown()
        self._thread.join(5.0)

    def _spin(self) -> None:
        while self._context.ok():
            try:
                self._executor.spin_once(timeout_sec=0.1)
            except Exception:  # the context ends under it
                return

    def _take(self, message: Any) -> None:
        self._pending.append((time.monotonic() + self._fault.delay, np.array(message.data)))

    def _tell(self) -> None:
        while self._pending and self._pending[0][0] <= time.monotonic():
            self._target = self._home + self._fault.move(self._pending.pop(0)[1] - self._home)
        self._position += 0.5 * (self._target - self._position)
        if self._fault.type_name != 'JointState':
            self._publisher.publish(Float64())
            return
        message = JointState(name=list(self._fault.names))
        message.position = self._fault.values(self._position.copy()).tolist()
        message.velocity = [0.0] * len(self._fault.names)
        stamp = self._fault.stamp(time.time_ns())
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp, 10**9)
        self._publisher.publish(message)


@pytest.fixture
def examine(tmp_path: Path, monkeypatch) -> Iterator[Callable[..., tuple[int, str]]]:
    robots = []
    (tmp_path / 'test_tool_preflight_task.py').write_text(TASK)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(preflight, 'DISCOVERY', 3.0)
    monkeypatch.setattr(preflight, 'NUDGE_TIME', 0.5)

    def run(fault: Fault, *arguments: str, reliable: bool = False) -> tuple[int, str]:
        robots.append(FakeRobot(fault))
        path = tmp_path / 'robot.yaml'
        path.write_text(FILE.format(reliable=str(reliable).lower()))
        output = io.StringIO()
        code = preflight.main([str(path), '--duration', '0.7', *arguments], output)
        return code, output.getvalue()

    yield run
    for robot in robots:
        robot.close()


def nan(position: np.ndarray) -> np.ndarray:
    position[1] = np.nan
    return position


FAULTS = {
    'topic-missing': Fault(publish=False),
    'type': Fault(type_name='Float64'),
    'silent': Fault(speak=False),
    'rate': Fault(rate=5.0),
    'content: joint_states: joints: JointState lacks b': Fault(names=('a', 'c')),
    'content: joint_states: joints: values are not finite': Fault(values=nan),
    'stamp-zero': Fault(stamp=lambda now: 0),
    'clock-offset': Fault(stamp=lambda now: now - 100 * 10**9),
    'clock-offset: joint_states is stamped 0.5': Fault(stamp=lambda now: now + 510_000_000),
    'latency': Fault(stamp=lambda now: now - 200_000_000),
    'command-missing': Fault(subscribe=False),
    'command-type': Fault(command_type=Float64),
    'command-conflict: fake_robot': Fault(second_commander=True),
    'limit: b stands at 1.500': Fault(start=(0.1, 1.5)),
}

MOTION_FAULTS = {
    'sign: a': Fault(move=lambda change: -change),
    'no-motion: a': Fault(move=lambda change: 0 * change),
    'joint-swapped: a was commanded, b moved': Fault(move=lambda change: change[::-1].copy()),
    'gain: a': Fault(move=lambda change: 5 * change),
    'latency: a began to move': Fault(delay=0.3),
}


@pytest.mark.parametrize('cause', FAULTS)
def test_a_fault_that_shows_at_rest_is_named(examine, cause: str) -> None:
    code, text = examine(FAULTS[cause], '--yes')
    assert code == 1, text
    assert cause in text
    assert 'joints are not moved, as something is wrong already' in text


@pytest.mark.parametrize('cause', MOTION_FAULTS)
def test_a_fault_that_shows_in_motion_is_named(examine, cause: str) -> None:
    code, text = examine(MOTION_FAULTS[cause], '--yes')
    assert code == 1, text
    assert cause in text


def test_best_effort_where_reliable_is_asked_for_is_named(examine) -> None:
    code, text = examine(Fault(best_effort=True), '--yes', reliable=True)
    assert (code, 'qos: joint_states' in text) == (1, True), text


def test_a_disk_too_small_for_the_run_is_named(examine) -> None:
    code, text = examine(Fault(), '--hours', '1e9')
    assert (code, 'disk: 1e+09 h record about' in text) == (1, True), text


def test_a_memory_too_small_for_the_replay_is_named(examine) -> None:
    code, text = examine(Fault(), '--capacity', str(10**12))
    assert (code, 'memory: a full replay takes about' in text) == (1, True), text


def test_a_healthy_robot_passes_after_its_joints_moved(examine) -> None:
    code, text = examine(Fault(), '--yes')
    assert (code, text) == (0, 'no problem found\n')


def test_nothing_moves_without_consent(examine, monkeypatch) -> None:
    monkeypatch.setattr('sys.stdin', io.StringIO('no\n'))
    code, text = examine(Fault(move=lambda change: -change))
    assert code == 0
    assert 'Is everybody clear of the robot? [y/N] joints are not moved' in text


def test_a_wrong_file_is_a_usage_error(tmp_path, capsys) -> None:
    path = tmp_path / 'robot.yaml'
    path.write_text('/**/sac_agent:\n  ros__parameters:\n    tusk: 1\n')
    assert preflight.main([str(path)]) == 2
    assert 'tusk: unknown key' in capsys.readouterr().err


def test_a_command_topic_with_its_listener_is_fine() -> None:
    problems = checks.check_command_topic('command', 'a/msg/B', ['a/B'], [])
    assert not problems
