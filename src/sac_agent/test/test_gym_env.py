"""Task and twin in one process: the same numbers as through the node."""

from pathlib import Path
import sys
from types import ModuleType

import numpy as np
import pytest

from sac_agent.config import from_file
from sac_agent.episode.machine import Event
from sac_agent.errors import ConfigError
from sac_agent.pilot import Pilot
from sac_agent.records import Sample

gymnasium = pytest.importorskip('gymnasium')

CONFIG = Path(__file__).resolve().parents[3] / 'config' / 'dclaw_valve.yaml'
JOINTS = ('FFJ10', 'FFJ11', 'FFJ12', 'MFJ20', 'MFJ21', 'MFJ22', 'THJ30', 'THJ31', 'THJ32')


class FakeTwin:
    """Nine joints that follow at once, and a valve that the first of them turns."""

    joint_names = ('valve_joint', *JOINTS)
    command_names = tuple(reversed(JOINTS))

    def __init__(self):
        self.position = np.zeros(10)

    def reset(self, goal):
        self.position[:] = 0.0
        self.position[0] = goal['valve_joint']

    def step(self, command):
        self.position[1:] = command[::-1]
        self.position[0] += 0.1 * self.position[1]

    def sensors(self):
        return {'joint_states.position': self.position.copy(),
                'joint_states.velocity': np.zeros(10)}  # fmt: skip


@pytest.fixture
def twin(monkeypatch):
    module = ModuleType('fake_twin_for_tests')
    module.FakeTwin = FakeTwin
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return f'{module.__name__}:FakeTwin'


@pytest.fixture
def env(twin):
    from sac_agent.gym_env import TwinEnv

    return TwinEnv(CONFIG, twin)


def test_it_keeps_the_contract_of_gymnasium(env):
    from gymnasium.utils.env_checker import check_env

    check_env(env, skip_render_check=True)


def test_an_episode_is_truncated_and_tells_its_metrics(env):
    env.reset(seed=0)
    for _ in range(99):
        *_, terminated, truncated, info = env.step(env.action_space.sample())
        assert not terminated
        assert not truncated
    *_, terminated, truncated, info = env.step(env.action_space.sample())
    assert truncated
    assert not terminated
    assert info['is_success'] in (True, False)
    assert info['median_distance'] > 0


def test_the_node_and_gymnasium_agree_on_every_number(env):
    pilot = Pilot(from_file(CONFIG), now=0.0)
    pilot.machine.on(Event.READY, 0.0)
    pilot.machine.on(Event.RESET_DONE, 0.0)
    robot, goal = FakeTwin(), {'valve_joint': 1.0}

    def sample(step):
        sensors = robot.sensors()
        position = dict(zip(robot.joint_names, sensors['joint_states.position'], strict=True))
        raw = [
            position[name.split('[')[1][:-1]] if 'position' in name else 0.0
            for name in pilot.layout.names
        ]
        return Sample(step, 0.0, np.array(raw))

    robot.reset(goal)
    pilot.next_goal()
    pilot.begin(sample(0))
    observation, _ = env.reset(options={'goal': goal})
    for step in range(1, 30):
        command = pilot.act()
        named = dict(zip(pilot.mapper.command_names, command.flat, strict=True))
        robot.step(np.array([named[name] for name in robot.command_names]))
        record = pilot.observe(sample(step)).record
        np.testing.assert_array_equal(record.observation.vector, observation)
        observation, reward, *_ = env.step(record.sampled_action)
        np.testing.assert_allclose(record.next_observation.vector, observation, atol=1e-6)
        assert reward == pytest.approx(record.reward, abs=1e-6)
        observation = record.next_observation.vector


def test_a_twin_that_lacks_a_sensor_is_refused(twin, monkeypatch):
    from sac_agent.gym_env import TwinEnv

    monkeypatch.setattr(FakeTwin, 'sensors', lambda self: {'imu.orientation': np.zeros(4)})
    with pytest.raises(ConfigError, match=r"gives no 'joint_states\.position', only imu"):
        TwinEnv(CONFIG, twin).reset()


def test_environments_are_registered_once():
    from sac_agent import gym_env

    gym_env.register()
    gym_env.register()
    assert set(gym_env.ENVIRONMENTS) <= set(gymnasium.registry)


@pytest.mark.slow
@pytest.mark.parametrize('name', ['DclawValve', 'DclawValveImage', 'MinitaurWalk', 'SawyerStack'])
def test_shipped_environments_run(name):
    pytest.importorskip('mujoco')
    from sac_agent import gym_env

    gym_env.register()
    env = gymnasium.make(f'sac/{name}-v0')
    first, _ = env.reset(seed=0)
    assert env.observation_space.contains(first)
    for _ in range(20):
        observation, reward, terminated, _, _ = env.step(env.action_space.sample())
        assert env.observation_space.contains(observation)
        assert np.isfinite(reward)
        if terminated:
            env.reset()


def test_it_is_explored_as_smoothly_as_the_robot(env):
    noise = env.exploration_noise(np.random.default_rng(0))
    noise.reset()
    samples = np.array([noise.sample() for _ in range(4000)])
    assert samples.shape[1:] == env.action_space.shape
    correlation = (samples[1:] * samples[:-1]).mean()
    assert correlation == pytest.approx(env.config.smoothing.correlation, abs=0.03)
