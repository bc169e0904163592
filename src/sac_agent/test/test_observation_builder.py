"""Raw sensor values to observations."""

import numpy as np
import pytest

from sac_agent.angles import roll_pitch, rotate, wrap
from sac_agent.config import FieldConfig, HistoryConfig, ObservationConfig
from sac_agent.errors import ConfigError
from sac_agent.layout import SensorLayout
from sac_agent.observation.builder import ObservationBuilder
from sac_agent.tasks.task import NoParameters, Task

LAYOUT = SensorLayout(('j.q[a]', 'j.q[b]', *(f'imu.o[{c}]' for c in 'xyzw')))
ACTIONS = ('u', 'v')


class Doubled(Task):
    feature_names = ('double',)

    def reward(self, before, action, after, history):
        return np.zeros(1)

    def features(self, raw):
        return 2.0 * raw[:1]


def builder(fields, history=(0, 0), **changes):
    config = ObservationConfig(
        fields={name: FieldConfig(**field) for name, field in fields.items()},
        history=HistoryConfig(*history),
        **changes,
    )
    return ObservationBuilder(config, LAYOUT, ACTIONS, Doubled(LAYOUT, NoParameters(), 0.1))


def raw(a, b=0.0, quaternion=(0.0, 0.0, 0.0, 1.0)):
    return np.array([a, b, *quaternion])


def test_values_are_chosen_shifted_and_scaled():
    one = builder(
        {'q': {'source': 'j.q', 'names': ('b', 'a'), 'offset': (1.0,), 'scale': (2.0, 4.0)}}
    )
    np.testing.assert_allclose(one.push(raw(3.0, 5.0)), [8.0, 8.0])
    assert one.names == ('q[b]', 'q[a]')


@pytest.mark.parametrize(
    ('transform', 'expected'),
    [('cos', np.cos(3.5)), ('sin', np.sin(3.5)), ('wrap', 3.5 - 2 * np.pi), ('identity', 3.5)],
)
def test_transforms_follow_the_offset(transform, expected):
    field = {'source': 'j.q', 'names': ('a',), 'offset': (0.5,), 'transform': transform}
    assert builder({'q': field}).push(raw(4.0))[0] == pytest.approx(expected)


def test_a_quaternion_becomes_roll_and_pitch():
    half = 0.3 / 2
    one = builder({'tilt': {'source': 'imu.o', 'transform': 'roll_pitch', 'scale': (10.0,)}})
    got = one.push(raw(0.0, 0.0, (np.sin(half), 0.0, 0.0, np.cos(half))))
    np.testing.assert_allclose(got, [3.0, 0.0], atol=1e-6)
    assert one.names == ('tilt[roll]', 'tilt[pitch]')


def test_history_begins_with_the_first_observation_and_no_actions():
    one = builder({'q': {'source': 'j.q', 'names': ('a',)}}, history=(2, 2))
    np.testing.assert_allclose(one.push(raw(1.0)), [1, 1, 1, 0, 0, 0, 0])
    one.remember([0.1, 0.2])
    np.testing.assert_allclose(one.push(raw(2.0)), [2, 1, 1, 0.1, 0.2, 0, 0], rtol=1e-6)
    one.remember([0.3, 0.4])
    one_two = one.push(raw(3.0))
    np.testing.assert_allclose(one_two, [3, 2, 1, 0.3, 0.4, 0.1, 0.2], rtol=1e-6)
    assert one.names == (
        'q[a]', 'q[a]@-1', 'q[a]@-2',
        'action[u]@-1', 'action[v]@-1', 'action[u]@-2', 'action[v]@-2',
    )  # fmt: skip
    one.reset()
    np.testing.assert_allclose(one.push(raw(9.0)), [9, 9, 9, 0, 0, 0, 0])


def test_delay_shows_what_was_measured_steps_ago():
    one = builder({'q': {'source': 'j.q', 'names': ('a',)}}, delay=2)
    seen = [one.push(raw(float(t)))[0] for t in range(5)]
    assert seen == [0, 0, 0, 1, 2]


def test_features_of_the_task_are_appended():
    one = builder({'q': {'source': 'j.q', 'names': ('a',)}}, features=True, history=(1, 0))
    np.testing.assert_allclose(one.push(raw(3.0)), [3, 6, 3, 6])
    assert one.names == ('q[a]', 'double', 'q[a]@-1', 'double@-1')


def test_large_values_are_clipped():
    one = builder({'q': {'source': 'j.q', 'names': ('a', 'b')}}, clip=5.0)
    np.testing.assert_allclose(one.push(raw(100.0, -100.0)), [5.0, -5.0])


@pytest.mark.parametrize(
    ('field', 'text'),
    [
        ({'source': 'j.v'}, r"observation.fields.q: sensor source 'j.v' is unknown; there are"),
        ({'source': 'j.q', 'names': ('c',)}, "has no element 'c'"),
        ({'source': 'j.q', 'scale': (1.0, 2.0, 3.0)}, 'q.scale: must hold 1 or 2 numbers, got 3'),
        ({'source': 'j.q', 'transform': 'roll_pitch'}, 'needs a quaternion x y z w, got 2'),
    ],
)
def test_mistakes_are_named(field, text):
    with pytest.raises(ConfigError, match=text):
        builder({'q': field})


def test_angles():
    assert wrap(np.array(np.pi + 0.1)) == pytest.approx(-np.pi + 0.1)
    half = 0.4 / 2
    quaternion = np.array([0.0, np.sin(half), 0.0, np.cos(half)])
    np.testing.assert_allclose(roll_pitch(quaternion), [0.0, 0.4], atol=1e-12)
    turned = rotate(2.0 * quaternion, np.array([[0.0, 0.0, 1.0]]))
    np.testing.assert_allclose(turned, [[np.sin(0.4), 0.0, np.cos(0.4)]])
