"""The commands that look at a running graph, against a node of known content."""

from collections.abc import Callable, Iterator
import re
import signal
import sys
import time

import pytest

from .conftest import Running

NODE = """
import rclpy
from rclpy.executors import ExternalShutdownException
from rcl_interfaces.msg import FloatingPointRange, ParameterDescriptor
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger

with rclpy.init():
    node = LifecycleNode('known', namespace='scratch')
    limits = FloatingPointRange(from_value=0.0, to_value=1.0)
    node.declare_parameter(
        'lr', 3e-4, ParameterDescriptor(description='Step size.', floating_point_range=[limits])
    )
    node.declare_parameter('nested.names', ['a', 'b'])
    node.create_service(
        Trigger, '~/reset', lambda request, answer: Trigger.Response(success=True, message='done')
    )
    latched = node.create_publisher(
        JointState, 'latched', QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    )
    latched.publish(JointState(name=['j'], position=[float(i) for i in range(200)]))
    steady = node.create_publisher(JointState, 'steady', 10)
    node.create_timer(0.02, lambda: steady.publish(JointState(name=['x', 'y'], position=[1.0])))
    print('known is up', flush=True)
    try:
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
"""


@pytest.fixture
def known() -> Iterator[Running]:
    """Run the node."""
    running = Running([sys.executable, '-c', NODE])
    running.wait_for('known is up')
    yield running
    running.kill()


def found_by(ros2, *command: str, lines: list[str]) -> list[str]:
    """Repeat a question until the answer has these lines; nodes need a while to find others."""
    deadline = time.monotonic() + 30.0
    while True:
        code, output = ros2(*command)
        if code == 0 and set(lines) <= set(output.splitlines()):
            return output.splitlines()
        assert time.monotonic() < deadline, output


def test_lists_show_nodes_topics_and_services(known, ros2):
    assert found_by(ros2, 'node', 'list', lines=['/scratch/known']) == ['/scratch/known']
    steady = '/scratch/steady [sensor_msgs/msg/JointState]'
    assert steady in found_by(ros2, 'topic', 'list', '-t', lines=[steady])
    reset = '/scratch/known/reset'
    assert reset in found_by(ros2, 'service', 'list', lines=[reset])
    latched = '    /scratch/latched: sensor_msgs/msg/JointState'
    info = '\n'.join(found_by(ros2, 'node', 'info', '/scratch/known', lines=[latched]))
    assert '  Publishers:\n    /parameter_events: rcl_interfaces/msg/ParameterEvent\n' in info
    kind = ['sensor_msgs/msg/JointState']
    assert found_by(ros2, 'topic', 'type', '/scratch/steady', lines=kind) == kind
    one = 'Publisher count: 1'
    assert one in found_by(ros2, 'topic', 'info', '/scratch/steady', lines=[one])


def test_echo_matches_the_publisher_and_shortens_long_arrays(known, ros2):
    code, output = ros2('topic', 'echo', '--once', '/scratch/latched')

    assert code == 0
    lines = output.splitlines()
    assert lines[:4] == ['header:', '  stamp:', '    sec: 0', '    nanosec: 0']
    assert lines[lines.index('position:') + 1] == '- 0.0'
    assert lines[lines.index('position:') + 128] == '- 127.0'
    assert lines[lines.index('position:') + 129] == "- '...'"
    assert lines[-3:] == ['velocity: []', 'effort: []', '---']


def test_echo_of_fields_and_without_arrays(known, ros2):
    assert ros2('topic', 'echo', '--once', '--field', 'name[1]', '/scratch/steady') == (
        0,
        'y\n---',
    )
    assert ros2('topic', 'echo', '--once', '--field', 'position', '/scratch/steady')[1] == (
        '- 1.0\n---'
    )
    shortened = ros2('topic', 'echo', '--once', '--no-arr', '/scratch/steady')[1]
    assert "position: '<sequence type: double, length: 1>'" in shortened


def test_hz_is_accurate_to_one_percent(known, start):
    running = start('topic', 'hz', '/scratch/steady')
    for _ in range(4):
        line = running.wait_for('average rate')
    running.send(signal.SIGINT)
    running.finish()

    assert float(re.search(r'average rate: ([\d.]+)', line)[1]) == pytest.approx(50.0, rel=0.01)


def test_sigterm_ends_a_command_that_still_waits_without_a_traceback(start):
    running = start('topic', 'hz', '/scratch/nobody')
    running.wait_for('does not appear to be published yet')
    running.send(signal.SIGTERM)
    assert running.finish() == 128 + signal.SIGTERM
    assert 'Traceback' not in '\n'.join(running.lines)


def test_parameters_are_read_set_and_described(known, ros2):
    node = '/scratch/known'
    assert ros2('param', 'get', node, 'lr') == (0, 'Double value is: 0.0003')
    assert ros2('param', 'set', node, 'lr', '0.5') == (0, 'Set parameter successful')
    code, output = ros2('param', 'set', node, 'lr', '5.0')
    assert code == 1
    assert output.startswith('Setting parameter failed: ')
    dump = ros2('param', 'dump', node)[1]
    assert dump.startswith('/scratch/known:\n  ros__parameters:\n    lr: 0.5\n    nested:\n')
    description = ros2('param', 'describe', node, 'lr')[1]
    assert '  Description: Step size.' in description
    assert '    Max value: 1.0' in description
    assert ros2('param', 'get', node, 'missing') == (1, 'Parameter not set')


def test_service_is_called(known, ros2):
    code, output = ros2('service', 'call', '/scratch/known/reset', 'std_srvs/srv/Trigger')

    assert code == 0
    assert "std_srvs.srv.Trigger_Response(success=True, message='done')" in output


def test_lifecycle_node_is_led_through_its_states(known, ros2):
    assert found_by(ros2, 'lifecycle', 'nodes', lines=['/scratch/known']) == ['/scratch/known']
    assert ros2('lifecycle', 'get', '/scratch/known') == (0, 'unconfigured [1]')
    assert ros2('lifecycle', 'set', '/scratch/known', 'configure') == (
        0,
        'Transitioning successful',
    )
    assert ros2('lifecycle', 'get', '/scratch/known') == (0, 'inactive [2]')
    code, output = ros2('lifecycle', 'set', '/scratch/known', 'fly')
    assert code == 1
    assert 'activate [3]' in output


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_bag_is_recorded_inspected_and_played(
    known, start: Callable[..., Running], ros2, tmp_path, storage
):
    bag = tmp_path / 'bag'
    recorder = start('bag', 'record', '-s', storage, '-o', bag, '/scratch/latched')
    recorder.wait_for("Subscribed to topic '/scratch/latched'")
    listener = start('topic', 'echo', '--once', '--field', 'name', '/scratch/latched')
    listener.finish()
    recorder.send(signal.SIGTERM)
    assert recorder.finish() == 0
    known.kill()

    info = ros2('bag', 'info', bag)[1]
    assert f'Storage id:        {storage}' in info
    assert 'Topic: /scratch/latched | Type: sensor_msgs/msg/JointState | Count: 1 |' in info

    echo = start(
        *('topic', 'echo', '--once', '--field', 'name', '--qos-reliability', 'reliable'),
        *('/again', 'sensor_msgs/msg/JointState'),
    )
    player = start('bag', 'play', bag, '--loop', '--remap', '/scratch/latched:=/again')
    echo.wait_for('- j')
    player.send(signal.SIGINT)
    player.finish()


def test_pub_publishes_what_yaml_says(ros2, start):
    echo = start('topic', 'echo', '--once', '/words', 'std_msgs/msg/String')
    code, _ = ros2('topic', 'pub', '--once', '/words', 'std_msgs/msg/String', '{data: hello}')

    assert code == 0
    assert echo.wait_for('data') == 'data: hello'


def test_pub_refuses_an_unknown_field(ros2):
    code, output = ros2('topic', 'pub', '--once', '/words', 'std_msgs/msg/String', '{text: a}')

    assert code == 1
    assert "String has no field 'text'; it has ['data']" in output
