"""The Gymnasium environments: tasks of sac_agent in the twins of robot_drivers."""

import gymnasium
from gymnasium.utils.env_checker import check_env
import numpy as np
import pytest
import yaml

from sac_agent import gym_env
from sac_agent.config import find_file
from sac_agent.errors import ConfigError
from sac_agent.pilot import Pilot

mujoco = pytest.importorskip('mujoco')
STATE = ['sac/DclawValve-v0', 'sac/MinitaurWalk-v0', 'sac/SawyerStack-v0']
IMAGE = 'sac/DclawValveImage-v0'


@pytest.fixture
def make():
    """Make an environment with its checks on the way; skip where there is nothing to render."""
    gym_env.register()

    def make(name, **options):
        if name == IMAGE:
            try:
                mujoco.Renderer(mujoco.MjModel.from_xml_string('<mujoco/>'), 8, 8).close()
            except Exception as error:
                pytest.skip(f'nothing renders here: {error}')
        return gymnasium.make(name, **options)

    return make


@pytest.mark.parametrize('name', [*STATE, IMAGE])
def test_random_episodes_stay_within_the_spaces_and_end_with_metrics(make, name):
    env = make(name)
    env.action_space.seed(0)
    task = env.unwrapped.task
    for episode in range(2):
        observation, _ = env.reset(seed=episode)
        assert env.observation_space.contains(observation)
        ended, steps = False, 0
        while not ended:
            observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
            ended, steps = terminated or truncated, steps + 1
            assert env.observation_space.contains(observation)
            assert np.isfinite(reward)
            assert info['reward_terms'].shape == (len(task.reward_names),)
        assert steps <= env.unwrapped.config.episode.time_limit
        assert task.distance in info
        assert info['is_success'] in (True, False)


@pytest.mark.parametrize('name', [*STATE, IMAGE])
def test_observation_is_the_one_of_the_node(make, name):
    env = make(name).unwrapped
    spec = Pilot(env.config, now=0.0).spec
    assert env.observation_names == spec.observation.names
    assert env.action_space.shape == (spec.action_size,)
    if spec.observation.image_shape:
        assert env.observation_space['image'].shape == spec.observation.image_shape


# The D'Claw's reset is the robot's: it moves there from where it is, so it ends nearly the same.
@pytest.mark.parametrize('name', ['sac/MinitaurWalk-v0', 'sac/SawyerStack-v0'])
@pytest.mark.filterwarnings('ignore::UserWarning')
def test_environment_passes_the_checker_of_gymnasium(make, name):
    check_env(make(name).unwrapped, skip_render_check=True)


def test_unlike_the_state_the_image_shows_a_turned_valve(make):
    env = make(IMAGE)
    first, _ = env.reset(seed=0, options={'goal': {'valve_joint': 0.0}})
    second, _ = env.reset(seed=0, options={'goal': {'valve_joint': 0.5}})
    assert np.abs(first['vector'] - second['vector']).max() < 0.1
    difference = np.abs(first['image'].astype(int) - second['image'])
    assert difference.max() > 30


def test_sawyer_starts_above_the_studs_and_the_seated_pose_is_a_success(make):
    from robot_drivers.sawyer.description import JOINT_NAMES, SEATED

    env = make('sac/SawyerStack-v0').unwrapped
    for seed in range(5):
        env.reset(seed=seed)
        assert 0.01 < env.task.corner_distance(env._sensors[-1]) < 0.08
    env.reset(options={'goal': dict(zip(JOINT_NAMES, SEATED, strict=True))})
    assert env.task.corner_distance(env._sensors[-1]) < env.task.config.tolerance / 4


def test_minitaur_sees_one_control_step_late(make):
    env = make('sac/MinitaurWalk-v0').unwrapped
    angle = env.observation_names.index('motor_angles[motor_front_leftL_joint]')
    before, _ = env.reset(seed=0)
    after, *_ = env.step(np.full(8, 0.5, np.float32))
    later, *_ = env.step(np.full(8, 0.5, np.float32))
    assert after[angle] == before[angle]
    assert later[angle] != before[angle]


@pytest.mark.parametrize(
    ('name', 'file', 'settings'),
    [
        ('sac/DclawValve-v0', 'dclaw_valve.yaml', ''),
        ('sac/MinitaurWalk-v0', 'minitaur_walk.yaml', 'settings/minitaur_terrain.yaml'),
    ],
)
def test_a_run_begins_with_the_settings_of_the_robots_files(make, name, file, settings):
    env = make(name, settings=settings).unwrapped
    said = env.run_settings()
    files = [find_file(text) for text in (file, settings) if text]
    expected = {}
    for path in files:
        expected |= yaml.safe_load(path.read_text())['/**/sac_learner']['ros__parameters']
    assert said['learner'] == {'warmup_steps': env.config.warmup.steps} | expected
    assert said['gym']['solved_success_rate'] == env.config.evaluation.solved_success_rate
    assert said['gym']['eval_every'] == env.config.evaluation.every


def test_settings_go_over_the_robots_file(make):
    plain, other = (
        make('sac/MinitaurWalk-v0', settings=text).unwrapped.task.config
        for text in ('', 'settings/minitaur_terrain.yaml')
    )
    assert (plain.tilt_free, other.tilt_free) == (0.15, 0.05)


def test_settings_without_a_file_to_go_over_are_refused(make):
    env = make('sac/MinitaurWalk-v0').unwrapped
    with pytest.raises(ConfigError, match='needs the file of a robot'):
        gym_env.TwinEnv(env.config, 'none:None', settings='settings/minitaur_terrain.yaml')
