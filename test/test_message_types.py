"""Sensors and commands of every documented type, with the real messages."""

from array import array

import numpy as np
import pytest

pytest.importorskip('rclpy')

from geometry_msgs.msg import (
    Point,
    PointStamped,
    Pose,
    PoseStamped,
    PoseWithCovarianceStamped,
    Quaternion,
    Twist,
    TwistStamped,
    Vector3,
    Wrench,
    WrenchStamped,
)
from rclpy.serialization import deserialize_message, serialize_message
from sac_msgs.msg import JointCommand
from sensor_msgs.msg import CompressedImage, Image, Imu, JointState, Range
from std_msgs.msg import Bool, Float32, Float32MultiArray, Float64, Float64MultiArray
from trajectory_msgs.msg import JointTrajectory

from sac_agent.config import ActionConfig, COMMAND_TYPES, SensorConfig
from sac_agent.errors import ConfigError, SensorError
from sac_agent.node.messages import command_type, CommandMessages
from sac_agent.observation.image import decode, resize
from sac_agent.observation.sensors import SensorReader, stamp_of

XYZ = Vector3(x=1.0, y=2.0, z=3.0)
UVW = Vector3(x=4.0, y=5.0, z=6.0)
POINT = Point(x=1.0, y=2.0, z=3.0)
QUATERNION = Quaternion(x=4.0, y=5.0, z=6.0, w=7.0)
POSE = Pose(position=POINT, orientation=QUATERNION)
COVARIANCE = np.arange(36.0)


def over_the_wire(message):
    """Return what a subscriber gets: arrays of other kinds than those that were assigned."""
    return deserialize_message(serialize_message(message), type(message))


def type_name(message):
    package = type(message).__module__.split('.')[0]
    return f'{package}/msg/{type(message).__name__}'


def odometry():
    message = PoseWithCovarianceStamped()
    message.pose.pose = POSE
    message.pose.covariance = COVARIANCE
    return message


SENSORS = {
    'JointState': (
        JointState(name=['b', 'a'], position=[2.0, 1.0], velocity=[4.0, 3.0]),
        {'names': ['a', 'b']},
        [1, 2, 3, 4],
    ),
    'JointState with effort': (
        JointState(name=['a'], effort=[7.0]),
        {'names': ['a'], 'fields': ['effort']},
        [7],
    ),
    'Imu': (
        Imu(orientation=QUATERNION, angular_velocity=XYZ, linear_acceleration=UVW),
        {},
        [4, 5, 6, 7, 1, 2, 3, 4, 5, 6],
    ),
    'Wrench': (Wrench(force=XYZ, torque=UVW), {}, [1, 2, 3, 4, 5, 6]),
    'WrenchStamped': (WrenchStamped(wrench=Wrench(force=XYZ)), {'fields': ['force']}, [1, 2, 3]),
    'Float32': (Float32(data=0.5), {}, [0.5]),
    'Float64': (Float64(data=0.5), {}, [0.5]),
    'Float32MultiArray': (Float32MultiArray(data=[1.0, 2.0]), {'names': ['u', 'v']}, [1, 2]),
    'Float64MultiArray': (Float64MultiArray(data=[1.0, 2.0]), {'names': ['u', 'v']}, [1, 2]),
    'Pose': (POSE, {}, [1, 2, 3, 4, 5, 6, 7]),
    'PoseStamped': (PoseStamped(pose=POSE), {'fields': ['orientation']}, [4, 5, 6, 7]),
    'Twist': (Twist(linear=XYZ, angular=UVW), {}, [1, 2, 3, 4, 5, 6]),
    'TwistStamped': (TwistStamped(twist=Twist(angular=UVW)), {'fields': ['angular']}, [4, 5, 6]),
    'like Odometry': (
        odometry(),
        {'fields': ['pose.pose.position.x', 'pose.pose.orientation.w', 'pose.covariance:36']},
        [1, 7, *COVARIANCE],
    ),
    'any message': (PointStamped(point=POINT), {'fields': ['point.z', 'point.x']}, [3, 1]),
    'a number of another type': (
        Range(range=0.25, radiation_type=1),
        {'fields': ['range']},
        [0.25],
    ),
    'a truth value': (Bool(data=True), {'fields': ['data']}, [1]),
}


@pytest.mark.parametrize('case', SENSORS)
def test_values_of_a_sensor_message_are_read(case):
    message, config, expected = SENSORS[case]
    reader = SensorReader('s', SensorConfig('topic', type_name(message), **_tuples(config)))
    np.testing.assert_allclose(reader.read(over_the_wire(message)), expected)
    assert len(reader.names) == len(expected)


def test_a_path_that_ends_at_a_message_names_its_parts():
    config = SensorConfig('topic', type_name(odometry()), fields=('pose.pose.position',))
    with pytest.raises(
        SensorError, match=r'is a Point, no number; go on to pose\.pose\.position\.x'
    ):
        SensorReader('s', config).read(odometry())


def test_a_path_that_leads_nowhere_is_refused():
    config = SensorConfig('topic', type_name(odometry()), fields=('pose.position.x',))
    with pytest.raises(AttributeError, match='position'):
        SensorReader('s', config).read(odometry())


def picture():
    return np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)


def test_a_raw_image_is_seen():
    image = Image(height=8, width=8, encoding='rgb8', step=24)
    image.data = array('B', picture().tobytes())
    np.testing.assert_array_equal(resize(decode(over_the_wire(image)), 8, ()), picture())


def test_a_compressed_image_is_seen():
    import cv2

    _, data = cv2.imencode('.png', picture()[..., ::-1])
    image = CompressedImage(format='png', data=array('B', data.tobytes()))
    np.testing.assert_array_equal(resize(decode(over_the_wire(image)), 8, ()), picture())


def command(kind, **changes):
    values = {'names': ('a', 'b'), 'low': (-1.0,), 'high': (1.0,), 'type': kind} | changes
    builder = CommandMessages('arm', ActionConfig(**values), period=0.05)
    return over_the_wire(builder.build(np.array([0.5, -0.25]), 3_000_000_001, 2_000_000_000))


def test_every_command_type_is_built_here():
    assert {kind: command_type(kind).__name__ for kind in COMMAND_TYPES} == {
        kind: kind.rsplit('/', 1)[-1] for kind in COMMAND_TYPES
    }


def test_our_command_carries_names_mode_and_both_stamps():
    message = command('sac_msgs/msg/JointCommand', mode='effort')
    assert (message.names, message.values.tolist()) == (['a', 'b'], [0.5, -0.25])
    assert message.mode == JointCommand.MODE_EFFORT
    assert stamp_of(message) == 3_000_000_001
    assert (message.observation_stamp.sec, message.sequence) == (2, 1)


def test_an_array_holds_the_values_in_order():
    assert command('std_msgs/msg/Float64MultiArray').data.tolist() == [0.5, -0.25]


@pytest.mark.parametrize(
    ('mode', 'field'),
    [('position', 'positions'), ('velocity', 'velocities'), ('effort', 'effort')],
)
def test_a_trajectory_reaches_its_point_a_period_later(mode, field):
    message = command('trajectory_msgs/msg/JointTrajectory', mode=mode)
    assert isinstance(message, JointTrajectory)
    assert (message.joint_names, stamp_of(message)) == (['a', 'b'], None)
    (point,) = message.points
    assert getattr(point, field).tolist() == [0.5, -0.25]
    assert point.time_from_start.nanosec == 50_000_000


@pytest.mark.parametrize('kind', ['Twist', 'TwistStamped'])
def test_a_vehicle_is_driven_by_named_parts(kind):
    names = ('linear.x', 'angular.z')
    message = command(f'geometry_msgs/msg/{kind}', mode='velocity', names=names)
    twist = getattr(message, 'twist', message)
    assert (twist.linear.x, twist.angular.z, twist.linear.y) == (0.5, -0.25, 0.0)
    assert kind == 'Twist' or stamp_of(message) == 3_000_000_001


def test_a_vehicle_never_gets_positions_because_holding_still_would_drive_it():
    with pytest.raises(ConfigError, match='mode: must be velocity for geometry_msgs/msg/Twist'):
        command('geometry_msgs/msg/Twist', names=('linear.x', 'angular.z'))


def test_parts_of_a_vehicle_have_known_names():
    with pytest.raises(ConfigError, match=r"must be of linear\.x, .*, got 'left_wheel'"):
        command('geometry_msgs/msg/Twist', mode='velocity', names=('left_wheel', 'linear.x'))


def _tuples(config):
    return {key: tuple(value) for key, value in config.items()}
