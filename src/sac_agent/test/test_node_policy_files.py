"""The agent node as a process, and the policies it finds on the disk."""

import io
import json
from pathlib import Path

import numpy as np
import pytest

from sac_agent.config import from_file
from sac_agent.pilot import Pilot
from sac_agent.tools import verify_bag
from sac_core.policy_format import Architecture, layout, load_policy, save_policy

CONFIG = Path(__file__).resolve().parents[3] / 'config' / 'dclaw_valve.yaml'


def save_zeros(path):
    """Write a policy of zeros that fits the robot."""
    spec = Pilot(from_file(CONFIG), now=0.0).spec
    architecture = Architecture(spec.observation.vector_size, spec.action_size, hidden=(16,))
    arrays = {n: np.zeros(s) for n, s in layout(architecture)}
    arrays['observation.std'] += 1.0
    save_policy(path, arrays, architecture)


def test_a_killed_agent_goes_on_with_its_policy_while_no_learner_is_there(world):
    changes = {'warmup.steps': 5, 'timing.stale_timeout': 10.0}
    _robot, learner = world.run(lockstep=False, changes=changes)
    for version in (1, 2):
        learner.publish_policy()
        world.until(lambda v=version: learner.transitions[-1].policy_version == v)
    path = world.directory / 'run' / 'agents' / 'dclaw' / 'policy.safetensors'
    world.until(lambda: path.exists() and load_policy(path)[2]['version'] == '2')
    learner.leave()
    world.agent.kill()
    world.agent.wait()
    world.spin(0.3)
    episode = learner.transitions[-1].episode

    world.start(changes, trigger='timer')
    world.until(lambda: learner.transitions[-1].episode > episode)
    world.spin(1.0)
    later = [t for t in learner.transitions if t.episode > episode]
    assert later[0].step == 0
    assert {(t.policy_version, t.source) for t in later} == {(2, 0)}
    assert 'goes on with policy 2' in world.output.read_text()

    learner.come_back()
    learner.publish_policy(learner_id='anew')
    world.until(lambda: learner.transitions[-1].policy_version == 1)
    assert world.stop() == 0
    segments = sorted((world.directory / 'run' / 'bags' / 'dclaw').glob('*.mcap'))
    for bags in ([segments[0].parent], segments[-1:]):
        output = io.StringIO()
        assert verify_bag.main([f'--bag={bag}' for bag in bags], output) == 0, output.getvalue()


@pytest.mark.parametrize(
    ('content', 'text'), [(b'rubbish', 'is no policy file'), (None, 'was kept by no agent')]
)
def test_a_policy_that_the_agent_did_not_keep_is_refused_and_it_begins_at_random(
    world, content, text
):
    path = world.directory / 'run' / 'agents' / 'dclaw' / 'policy.safetensors'
    path.parent.mkdir(parents=True)
    if content is None:
        save_zeros(path)
    else:
        path.write_bytes(content)
    _robot, learner = world.run(changes={'warmup.steps': 0})
    assert learner.transitions[0].source == 1
    output = world.output.read_text()
    assert 'the policy in the run directory is not used' in output
    assert text in output


def test_a_policy_file_is_evaluated_and_the_node_ends(world):
    save_zeros(world.directory / 'policy.safetensors')
    robot = world.robot()
    world.start(
        {'episode.time_limit': 10},
        policy_file=world.directory / 'policy.safetensors', evaluation_episodes=2,
    )  # fmt: skip
    world.until(lambda: world.agent.poll() is not None)
    assert world.agent.returncode == 0
    assert len(robot.commands) >= 20
    assert 'evaluation at step 0: success 0 % of 2' in world.output.read_text()
    result = json.loads((world.directory / 'run' / 'evaluation.json').read_text())
    assert result['episodes'] == 2
    assert not (world.directory / 'run' / 'agents' / 'dclaw' / 'policy.safetensors').exists()
