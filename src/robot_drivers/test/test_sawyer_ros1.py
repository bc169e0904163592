"""Master and streams of ROS 1: finding each other, several publishers, refusals, leaving."""

from collections.abc import Callable
import os
import socket
import threading
import time

import numpy as np
import pytest

from robot_drivers.sawyer.ros1.frames import decode_header, encode_header
from robot_drivers.sawyer.ros1.master import call, Master, MasterError
from robot_drivers.sawyer.ros1.messages import Bool, Float64, Header, JointState
from robot_drivers.sawyer.ros1.node import Node
from sac_core.realtime import prefer


def wait_until(condition: Callable[[], object], timeout: float = 5.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, 'condition stayed false'
        time.sleep(0.002)


@pytest.fixture
def master():
    master = Master(port=0)
    master.start()
    yield master
    master.stop()


@pytest.fixture
def make_node(master):
    nodes = []

    def make(name: str) -> Node:
        nodes.append(Node(name, master.uri))
        return nodes[-1]

    yield make
    for node in nodes:
        node.close()


def test_message_arrives_whoever_came_first(make_node):
    for publisher_first in (True, False):
        heard: list[float] = []
        talker, listener = make_node('/talker'), make_node('/listener')
        topic = f'/number_{publisher_first}'
        steps = [
            lambda node=talker, topic=topic: node.advertise(topic, Float64),
            lambda node=listener, topic=topic, heard=heard: node.subscribe(
                topic, Float64, lambda message: heard.append(message.data)
            ),
        ]
        results = [step() for step in (steps if publisher_first else reversed(steps))]
        publication = results[0] if publisher_first else results[1]
        wait_until(lambda publication=publication: publication.subscribers)
        publication.publish(Float64(2.5))
        wait_until(lambda heard=heard: heard == [2.5])


def test_every_publisher_of_a_topic_is_heard(make_node):
    heard: list[str] = []
    names = ('/arm', '/gripper', '/head')
    publications = [make_node(name).advertise('/robot/joint_states', JointState) for name in names]
    subscription = make_node('/driver').subscribe(
        '/robot/joint_states', JointState, lambda message: heard.append(message.name[0])
    )
    wait_until(lambda: len(subscription.links) == 3)
    wait_until(lambda: all(publication.subscribers for publication in publications))
    for name, publication in zip(names, publications, strict=True):
        publication.publish(JointState(Header(), (name,), *[np.zeros(1)] * 3))
    wait_until(lambda: sorted(heard) == sorted(names))


def test_latched_message_reaches_a_late_subscriber(make_node):
    make_node('/talker').advertise('/latched', Float64, latched=True).publish(Float64(0.06))
    heard: list[float] = []
    make_node('/late').subscribe('/latched', Float64, lambda m: heard.append(m.data))
    wait_until(lambda: heard == [0.06])


def test_other_checksum_is_refused_with_both_named(make_node):
    publication = make_node('/talker').advertise('/robot/state', Bool)
    subscription = make_node('/driver').subscribe('/robot/state', Float64, lambda _: None)
    wait_until(lambda: subscription.refusal)
    assert Bool.MD5 in subscription.refusal
    assert Float64.MD5 in subscription.refusal
    assert not publication.subscribers


def test_publisher_that_answers_with_another_checksum_is_refused(make_node, master):
    listener = socket.create_server(('127.0.0.1', 0))

    def lie() -> None:
        link, _ = listener.accept()
        link.recv(4096)
        link.sendall(encode_header({'md5sum': '0' * 32, 'type': 'std_msgs/Other'}))

    threading.Thread(target=lie, daemon=True).start()
    from robot_drivers.sawyer.ros1.master import RpcServer

    server = RpcServer('127.0.0.1', 0)
    where = ['TCPROS', '127.0.0.1', listener.getsockname()[1]]
    server.register_function(lambda *_: [1, 'ok', where], 'requestTopic')
    server.start()
    uri = f'http://127.0.0.1:{server.port}'
    call(master.uri, 'registerPublisher', '/liar', '/robot/state', 'std_msgs/Bool', uri)
    subscription = make_node('/driver').subscribe('/robot/state', Bool, lambda _: None)
    wait_until(lambda: subscription.refusal)
    assert '0' * 32 in subscription.refusal
    server.stop()
    listener.close()


def test_subscriber_that_does_not_care_about_checksums_is_served(make_node):
    node = make_node('/talker')
    node.advertise('/robot/state', Bool)
    _, host, port = call(node.uri, 'requestTopic', '/any', '/robot/state', [['TCPROS']])
    with socket.create_connection((host, port), 2.0) as link:
        link.sendall(encode_header({'topic': '/robot/state', 'md5sum': '*', 'type': '*'}))
        assert decode_header(link.recv(4096)[4:])['md5sum'] == Bool.MD5


def test_closing_a_node_leaves_nothing_registered(make_node, master):
    node = make_node('/driver')
    node.advertise('/a', Bool)
    node.subscribe('/b', Bool, lambda _: None)
    publishers, subscribers, _ = call(master.uri, 'getSystemState', '/test')
    assert dict(publishers)['/a']
    assert dict(subscribers)['/b']
    node.close()
    publishers, subscribers, _ = call(master.uri, 'getSystemState', '/test')
    assert not dict(publishers)['/a']
    assert not dict(subscribers)['/b']


def test_restarted_publisher_is_found_again(make_node):
    heard: list[float] = []
    first = make_node('/first')
    first.advertise('/number', Float64)
    subscription = make_node('/driver').subscribe(
        '/number', Float64, lambda message: heard.append(message.data)
    )
    wait_until(lambda: subscription.links)
    first.close()
    wait_until(lambda: not subscription.links)
    publication = make_node('/second').advertise('/number', Float64)
    wait_until(lambda: publication.subscribers)
    publication.publish(Float64(1.0))
    wait_until(lambda: heard == [1.0])


def test_connections_are_served_with_priority_where_permitted(master):
    permitted = prefer(5)
    prefer(0)
    node = Node('/preferred', master.uri, priority=5)
    try:
        (thread,) = [t for t in threading.enumerate() if t.name == '/preferred io']
        served = os.SCHED_FIFO if permitted else os.SCHED_OTHER
        wait_until(
            lambda: os.sched_getscheduler(thread.native_id) & ~os.SCHED_RESET_ON_FORK == served
        )
    finally:
        node.close()


def test_missing_master_is_named():
    with pytest.raises(MasterError, match=r'127\.0\.0\.1:9 did not answer getUri'):
        call('http://127.0.0.1:9', 'getUri', '/test')
