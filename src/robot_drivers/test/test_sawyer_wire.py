"""ROS 1 bytes: checksums, round trips, an independent reader, and what is refused."""

import numpy as np
import pytest
from rosbags.typesys import get_types_from_msg, get_typestore, Stores

from robot_drivers.sawyer import messages
from robot_drivers.sawyer.messages import EndpointState, JointCommand, RobotAssemblyState
from robot_drivers.sawyer.ros1.frames import decode_header, encode_header, Frames
from robot_drivers.sawyer.ros1.messages import Bool, Empty, Float64, Header, JointState, UInt16
from robot_drivers.sawyer.ros1.wire import md5sum, WireError

PUBLISHED = {
    JointCommand: 'c8c85922d297da6209a089a906207e5d',
    RobotAssemblyState: 'df79ce5f75a6b23626e9fcdf1cc4d298',
    EndpointState: 'ec04f0f9bc02b3e335181c07d68c2c98',
    JointState: '3066dcd76a6cfaef579bd0f34173e9fd',
    Bool: '8b94c1b53db61fb6aed406028ad6332a',
    Float64: 'fdb28210bfa9d7c91146260178d9a584',
    Empty: 'd41d8cd98f00b204e9800998ecf8427e',
    Header: '2176decaecbce78abc3b96ef049fabed',
}
HEADER = Header(7, 12.25, 'base')
NAMES = ('head_pan', 'right_j0')
EXAMPLES = [
    HEADER,
    Bool(True),
    Float64(-0.06),
    UInt16(65535),
    Empty(),
    RobotAssemblyState(True, False, True, True, False, True, 3, 4),
    JointState(HEADER, NAMES, np.array([-1.5, 2.0]), np.array([0.0, -0.25]), np.zeros(2)),
    JointCommand(HEADER, JointCommand.TORQUE, NAMES, effort=np.array([-3.5, 1e-9])),
    EndpointState(HEADER, np.arange(7.0), -np.arange(6.0), np.arange(6.0) / 7, valid=False),
]


def fields(message: object) -> dict[str, object]:
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in vars(message).items()
    }


@pytest.mark.parametrize('kind', PUBLISHED, ids=lambda kind: kind.TYPE)
def test_checksum_is_the_one_the_robot_compares(kind):
    assert PUBLISHED[kind] == kind.MD5


@pytest.mark.parametrize('message', EXAMPLES, ids=lambda message: message.TYPE)
def test_message_survives_the_wire(message):
    assert fields(type(message).decode(message.encode())) == fields(message)


@pytest.mark.parametrize('message', EXAMPLES, ids=lambda message: message.TYPE)
def test_shortened_or_lengthened_message_is_refused(message):
    data = message.encode()
    with pytest.raises(WireError, match='too many'):
        type(message).decode(data + b'\0')
    if data:
        with pytest.raises(WireError, match=r'too short|too early'):
            type(message).decode(data[:-1])


def test_an_independent_reader_understands_our_bytes():
    store = get_typestore(Stores.ROS1_NOETIC)
    for name in ('JointCommand', 'RobotAssemblyState', 'EndpointState'):
        kind = getattr(messages, name)
        text = '\n'.join(line.strip() for line in kind.DEFINITION.splitlines())
        text = text.replace('Header header', 'std_msgs/Header header')
        store.register(get_types_from_msg(text, f'intera_core_msgs/msg/{name}'))
    command = EXAMPLES[7]
    read = store.deserialize_ros1(command.encode(), 'intera_core_msgs/msg/JointCommand')
    assert (read.mode, read.names, read.effort.tolist()) == (3, list(NAMES), [-3.5, 1e-9])
    assert (read.header.seq, read.header.stamp.sec, read.header.frame_id) == (7, 12, 'base')
    state = EXAMPLES[5]
    read = store.deserialize_ros1(state.encode(), 'intera_core_msgs/msg/RobotAssemblyState')
    assert (read.enabled, read.ready, read.lowVoltage, read.estop_source) == (True, False, True, 4)
    endpoint = EXAMPLES[8]
    read = store.deserialize_ros1(endpoint.encode(), 'intera_core_msgs/msg/EndpointState')
    assert (read.pose.orientation.w, read.wrench.torque.z, read.valid) == (6.0, 5 / 7, False)
    joints = EXAMPLES[6]
    read = store.deserialize_ros1(joints.encode(), 'sensor_msgs/msg/JointState')
    assert read.position.tolist() == [-1.5, 2.0]


def test_unknown_type_in_a_definition_is_named():
    with pytest.raises(ValueError, match=r'unknown type .Pose.'):
        md5sum('Pose pose', {})


def test_connection_header_survives_the_wire():
    given = {'topic': '/robot/state', 'md5sum': '*', 'error': 'a=b'}
    data = encode_header(given)
    assert decode_header(data[4:]) == given
    with pytest.raises(WireError, match='key=value'):
        decode_header(data[4:-1])


def test_frames_come_whole_however_the_stream_is_cut():
    stream = b'\x03\0\0\0abc' + b'\0\0\0\0' + b'\x02\0\0\0de'
    for size in range(1, len(stream) + 1):
        frames = Frames()
        cut = [stream[at : at + size] for at in range(0, len(stream), size)]
        assert [frame for part in cut for frame in frames.feed(part)] == [b'abc', b'', b'de']


def test_stream_out_of_step_is_given_up():
    with pytest.raises(WireError, match='at most'):
        list(Frames().feed(b'\xff\xff\xff\xff'))
