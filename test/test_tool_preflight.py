"""``preflight`` names the cause of every injected fault, and passes a healthy robot."""

from collections.abc import Callable, Iterator
import io
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
pytest.importorskip('sac_msgs')

import numpy as np
from sensor_msgs.msg import Image
from std_msgs.msg import Float64, Header

from sac_agent.tools import checks, nudge, preflight

from .preflight_robot import FakeRobot, Fault

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
        reliable: {reliable}{sensors}
    observation:
      fields:
        position:
          source: joints.position
    actions:
      arm:
        topic: command
        mode: {mode}
        type: std_msgs/msg/Float64MultiArray
        names: [a, b]
        low: [-1.0, -1.0]
        high: [1.0, 1.0]
    episode:
      reset_service: '{reset}'
      reset_type: std_srvs/srv/Trigger
{more}
"""

CAMERA = """
      camera:
        topic: camera
        type: {type}"""


TASK = """
import numpy as np
from sac_agent.tasks.task import Task

class Still(Task):
    def reward(self, before, action, after, history):
        return np.zeros(1)
"""


@pytest.fixture
def examine(tmp_path: Path, monkeypatch) -> Iterator[Callable[..., tuple[int, str]]]:
    robots = []
    (tmp_path / 'test_tool_preflight_task.py').write_text(TASK)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(preflight, 'DISCOVERY', 3.0)
    monkeypatch.setattr(nudge, 'LONG', 0.5)

    def run(
        fault: Fault,
        *arguments: str,
        reliable: bool = False,
        reset: str = '',
        sensors: str = '',
        more: str = '',
    ) -> tuple[int, str]:
        robots.append(FakeRobot(fault))
        path = tmp_path / 'robot.yaml'
        path.write_text(
            FILE.format(
                reliable=str(reliable).lower(),
                mode=fault.mode,
                reset=reset,
                sensors=sensors,
                more=more,
            )
        )
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


PUSHED = {
    'sign: a was pushed up and moved': Fault(mode='effort', move=lambda effort: -9 * effort),
    'joint-swapped: a was pushed, b moved': Fault(
        mode='effort', move=lambda effort: 9 * effort[::-1].copy()
    ),
    'sign: b was asked to move by': Fault(
        mode='velocity', move=lambda speed: speed * np.array([1.0, -1.0])
    ),
    'gain: a was asked to move by': Fault(mode='velocity', move=lambda speed: 60 * speed),
    'no-motion: a': Fault(mode='velocity', move=lambda speed: 0 * speed),
}


@pytest.mark.parametrize('cause', PUSHED)
def test_joints_with_speeds_and_efforts_are_tried_as_well(examine, cause: str) -> None:
    code, text = examine(PUSHED[cause], '--yes')
    assert code == 1, text
    assert cause in text


@pytest.mark.parametrize(('mode', 'gain'), [('velocity', 1.0), ('effort', 9.0)])
def test_a_healthy_robot_passes_in_every_mode(examine, mode: str, gain: float) -> None:
    code, text = examine(Fault(mode=mode, move=lambda command: gain * command), '--yes')
    assert (code, text) == (0, 'no problem found\n')


def stamped(nanoseconds: int) -> Header:
    header = Header()
    header.stamp.sec, header.stamp.nanosec = divmod(nanoseconds, 10**9)
    return header


def image(now: int, encoding: str = 'mono8', age: int = 0) -> Image:
    made = Image(header=stamped(now - age), height=2, width=2, step=2, encoding=encoding)
    made.data = [0, 1, 2, 3]
    return made


IMAGE = CAMERA.format(type='sensor_msgs/msg/Image')


def test_an_image_that_cannot_be_read_is_named(examine) -> None:
    fault = Fault(second=lambda now: image(now, encoding='yuv422'))
    code, text = examine(fault, sensors=IMAGE)
    assert (code, 'content: camera: image encoding must be one of' in text) == (1, True), text


def test_sensors_that_never_belong_together_are_named(examine) -> None:
    half_a_period_apart = Fault(second=lambda now: image(now, age=10_000_000))
    slop = '    timing: {{slop: {}}}'
    code, text = examine(half_a_period_apart, sensors=IMAGE, more=slop.format(0.001))
    assert (code, 'sets: camera, joints come within 0.001 s of each other' in text) == (1, True)
    code, text = examine(half_a_period_apart, '--no-motion', sensors=IMAGE, more=slop.format(0.06))
    assert (code, 'no problem found' in text) == (0, True), text


def test_a_reset_service_that_is_not_there_or_of_another_type_is_named(examine) -> None:
    code, text = examine(Fault(), reset='missing')
    assert (code, 'service-missing: nobody offers /missing' in text) == (1, True), text
    code, text = examine(Fault(), reset='wrong')
    expected = 'service-type: /wrong is a std_srvs/srv/SetBool, the file says std_srvs/srv/Trigger'
    assert (code, expected in text) == (1, True), text


def test_the_memory_is_that_of_the_replay_in_the_file(examine, tmp_path: Path) -> None:
    other = tmp_path / 'large.yaml'
    other.write_text('/**/sac_learner: {ros__parameters: {replay_capacity: 1000000000000}}')
    code, text = examine(Fault(), str(other))
    assert (code, 'memory: a full replay' in text) == (1, True), text


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
    assert text == (
        'a, b: each moves by 3 % of its range and back.\n'
        'Is everybody clear of the robot? [y/N] joints are not moved\n'
        'no problem found\n'
    )


def test_a_wrong_file_is_a_usage_error(tmp_path, capsys) -> None:
    path = tmp_path / 'robot.yaml'
    path.write_text('/**/sac_agent:\n  ros__parameters:\n    tusk: 1\n')
    assert preflight.main([str(path)]) == 2
    assert 'tusk: unknown key' in capsys.readouterr().err


def test_a_command_topic_with_its_listener_is_fine() -> None:
    problems = checks.check_command_topic('command', 'a/msg/B', ['a/B'], [])
    assert not problems
