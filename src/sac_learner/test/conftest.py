"""A robot small enough to learn from in a test."""

from array import array
from types import SimpleNamespace

import numpy as np
import pytest
from sac_msgs.msg import Observation, Transition

from sac_core.spec import AgentSpec, ObservationSpec
from sac_learner.sac.config import SacConfig

SPEC = AgentSpec(
    agent_id='claw',
    stream_id='s1',
    task='t',
    control_period=0.1,
    observation=ObservationSpec(names=('x', 'y')),
    action_names=('a',),
)
CONFIG = SacConfig(
    batch_size=16,
    replay_capacity=5000,
    learning_starts=50,
    actor_hidden=(16, 16),
    critic_hidden=(16, 16),
)


def transitions(count, start=0):
    """Return messages of episodes of ten steps, the same for the same numbers."""
    messages = []
    for i in range(start, start + count):
        rng = np.random.default_rng(i)
        here = np.random.default_rng([i, 1]).normal(size=2)
        there = np.random.default_rng([i + 1, 1]).normal(size=2)
        messages.append(
            Transition(
                agent_id='claw',
                stream_id='s1',
                sequence=i + 1,
                segment_start=i % 10 == 0,
                observation=Observation(vector=array('f', here)),
                next_observation=Observation(vector=array('f', there)),
                action=array('f', rng.uniform(-1, 1, 1)),
                reward=float(rng.normal()),
                truncated=i % 10 == 9,
            )
        )
    return messages


@pytest.fixture
def small():
    """Return spec and config of the robot, and what makes its transitions."""
    return SimpleNamespace(spec=SPEC, config=CONFIG, transitions=transitions)
