"""A journal, played and recorded by ``ros2 bag``, gives back every message."""
# ruff: noqa: E402  (without ROS these tests are skipped)

from collections.abc import Iterator
import os
from pathlib import Path
import shutil
import signal
import subprocess
import time

import pytest

rclpy = pytest.importorskip('rclpy')
sac_msgs = pytest.importorskip('sac_msgs.msg')

from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message, serialize_message

from sac_agent.journal import Courier, JournalConfig
from sac_core import qos
from sac_core.bag import BagReader, Definitions
from sac_core.bag.transitions import key, TRANSITION, transitions

COUNT = 200


@pytest.fixture(autouse=True)
def ros2() -> str:
    found = shutil.which('ros2')
    if found is None:
        pytest.skip('ros2 is not on the PATH')
    return found


@pytest.fixture
def node() -> Iterator[Node]:
    with rclpy.init(args=[]):
        made = Node('test_bags_play')
        yield made
        made.destroy_node()


def message(stream_id: str, number: int) -> sac_msgs.Transition:
    made = sac_msgs.Transition(
        agent_id='robot',
        stream_id=stream_id,
        sequence=number,
        step=number,
        action=[0.1 * number, -0.5],
        clipped=[True, False],
        command=[1.0, 2.0, 3.0],
        reward=-1.0 / number,
        terminated=number == COUNT,
    )
    made.observation.vector = [float(number)] * 7
    made.observation.image = [number % 256] * 5
    made.next_observation.sensors = [0.25 * number] * 3
    return made


def journal(bag: Path, storage: str) -> list[bytes]:
    """Record messages as the agent does and return their canonical bytes."""
    definitions = Definitions()
    courier = Courier(bag, 'robot', lambda data: None, JournalConfig(storage=storage))
    payloads = []
    for number in range(1, COUNT + 1):
        payload = serialize_message(message(courier.stream_id, number))
        courier.transition(payload)
        payloads.append(definitions.canonical(payload, TRANSITION))
        if number == COUNT // 2:
            courier.record('/agent_spec', serialize_message(sac_msgs.AgentSpec(agent_id='robot')))
        time.sleep(0.001)
    courier.close()
    return payloads


def canonical(payloads: list[bytes]) -> list[bytes]:
    """Return them without the up to three bytes that the wire appends."""
    definitions = Definitions()
    assert all(len(data) % 4 == 0 for data in payloads)
    return [definitions.canonical(bytes(data), TRANSITION) for data in payloads]


def spin(node: Node, condition, timeout: float) -> None:
    end = time.monotonic() + timeout
    while not condition() and time.monotonic() < end:
        rclpy.spin_once(node, timeout_sec=0.1)


def test_recorded_bytes_are_canonical_and_rclpy_reads_them(tmp_path) -> None:
    payloads = journal(tmp_path / 'robot', 'mcap')
    reader = BagReader(tmp_path / 'robot')
    for raw in reader.messages({'/transition'}):
        again = reader.definitions.encode(reader.decode(raw), TRANSITION)
        assert again == raw.data == payloads[key(raw.data).sequence - 1]
        assert deserialize_message(again, sac_msgs.Transition).sequence == key(again).sequence


def test_numpy_messages_equal_those_of_rclpy(tmp_path) -> None:
    journal(tmp_path / 'robot', 'mcap')
    for number, found in enumerate(transitions(tmp_path / 'robot'), start=1):
        expected = message(found.stream_id, number)
        assert found.reward == expected.reward
        assert found.action.tolist() == list(expected.action)
        assert found.clipped.tolist() == list(expected.clipped)
        assert found.observation.image.tolist() == list(expected.observation.image)
        assert found.next_observation.sensors.tolist() == list(expected.next_observation.sensors)


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_a_journal_is_played_message_for_message(tmp_path, node, ros2, storage) -> None:
    payloads = journal(tmp_path / 'robot', storage)
    heard: list[bytes] = []
    specs: list[bytes] = []
    profile = QoSProfile(depth=1000)
    node.create_subscription(sac_msgs.Transition, '/transition', heard.append, profile, raw=True)
    node.create_subscription(
        sac_msgs.AgentSpec, '/agent_spec', specs.append, qos.LATCHED_SPECS, raw=True
    )
    # Discovery on one computer takes seconds now and then, and what is played before is lost.
    player = subprocess.Popen(
        [ros2, 'bag', 'play', '--delay', '5', str(tmp_path / 'robot')], stdin=subprocess.DEVNULL
    )
    spin(node, lambda: player.poll() is not None, 40.0)
    spin(node, lambda: len(heard) == COUNT, 2.0)
    assert player.wait(10.0) == 0
    assert canonical(heard) == payloads
    assert len(specs) == 1


def test_a_recording_of_the_sent_bytes_equals_the_journal(tmp_path, node, ros2) -> None:
    publisher = node.create_publisher(sac_msgs.Transition, '/transition', qos.EXPERIENCE)
    recorder = subprocess.Popen(
        [ros2, 'bag', 'record', '-o', str(tmp_path / 'recorded'), '/transition'],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, 'PYTHONUNBUFFERED': '1'},
    )
    try:
        spin(node, lambda: publisher.get_subscription_count() > 0, 20.0)
        courier = Courier(
            tmp_path / 'robot', 'robot', publisher.publish, JournalConfig(resend_after=60.0)
        )
        for number in range(1, COUNT + 1):
            courier.transition(serialize_message(message(courier.stream_id, number)))
            time.sleep(0.002)
        publisher.wait_for_all_acked(rclpy.duration.Duration(seconds=10))
        time.sleep(0.5)
        courier.close()
    finally:
        recorder.send_signal(signal.SIGINT)
        assert recorder.wait(20.0) == 0
    recorded = canonical([m.data for m in BagReader(tmp_path / 'recorded').messages()])
    journalled = [m.data for m in BagReader(tmp_path / 'robot').messages({'/transition'})]
    assert recorded == journalled
    assert len(journalled) == COUNT


def test_info_lists_topics_and_counts(tmp_path, ros2) -> None:
    journal(tmp_path / 'robot', 'mcap')
    told = subprocess.run(
        [ros2, 'bag', 'info', str(tmp_path / 'robot')],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert f'Topic: /transition | Type: {TRANSITION} | Count: {COUNT}' in told.stdout
