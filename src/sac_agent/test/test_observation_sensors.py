"""Sensor messages to numbers, and sets of them by stamp."""

from types import SimpleNamespace as Message

import numpy as np
import pytest

from sac_agent.config import SensorConfig
from sac_agent.errors import ConfigError, SensorError
from sac_agent.observation.pairing import Pairer, Reading
from sac_agent.observation.sensors import layout_of, SensorReader, stamp_of

JOINT_STATE = 'sensor_msgs/msg/JointState'


def joints(**changes):
    values = {'name': ['b', 'a'], 'position': [2.0, 1.0], 'velocity': [0.2, 0.1], 'effort': []}
    return Message(**(values | changes))


def reader(type_, name='s', **config):
    return SensorReader(name, SensorConfig(topic='t', type=type_, **config))


def xyz(x, y, z):
    return Message(x=x, y=y, z=z)


def test_joints_are_found_by_name_in_any_order():
    one = reader(JOINT_STATE, names=('a', 'b'))
    np.testing.assert_array_equal(one.read(joints()), [1.0, 2.0, 0.1, 0.2])
    swapped = joints(name=['a', 'b'])
    np.testing.assert_array_equal(one.read(swapped), [2.0, 1.0, 0.2, 0.1])
    assert one.names == ('s.position[a]', 's.position[b]', 's.velocity[a]', 's.velocity[b]')


@pytest.mark.parametrize(
    ('message', 'text'),
    [
        (joints(name=['a', 'c']), 'JointState lacks b; it has a, c'),
        (joints(velocity=[]), 'JointState.velocity has 0 values for 2 joints'),
        (joints(position=[float('nan'), 0.0]), r's: values are not finite: s.position\[b\]'),
    ],
)
def test_unusable_joint_states_are_refused(message, text):
    with pytest.raises(SensorError, match=text):
        reader(JOINT_STATE, names=('a', 'b')).read(message)


def test_an_imu_gives_orientation_rates_and_acceleration():
    message = Message(
        orientation=Message(x=1.0, y=2.0, z=3.0, w=4.0),
        angular_velocity=xyz(5.0, 6.0, 7.0),
        linear_acceleration=xyz(8.0, 9.0, 10.0),
    )
    one = reader('sensor_msgs/msg/Imu')
    np.testing.assert_array_equal(one.read(message), range(1, 11))
    assert one.names[:4] == tuple(f's.orientation[{c}]' for c in 'xyzw')


@pytest.mark.parametrize('stamped', [False, True])
@pytest.mark.parametrize(
    ('kind', 'attribute', 'content', 'size'),
    [
        ('Wrench', 'wrench', Message(force=xyz(1, 2, 3), torque=xyz(4, 5, 6)), 6),
        ('Twist', 'twist', Message(linear=xyz(1, 2, 3), angular=xyz(4, 5, 6)), 6),
        (
            'Pose', 'pose',
            Message(position=xyz(1, 2, 3), orientation=Message(x=4, y=5, z=6, w=7)), 7,
        ),
    ],
)  # fmt: skip
def test_geometry_messages_plain_and_stamped(kind, attribute, content, size, stamped):
    message = Message(**{attribute: content}) if stamped else content
    one = reader(f'geometry_msgs/msg/{kind}{"Stamped" if stamped else ""}')
    np.testing.assert_array_equal(one.read(message), range(1, size + 1))


def test_fields_choose_parts_of_a_message():
    message = Message(force=xyz(1, 2, 3), torque=xyz(4, 5, 6))
    one = reader('geometry_msgs/msg/Wrench', fields=('torque',))
    np.testing.assert_array_equal(one.read(message), [4, 5, 6])


def test_arrays_need_one_name_per_element():
    one = reader('std_msgs/msg/Float64MultiArray', names=('u', 'v'))
    np.testing.assert_array_equal(one.read(Message(data=[1.0, 2.0])), [1.0, 2.0])
    with pytest.raises(SensorError, match='data must hold 2 numbers, got 3'):
        one.read(Message(data=[1.0, 2.0, 3.0]))


def test_any_message_is_read_by_dotted_paths():
    message = Message(pose=Message(pose=Message(position=xyz(1.0, 2.0, 3.0))), ranges=[4.0, 5.0])
    one = reader('nav_msgs/msg/Odometry', fields=('pose.pose.position.x', 'ranges:2'))
    np.testing.assert_array_equal(one.read(message), [1.0, 4.0, 5.0])
    assert one.names == ('s.pose.pose.position.x[0]', 's.ranges[0]', 's.ranges[1]')


def test_scalars():
    assert reader('std_msgs/msg/Float32').read(Message(data=3.0)) == [3.0]


@pytest.mark.parametrize(
    ('type_', 'config', 'text'),
    [
        (JOINT_STATE, {}, 'sensors.s.names: missing'),
        (JOINT_STATE, {'names': ('a',), 'fields': ('torque',)}, "got 'torque'"),
        ('sensor_msgs/msg/Imu', {'fields': ('heading',)}, "must be of orientation, .*'heading'"),
        ('my_msgs/msg/Thing', {}, 'sensors.s.fields: missing; give dotted paths'),
        ('my_msgs/msg/Thing', {'fields': ('a:x',)}, "number of elements, got 'a:x'"),
    ],
)
def test_wrong_configurations_are_refused(type_, config, text):
    with pytest.raises(ConfigError, match=text):
        reader(type_, **config)


def test_the_layout_finds_values_by_source_and_name():
    layout = layout_of({'s': reader(JOINT_STATE, names=('a', 'b'))})
    assert layout.index('s.velocity', 'b') == 3
    np.testing.assert_array_equal(layout.indices('s.position'), [0, 1])
    with pytest.raises(ConfigError, match=r"s\.position has no element 'c'; there are a, b"):
        layout.index('s.position', 'c')


def test_a_stamp_of_zero_is_none():
    def stamped(sec, nanosec):
        return Message(header=Message(stamp=Message(sec=sec, nanosec=nanosec)))

    assert stamp_of(stamped(2, 5)) == 2_000_000_005
    assert stamp_of(stamped(0, 0)) is None
    assert stamp_of(Message(data=1.0)) is None


def at(milliseconds, received=0.0):
    return Reading(milliseconds * 1_000_000, received, milliseconds)


def test_a_set_needs_all_sensors_within_the_slop():
    pairer = Pairer(['a', 'b'], slop=0.005)
    assert pairer.add('a', at(100)) is None
    assert pairer.add('b', at(90)) is None
    found = pairer.add('b', at(103))
    assert {name: reading.value for name, reading in found.items()} == {'a': 100, 'b': 103}


def test_the_slower_sensor_sets_the_time_and_no_set_comes_twice():
    pairer = Pairer(['fast', 'slow'], slop=0.005)
    for t in (100, 110, 120):
        pairer.add('fast', at(t))
    found = pairer.add('slow', at(109))
    assert found['fast'].value == 110
    assert pairer.add('fast', at(130)) is None


def test_one_sensor_gives_a_set_with_every_message():
    pairer = Pairer(['a'], slop=0.0)
    assert pairer.add('a', at(1)) is not None
    assert pairer.add('a', at(1)) is None
    assert pairer.add('a', at(2)) is not None


def test_a_clock_that_jumps_back_starts_anew():
    pairer = Pairer(['a'], slop=0.0)
    pairer.add('a', at(10_000))
    assert pairer.add('a', at(1_000)) is not None


def test_silent_sensors_are_named():
    pairer = Pairer(['a', 'b'], slop=0.1)
    pairer.add('a', at(0, received=1.0))
    assert pairer.silent(1.2, timeout=0.5) == ['b']
    assert pairer.silent(2.0, timeout=0.5) == ['a', 'b']


def test_the_only_element_of_a_source_needs_no_name():
    layout = layout_of(
        {'goal': reader('my_msgs/msg/Goal', name='goal', fields=('point.x', 'point.y:2'))}
    )
    assert layout.index('goal.point.x') == 0
    with pytest.raises(ConfigError, match=r'name one element of goal\.point\.y: 0, 1'):
        layout.index('goal.point.y')


def test_foreign_joint_states_do_not_spoil_the_good_ones():
    one = reader(JOINT_STATE, names=('a', 'b'))
    good = one.read(joints())
    for _ in range(2):  # the second one has the names of the first
        with pytest.raises(SensorError, match='lacks a, b'):
            one.read(joints(name=['gripper'], position=[0.0], velocity=[0.0]))
    np.testing.assert_array_equal(one.read(joints()), good)
