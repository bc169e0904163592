"""Actions to commands and back."""

import numpy as np
import pytest

from sac_agent.action.mapper import ActionMapper
from sac_agent.config import ActionConfig
from sac_agent.errors import ConfigError
from sac_agent.layout import SensorLayout

LAYOUT = SensorLayout(('joint_states.position[a]', 'joint_states.position[b]'))
RAW = np.array([0.1, -0.2])


def mapper(period=0.1, **changes):
    values = {'names': ('a', 'b'), 'low': (-1.0, -2.0), 'high': (1.0, 4.0)} | changes
    return ActionMapper({'joints': ActionConfig(**values)}, LAYOUT, period)


def test_minus_one_to_one_spans_the_limits():
    m = mapper()
    for action, expected in (([-1, -1], [-1, -2]), ([0, 0], [0, 1]), ([1, 1], [1, 4])):
        command = m.command(action, RAW)
        np.testing.assert_allclose(command.channels['joints'], expected)
        np.testing.assert_allclose(command.applied, action)
        assert not command.clipped.any()


def test_the_target_stays_within_reach_of_the_measured_position():
    command = mapper(velocity_limit=(2.0,)).command([1.0, 0.0], RAW)
    np.testing.assert_allclose(command.channels['joints'], [0.3, 0.0])
    np.testing.assert_allclose(command.applied, [0.3, -1.0 / 3.0])
    assert command.clipped.tolist() == [True, True]


def test_a_command_within_reach_is_not_clipped():
    command = mapper(velocity_limit=(2.0,)).command([0.2, -0.4], RAW)
    assert not command.clipped.any()
    np.testing.assert_allclose(command.channels['joints'], [0.2, -0.2])


def test_scale_beyond_the_limits_is_clipped_to_them():
    command = mapper(scale=(3.0,)).command([1.0, 0.1], RAW)
    np.testing.assert_allclose(command.channels['joints'], [1.0, 1.3])
    assert command.clipped.tolist() == [True, False]


def test_relative_actions_start_at_the_measured_position():
    m = mapper(relative=True, scale=(0.5,))
    command = m.command([1.0, -1.0], RAW)
    np.testing.assert_allclose(command.channels['joints'], [0.6, -0.7])
    np.testing.assert_allclose(m.action(command.channels, RAW), [1.0, -1.0])


def test_a_matrix_mixes_and_the_inverse_undoes_it():
    m = mapper(matrix=(1.0, -1.0, 1.0, 1.0), low=(-9.0,), high=(9.0,), scale=(0.5,))
    command = m.command([0.4, 0.2], RAW)
    np.testing.assert_allclose(command.channels['joints'], [0.1, 0.3])
    np.testing.assert_allclose(m.action(command.channels, RAW), [0.4, 0.2])


def test_holding_keeps_positions_and_stops_velocities_and_efforts():
    np.testing.assert_allclose(mapper().hold(RAW)['joints'], RAW)
    for mode in ('velocity', 'effort'):
        np.testing.assert_allclose(mapper(mode=mode).hold(RAW)['joints'], [0.0, 0.0])


def test_several_channels_share_the_action_in_order_of_their_names():
    channels = {
        'arm': ActionConfig(names=('a',), low=(-1.0,), high=(1.0,)),
        'base': ActionConfig(names=('wheel',), low=(-2.0,), high=(2.0,), mode='velocity'),
    }
    m = ActionMapper(channels, LAYOUT, 0.1)
    command = m.command([0.5, -0.5], RAW)
    assert m.command_names == ('a', 'wheel')
    np.testing.assert_allclose(command.flat, [0.5, -1.0])


def test_values_are_ordered_by_name():
    m = mapper()
    np.testing.assert_allclose(m.ordered('joints', ['b', 'x', 'a'], [2.0, 9.0, 1.0]), [1.0, 2.0])
    with pytest.raises(ConfigError, match='command lacks a; expected a, b'):
        m.ordered('joints', ['b'], [2.0])
    with pytest.raises(ConfigError, match='2 names for 1 values'):
        m.ordered('joints', ['a', 'b'], [2.0])


@pytest.mark.parametrize(
    ('changes', 'text'),
    [
        ({'names': ()}, 'actions.joints.names: must name at least one'),
        ({'low': (5.0, 5.0)}, 'actions.joints.low: must be below high'),
        ({'high': (1.0, 1.0, 1.0)}, 'actions.joints.high: must hold 1 or 2 numbers, got 3'),
        ({'scale': (0.0,)}, 'actions.joints.scale: must not be zero'),
        ({'matrix': (1.0,)}, 'actions.joints.matrix: must hold 4 numbers, got 1'),
        ({'matrix': (1.0, 1.0, 1.0, 1.0)}, 'actions.joints.matrix: must be invertible'),
        ({'action_names': ('u',)}, 'actions.joints.action_names: must hold 2 names'),
        ({'names': ('a', 'a')}, 'names of action elements must differ'),
        ({'velocity_limit': (1.0,), 'names': ('a', 'c')}, "joints.state: .*no element 'c'"),
    ],
)
def test_mistakes_are_named(changes, text):
    with pytest.raises(ConfigError, match=text):
        mapper(**changes)


def test_the_measured_position_is_found_by_the_names():
    layout = SensorLayout(('arm.position[b]', 'arm.position[a]', 'gripper.position[c]'))
    channel = ActionConfig(names=('a', 'b'), low=(-1.0,), high=(1.0,))
    still = ActionMapper({'joints': channel}, layout, 0.1).hold(np.array([0.2, 0.1, 0.9]))
    np.testing.assert_allclose(still['joints'], [0.1, 0.2])


def test_what_needs_the_measured_position_says_where_it_might_be():
    layout = SensorLayout(('left.position[a]', 'right.position[a]'))
    channel = ActionConfig(names=('a',), low=(-1.0,), high=(1.0,), relative=True)
    with pytest.raises(ConfigError, match=r'state: missing; .* of a; there are left'):
        ActionMapper({'joints': channel}, layout, 0.1)
