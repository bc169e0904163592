"""What the journal holds besides transitions."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip('rclpy')

from rclpy.serialization import deserialize_message
from sac_msgs.msg import JointCommand, PolicyWeights

from sac_agent.config import from_file
from sac_agent.journal import JournalConfig
from sac_agent.node.recording import HELD, Recording

CONFIG = Path(__file__).resolve().parents[3] / 'config' / 'dclaw_valve.yaml'
COMMAND = 'sac_msgs/msg/JointCommand'


class Sender:
    """Keeps what it is given."""

    def __init__(self):
        self.topics, self.recorded = {}, []

    def add_topic(self, name, type_name, *, latched=False):
        self.topics[name] = type_name

    def record(self, topic, payload):
        self.recorded.append((topic, payload))


@pytest.fixture
def make():
    def recording(**options):
        config = replace(from_file(CONFIG), journal=JournalConfig(**options))
        sender = Sender()
        subscribed = []
        node = SimpleNamespace(
            resolve_topic_name=lambda topic: f'/claw/{topic}',
            create_subscription=lambda kind, topic, callback, qos, raw: subscribed.append(
                (topic, callback, raw)
            ),
        )
        return Recording(node, config, sender), sender, subscribed

    return recording


def versions(sender):
    return [deserialize_message(data, PolicyWeights).version for _, data in sender.recorded]


def test_weights_are_recorded_once_and_only_if_they_act(make):
    recording, sender, _ = make()
    for version in (1, 2, 3):
        recording.offered(PolicyWeights(learner_id='a', version=version))
    for version in (0, 2, 2, 3):
        recording.acting(version)
    assert versions(sender) == [2, 3]


def test_a_version_that_comes_again_from_another_learner_is_recorded_again(make):
    recording, sender, _ = make()
    for learner in ('a', 'b'):
        recording.offered(PolicyWeights(learner_id=learner, version=1))
        recording.acting(1)
    assert versions(sender) == [1, 1]


def test_the_average_that_comes_later_is_recorded(make):
    recording, sender, _ = make()
    for averaged in (b'', b'', b'mean'):
        recording.offered(PolicyWeights(learner_id='a', version=1, averaged=averaged))
        recording.acting(1)
    assert versions(sender) == [1, 1]


def test_weights_that_never_act_take_bounded_memory(make):
    recording, _, _ = make()
    for version in range(10 * HELD):
        recording.offered(PolicyWeights(version=version))
    assert len(recording._held) == HELD


@pytest.mark.parametrize('asked', [True, False])
def test_options_decide_what_is_recorded(make, asked):
    recording, sender, subscribed = make(weights=asked, commands=asked, sensors=asked)
    recording.offered(PolicyWeights(version=1))
    recording.acting(1)
    recording.command('/claw/joint_command', COMMAND, JointCommand())
    recording.record_sensors(lambda name: name)
    topics = [topic for topic, _ in sender.recorded]
    assert topics == (['/policy', '/claw/joint_command'] if asked else [])
    assert [(topic, raw) for topic, _, raw in subscribed] == (
        [('joint_states', True)] if asked else []
    )
    if asked:
        subscribed[0][1](b'bytes')
        assert sender.recorded[-1] == ('/claw/joint_states', b'bytes')
        assert sender.topics['/claw/joint_states'] == 'sensor_msgs/msg/JointState'
