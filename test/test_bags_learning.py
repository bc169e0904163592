"""A bag played into a learner gives the replay it would have given online; new labels reach it."""
# ruff: noqa: E402  (without ROS these tests are skipped)

import os
from pathlib import Path
import shutil
import signal
import subprocess
import time

import pytest

rclpy = pytest.importorskip('rclpy')
sac_msgs = pytest.importorskip('sac_msgs.msg')

import numpy as np
from rclpy.node import Node
from rclpy.serialization import serialize_message
from sac_msgs.srv import RelabelReplay

from sac_core.bag import BagWriter
from sac_core.bag.transitions import AGENT_SPEC, TRANSITION
from sac_core.convert import floats32, spec_to_msg
from sac_core.spec import AgentSpec, ObservationSpec
from sac_learner.intake import bags
from sac_learner.intake.intake import Intake
from sac_learner.replay import Replay

pytestmark = pytest.mark.slow
COUNT = 600
SPEC = AgentSpec('claw', 's1', 't', 0.1, ObservationSpec(('x', 'y')), ('a',))


def write(path: Path, reward: float) -> Path:
    """Write a bag of episodes of ten steps, two of them of evaluation."""
    rng = np.random.default_rng(0)
    seen = rng.normal(size=(COUNT + 1, 2))
    with BagWriter(path) as writer:
        writer.add_topic('/agent_spec', AGENT_SPEC, latched=True)
        writer.add_topic('/transition', TRANSITION)
        data = writer.definitions.canonical(serialize_message(spec_to_msg(SPEC)), AGENT_SPEC)
        writer.write('/agent_spec', 0, data)
        for i in range(COUNT):
            message = sac_msgs.Transition(
                agent_id='claw',
                stream_id='s1',
                sequence=i + 1,
                segment_start=i % 10 == 0,
                action=floats32(rng.uniform(-1.0, 1.0, 1)),
                reward=reward,
                truncated=i % 10 == 9,
                evaluation=20 <= i < 40,
            )
            message.observation.vector = floats32(seen[i])
            message.next_observation.vector = floats32(seen[i + 1])
            data = writer.definitions.canonical(serialize_message(message), TRANSITION)
            writer.write('/transition', 1 + i * 2_000_000, data)
    return path


@pytest.fixture
def learner(tmp_path):
    """A learner as its own process, and its run directory."""
    run_dir = tmp_path / 'run'
    parameters = {'run_dir': run_dir, 'tensorboard': 'false', 'updates_per_step': '0.0'}
    arguments = [part for k, v in parameters.items() for part in ('-p', f'{k}:={v}')]
    process = subprocess.Popen(
        ['ros2', 'run', 'sac_learner', 'sac_learner', '--ros-args', *arguments],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, 'CI': 'true'},
    )
    yield process, run_dir
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


def wait_for(condition, timeout, what):
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f'timeout: {what}'
        time.sleep(0.1)


@pytest.mark.skipif(shutil.which('ros2') is None, reason='ros2 is not on the PATH')
def test_played_bag_gives_the_replay_of_the_online_run_and_takes_new_labels(tmp_path, learner):
    process, run_dir = learner
    bag, better = write(tmp_path / 'bag', -1.0), write(tmp_path / 'better', 2.0)
    with rclpy.init(args=[]):
        node = Node('test_bags_learning')
        heard = []
        node.create_subscription(sac_msgs.LearnerStatus, 'learner_status', heard.append, 10)

        def has(count):
            rclpy.spin_once(node, timeout_sec=0.1)
            return heard and heard[-1].transitions >= count

        wait_for(lambda: has(0), 60.0, 'learner')
        play = ['ros2', 'bag', 'play', '--delay', '5', str(bag)]
        subprocess.run(play, stdin=subprocess.DEVNULL, timeout=120, check=True)
        wait_for(lambda: has(COUNT - 20), 40.0, 'all transitions')
        client = node.create_client(RelabelReplay, 'sac_learner/relabel')
        assert client.wait_for_service(30.0)
        for path, good in ((tmp_path / 'nowhere', False), (better, True)):
            answer = client.call_async(RelabelReplay.Request(bags=[str(path)]))
            rclpy.spin_until_future_complete(node, answer, timeout_sec=60.0)
            assert answer.result().success == good, answer.result()
        assert answer.result().relabelled == COUNT - 20
        node.destroy_node()
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(60.0) == 0
    online = Replay(tmp_path / 'online', 1_000_000, 2, None, 1)
    bags.pour([better], Intake(online), None)
    assert Replay.open(run_dir / 'replay').transitions_hash() == online.transitions_hash()
