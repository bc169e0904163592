"""What the learner sees of a Gymnasium environment."""

import gymnasium
from gymnasium import spaces
import numpy as np
import pytest

from sac_learner.command_line import CommandError
from sac_learner.gym import environment
from sac_learner.gym.environment import Interface
from sac_learner.gym.episodes import play, Recorder


class Spaces(gymnasium.Env):
    def __init__(self, observations, actions):
        self.observation_space, self.action_space = observations, actions


PIXELS = spaces.Box(0, 255, (8, 6, 3), np.uint8)
VECTOR = spaces.Box(-np.inf, np.inf, (2, 2), np.float64)
ACTIONS = spaces.Box(np.array([-2.0, 0.0]), np.array([2.0, 10.0]), dtype=np.float64)


def test_actions_fill_the_box_in_its_own_type():
    interface = Interface.of(Spaces(VECTOR, ACTIONS))
    for action, expected in (
        ((-1.0, -1.0), (-2, 0)),
        ((1.0, 1.0), (2, 10)),
        ((0.0, 0.5), (0, 7.5)),
    ):
        scaled = interface.scale(np.array(action, np.float32))
        np.testing.assert_allclose(scaled, expected)
        assert scaled.dtype == np.float64
        assert ACTIONS.contains(scaled)


def test_an_action_of_several_dimensions_gets_its_shape_back():
    interface = Interface.of(Spaces(VECTOR, spaces.Box(-1.0, 1.0, (2, 3))))
    assert interface.scale(np.zeros(6, np.float32)).shape == (2, 3)


def test_dict_observations_have_a_vector_and_an_image():
    space = spaces.Dict({'vector': VECTOR, 'image': PIXELS, 'goal': spaces.Box(0, 1, (1,))})
    interface = Interface.of(Spaces(space, ACTIONS))
    sample = space.sample()
    vector, image = interface.observe(sample)
    parts = [np.ravel(sample[key]) for key in interface.vectors]
    np.testing.assert_array_equal(vector, np.concatenate(parts).astype(np.float32))
    np.testing.assert_array_equal(image, sample['image'])
    assert interface.spec('e').observation.image_shape == (8, 6, 3)
    assert interface.spec('e').observation.vector_size == len(vector) == 5


def test_an_image_alone_is_an_observation():
    interface = Interface.of(Spaces(PIXELS, ACTIONS))
    vector, image = interface.observe(PIXELS.sample())
    assert vector.shape == (0,)
    assert image.shape == (8, 6, 3)


@pytest.mark.parametrize(
    ('observations', 'actions', 'words'),
    [
        (VECTOR, spaces.Discrete(3), 'Box'),
        (VECTOR, spaces.Box(-np.inf, np.inf, (1,)), 'finite bounds'),
        (spaces.Discrete(3), ACTIONS, 'observations must be'),
        (spaces.Dict({'a': PIXELS, 'b': PIXELS}), ACTIONS, 'one image'),
    ],
)
def test_other_spaces_are_refused(observations, actions, words):
    with pytest.raises(CommandError, match=words):
        Interface.of(Spaces(observations, actions))


def test_metrics_are_what_only_the_last_step_tells():
    recorder = Recorder()
    assert recorder.step(1.0, False, False, {'x': 1.0}) is None
    last = {'x': 2.0, 'angle_error': 0.25, 'is_success': True, 'terms': [1]}
    episode = recorder.step(2.0, False, True, last)
    assert (episode.total, episode.length, episode.success) == (3.0, 2, True)
    assert episode.metrics == {'angle_error': 0.25}


def test_episodes_are_repeatable_for_a_seed():
    env = environment.make('Pendulum-v1')
    interface = Interface.of(env)

    def act(vector, image):
        return np.zeros(1, np.float32)

    first, again = (play(env, interface, act, 2, seed=3) for _ in range(2))
    assert first == again
    assert 'return' in first.text()


def test_environments_are_registered_by_name(tmp_path, monkeypatch):
    (tmp_path / 'my_robots.py').write_text(
        'import gymnasium\n'
        'def register():\n'
        "    gymnasium.register('mine/P-v0', "
        "'gymnasium.envs.classic_control.pendulum:PendulumEnv')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    environment.make('mine/P-v0', 'my_robots:register').close()
    with pytest.raises(CommandError, match='no_such_module'):
        environment.make('mine/P-v0', 'no_such_module:register')
    with pytest.raises(CommandError, match='Nope-v0'):
        environment.make('Nope-v0')


def test_the_robots_are_found_without_being_imported_by_us():
    pytest.importorskip('sac_agent.gym_env')
    pytest.importorskip('robot_drivers')
    env = environment.make('sac/DclawValve-v0', evaluation=True)
    interface = Interface.of(env)
    assert interface.low.size == 9
    assert interface.control_period == env.unwrapped.config.control_period
    env.close()
