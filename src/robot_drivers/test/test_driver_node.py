"""The node as its users see it: topics, services, lifecycle, exit codes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
import signal
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest

rclpy = pytest.importorskip('rclpy')

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus  # noqa: E402
from lifecycle_msgs.msg import Transition  # noqa: E402
from lifecycle_msgs.srv import ChangeState, GetState  # noqa: E402
from rcl_interfaces.srv import SetParameters  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402
from sac_msgs.msg import JointCommand  # noqa: E402
from sac_msgs.srv import ResetRobot  # noqa: E402
from sensor_msgs.msg import Image, JointState  # noqa: E402
from std_msgs.msg import String  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402

from robot_drivers.dclaw.config import JOINTS, LIMIT, NAMES, REST_POSE  # noqa: E402
from robot_drivers.faults.rigs import RIGS  # noqa: E402
from robot_drivers.minitaur.link import MODE_OFF  # noqa: E402
from robot_drivers.node.config import NodeConfig  # noqa: E402
from sac_core import qos  # noqa: E402
from sac_core.convert import floats64, seconds  # noqa: E402

NODE = [sys.executable, '-m', 'robot_drivers.node.robot_node', '--ros-args']
MAIN = [
    *(sys.executable, '-c'),
    'import sys; from robot_drivers.main import main; sys.exit(main())',
    '--ros-args',
]
COMMANDER = """
import sys, time
import rclpy
from std_msgs.msg import Empty
from sac_core import qos
rclpy.init()
node = rclpy.create_node('commander')
publisher = node.create_publisher(Empty, 'joint_command' + qos.ALIVE, qos.ALIVE_OFFERED)
while not publisher.get_subscription_count():
    time.sleep(0.01)
print('alive', flush=True)
time.sleep(100)
"""


class User:
    """Somebody in another process who talks to the driver."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command, env=environment, stderr=subprocess.PIPE, text=True
        )
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node('user', context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.messages: dict[str, list[Any]] = {}
        for kind, topic, profile in (
            (JointState, 'joint_states', qos.STATE),
            (Image, 'image_raw', qos.STATE),
            (Clock, '/clock', qos.STATE),
            (JointCommand, 'applied_command', qos.STATE),
            (DiagnosticArray, '/diagnostics', qos.STATE),
            (String, 'driver_state', qos.LATCHED),
        ):
            received = self.messages.setdefault(topic, [])
            self.node.create_subscription(kind, topic, received.append, profile)
        self.publisher = self.node.create_publisher(JointCommand, 'joint_command', qos.COMMAND)

    def until(self, condition: Callable[[], Any], timeout: float = 20.0) -> Any:
        deadline = time.monotonic() + timeout
        while not (value := condition()):
            assert time.monotonic() < deadline, self.messages['driver_state'][-1:]
            self.executor.spin_once(timeout_sec=0.05)
        return value

    def call(self, kind: Any, name: str, request: Any) -> Any:
        client = self.node.create_client(kind, f'driver/{name}')
        self.until(client.service_is_ready)
        future = client.call_async(request)
        self.until(future.done)
        return future.result()

    def trigger(self, name: str) -> Any:
        return self.call(Trigger, name, Trigger.Request())

    def change(self, transition: int) -> bool:
        request = ChangeState.Request()
        request.transition.id = transition
        return bool(self.call(ChangeState, 'change_state', request).success)

    def last(self, topic: str) -> Any:
        return self.until(lambda: self.messages[topic])[-1]

    def stamp(self) -> float:
        return seconds(self.last('joint_states').header.stamp)

    def command(self, target: np.ndarray, *, stamp: Any = None, names=JOINTS) -> None:
        msg = JointCommand(names=list(names), values=floats64(target))
        msg.header.stamp = stamp or self.last('joint_states').header.stamp
        self.publisher.publish(msg)

    def moves(self, target: np.ndarray) -> bool:
        """Send a command; say whether one has been applied since the last question."""
        self.messages['applied_command'].clear()
        self.new('joint_states')
        self.command(target)
        self.new('joint_states')
        return bool(self.messages['applied_command'])

    def state(self) -> str:
        return str(self.last('driver_state').data)

    def new(self, topic: str) -> Any:
        """Return the next message."""
        count = len(self.messages[topic])
        return self.until(lambda: self.messages[topic][count:])[0]

    def close(self) -> None:
        if not self.context.ok():
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=20)
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)


@pytest.fixture
def run(child_environment, ros_domain_id) -> Iterator[Callable[..., User]]:
    users = []

    def start(hand, **parameters: Any) -> User:
        words = [f'{name}:={value}' for name, value in parameters.items()]
        arguments = [part for word in words for part in ('-p', word)]
        environment = child_environment | {'ROS_DOMAIN_ID': str(ros_domain_id)}
        user = User([*NODE, '-p', f'port:={hand.port}', *arguments], environment)
        users.append(user)
        return user

    yield start
    for user in users:
        user.close()


def test_each_command_lets_one_period_pass_and_is_answered(run, lockstep_hand):
    user = run(lockstep_hand, camera='emulated')
    user.until(lambda: user.state() == 'active')
    user.until(lambda: user.publisher.get_subscription_count())
    begin = user.stamp()
    for i in range(1, 6):
        user.command(REST_POSE + 0.02 * i)
        user.until(lambda i=i: user.stamp() > begin + 0.1 * i - 0.01)
        assert user.stamp() == pytest.approx(begin + 0.1 * i)
    joints = user.last('joint_states')
    assert tuple(joints.name) == NAMES
    assert len(joints.position) == len(joints.velocity) == len(joints.effort) == 10
    user.until(lambda: len(user.messages['applied_command']) == 5)
    applied = user.last('applied_command')
    np.testing.assert_allclose(applied.values, REST_POSE + 0.1, atol=1e-9)
    assert tuple(applied.names) == JOINTS
    image = user.last('image_raw')
    assert (image.height, image.width, image.encoding, image.step) == (64, 64, 'rgb8', 192)
    user.until(lambda: user.last('image_raw').header.stamp == joints.header.stamp)
    user.until(lambda: seconds(user.last('/clock').clock) > begin + 0.49)


def test_waiting_robot_shows_itself_without_time_passing(run, lockstep_hand):
    user = run(lockstep_hand)
    user.until(lambda: user.state() == 'active')
    begin = user.stamp()
    for _ in range(5):
        assert seconds(user.new('joint_states').header.stamp) == begin


def test_reset_publishes_states_and_reports(run, lockstep_hand):
    user = run(lockstep_hand)
    user.until(lambda: user.state() == 'active')
    before, count = user.stamp(), len(user.messages['joint_states'])
    request = ResetRobot.Request(names=['valve_joint'], positions=[1.0], timeout=30.0)
    answer = user.call(ResetRobot, 'reset', request)
    assert (answer.success, answer.needs_help) == (True, False), answer.message
    user.until(lambda: abs(user.last('joint_states').position[9] - 1.0) < 0.03)
    assert user.stamp() > before
    assert len(user.messages['joint_states']) - count > 5
    user.until(lambda: user.state() == 'active')
    wrong = ResetRobot.Request(names=['nonsense'], positions=[1.0], timeout=30.0)
    answer = user.call(ResetRobot, 'reset', wrong)
    assert not answer.success
    assert 'nonsense' in answer.message


def test_bad_command_never_moves_the_robot(run, lockstep_hand):
    user = run(lockstep_hand)
    user.until(lambda: user.state() == 'active')
    user.until(lambda: user.publisher.get_subscription_count())
    for i, target in enumerate((np.full(9, np.nan), np.full(9, 1e9), np.full(9, -np.inf))):
        begin = user.stamp()
        user.command(target)
        user.until(lambda begin=begin: user.stamp() > begin)
        goal = np.array(lockstep_hand.ask('status')['goal'][:9])
        assert (np.abs(goal) <= LIMIT + 0.002).all(), i
    values = {
        item.key: item.value
        for item in user.until(
            lambda: (
                [m.status[0] for m in user.messages['/diagnostics'] if m.status[0].values]
                and user.new('/diagnostics').status[0]
            )
        ).values
    }
    assert values['safety: finite'] == '2'
    assert int(values['safety: position']) >= 1


def test_estop_is_latched_over_enable_until_cleared(run, lockstep_hand):
    user = run(lockstep_hand)
    user.until(lambda: user.state() == 'active')
    assert user.trigger('estop').success
    assert lockstep_hand.ask('status')['torque'] == [0] * 10
    user.until(lambda: user.state().startswith('estop'))
    answer = user.trigger('enable')
    assert not answer.success
    assert 'clear_estop' in answer.message
    user.until(
        lambda: (
            user.messages['/diagnostics']
            and user.new('/diagnostics').status[0].level == DiagnosticStatus.ERROR
        )
    )
    assert user.trigger('clear_estop').success
    assert lockstep_hand.ask('status')['torque'] == [0] * 10
    assert user.trigger('enable').success
    assert lockstep_hand.ask('status')['torque'] == [1] * 9 + [0]


def test_lifecycle_switches_torque(run, lockstep_hand):
    user = run(lockstep_hand, autostart='false')
    user.until(lambda: user.messages['joint_states'])  # inactive: visible, limp
    assert lockstep_hand.ask('status')['torque'] == [0] * 10
    assert not user.trigger('enable').success
    assert user.change(Transition.TRANSITION_ACTIVATE)
    assert lockstep_hand.ask('status')['torque'] == [1] * 9 + [0]
    assert user.change(Transition.TRANSITION_DEACTIVATE)
    assert lockstep_hand.ask('status')['torque'] == [0] * 10
    user.new('joint_states')
    assert user.change(Transition.TRANSITION_CLEANUP)
    assert user.change(Transition.TRANSITION_CONFIGURE)
    assert user.change(Transition.TRANSITION_ACTIVATE)
    assert lockstep_hand.ask('status')['torque'] == [1] * 9 + [0]
    answer = user.call(GetState, 'get_state', GetState.Request())
    assert answer.current_state.label == 'active'
    user.new('joint_states')


def test_signal_ends_the_wait_for_a_robot(child_environment, ros_domain_id):
    process = subprocess.Popen(
        [*NODE, '-p', 'port:=/tmp/no_such_port', '-p', 'connect_timeout:=600.0'],
        env=child_environment | {'ROS_DOMAIN_ID': str(ros_domain_id)},
    )
    handled = f'/proc/{process.pid}/status'

    def waits() -> bool:
        lines = Path(handled).read_text().splitlines()
        caught = next(line for line in lines if line.startswith('SigCgt'))
        return bool(int(caught.split()[1], 16) & 1 << (signal.SIGTERM - 1))

    deadline = time.monotonic() + 20.0
    while not waits():
        assert time.monotonic() < deadline
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0


def test_occupied_port_ends_at_once_with_code_2(run, lockstep_hand):
    first = run(lockstep_hand)
    first.until(lambda: first.state() == 'active')
    second = run(lockstep_hand)
    assert second.process.wait(timeout=15) == 2
    assert 'another program has it' in second.process.stderr.read()


def test_safety_parameter_is_changed_while_running(run, lockstep_hand):
    user = run(lockstep_hand)
    user.until(lambda: user.state() == 'active')
    user.until(lambda: user.publisher.get_subscription_count())

    def change(value: str) -> Any:
        parameter = Parameter('safety.check_position', value=value).to_parameter_msg()
        request = SetParameters.Request(parameters=[parameter])
        return user.call(SetParameters, 'set_parameters', request).results[0]

    refused = change('sometimes')
    assert not refused.successful
    assert "one of ['off', 'warn', 'clip', 'stop']" in refused.reason
    assert change('stop').successful
    user.command(np.full(9, 3.0))
    user.until(lambda: user.state().startswith('estop'))
    assert lockstep_hand.ask('status')['torque'] == [0] * 10


def test_lost_robot_comes_back_limp(run, lockstep_hand):
    user = run(lockstep_hand)
    user.until(lambda: user.state() == 'active')
    user.call(ResetRobot, 'reset', ResetRobot.Request(timeout=30.0))
    before = user.stamp()
    lockstep_hand.ask('unplug')
    user.until(lambda: user.state().startswith('limp'))
    lockstep_hand.ask('plug')
    assert seconds(user.new('joint_states').header.stamp) >= before
    assert user.trigger('enable').success
    assert lockstep_hand.ask('status')['torque'] == [1] * 9 + [0]


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_signal_leaves_the_hand_limp(run, wall_hand, number):
    user = run(wall_hand, clock='wall')
    user.until(lambda: user.state() == 'active')
    assert wall_hand.ask('status')['torque'] == [1] * 9 + [0]
    user.process.send_signal(number)
    assert user.process.wait(timeout=10) == 0
    assert wall_hand.ask('status')['torque'] == [0] * 10


def test_silence_of_the_agent_holds(run, wall_hand, report_fault):
    user = run(wall_hand, clock='wall')
    user.until(lambda: user.state() == 'active')
    user.until(lambda: user.publisher.get_subscription_count())
    user.command(REST_POSE + 0.3)
    begin = time.monotonic()
    user.until(lambda: user.state().startswith('hold'))
    report_fault('agent silent (10 Hz robot)', 'holds', time.monotonic() - begin)
    user.command(REST_POSE)
    user.until(lambda: user.state() == 'active')


@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGSTOP])
def test_dead_commander_of_a_slow_robot_is_noticed_before_its_next_command(
    run, wall_hand, child_environment, ros_domain_id, report_fault, number
):
    patience = {'safety.command_timeout': 50.0, 'safety.limp_timeout': 0.0}
    patience['dclaw.stale_timeout'] = 1.0  # of a busy machine
    user = run(wall_hand, clock='wall', **patience)
    user.until(lambda: user.state() == 'active')
    environment = child_environment | {'ROS_DOMAIN_ID': str(ros_domain_id)}
    commander = subprocess.Popen(
        [sys.executable, '-c', COMMANDER], env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        assert commander.stdout.readline() == 'alive\n'
        user.until(lambda: user.publisher.get_subscription_count())
        user.until(lambda: user.moves(REST_POSE + 0.3))
        begin = time.monotonic()
        commander.send_signal(number)
        user.until(lambda: user.state() == 'hold: whoever commands died or is out of reach')
        report_fault(f'agent {number.name}', 'holds', time.monotonic() - begin)
        status = wall_hand.ask('status')
        np.testing.assert_allclose(status['goal'][:9], status['position'][:9], atol=0.2)
        user.until(lambda: user.moves(REST_POSE))
        user.until(lambda: user.state() == 'active')
    finally:
        commander.kill()
        commander.communicate()


def test_restarted_driver_goes_on_in_time(run, lockstep_hand):
    first = run(lockstep_hand)
    first.until(lambda: first.state() == 'active')
    first.call(ResetRobot, 'reset', ResetRobot.Request(timeout=30.0))
    end = first.stamp()
    first.process.kill()
    second = run(lockstep_hand)
    second.until(lambda: second.state() == 'active')
    assert second.stamp() >= end


@pytest.mark.parametrize(
    ('parameters', 'reason'),
    [
        (['port:=/tmp/no_such_port', 'connect_timeout:=0.1'], '/tmp/no_such_port is not there'),
        (['robot:=robby'], "no robot 'robby'; known are"),
        (['clock:=sometimes'], "clock must be one of ['lockstep', 'wall']"),
        (['backend:=hardware'], "needs clock 'wall'"),
        (['dclaw.watchdog:=99.0'], 'dclaw.watchdog'),
        (['safety.check_age:=maybe'], 'check_age must be one of'),
        (['speed:=fast'], 'speed'),
        (
            ['dclaw.wachdog:=0.04'],
            "unknown parameter 'dclaw.wachdog'; did you mean dclaw.watchdog",
        ),
        (['sayer.effort_limit:=1.0'], "unknown parameter 'sayer.effort_limit'"),
        (['port'], "Couldn't parse parameter override rule: '-p port'"),
    ],
)
def test_failed_start_is_one_clear_line_and_exit_code_2(
    child_environment, ros_domain_id, parameters, reason
):
    arguments = [part for word in parameters for part in ('-p', word)]
    result = subprocess.run(
        [*MAIN, *arguments],
        env=child_environment | {'ROS_DOMAIN_ID': str(ros_domain_id)},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert result.returncode == 2
    assert reason in result.stderr
    lines = [line for line in result.stderr.splitlines() if '[rcl]' not in line]
    assert len(lines) == 1, result.stderr


def test_simulated_robot_is_enabled_again_after_a_fault_but_not_after_an_e_stop(
    run, lockstep_hand
):
    user = run(lockstep_hand, recover=True)
    user.until(lambda: user.state() == 'active')
    lockstep_hand.ask('alert 11 32')
    user.until(lambda: user.state().startswith('limp'))
    user.until(lambda: user.state() == 'active')
    assert user.trigger('estop').success
    user.until(lambda: user.state().startswith('estop'))
    begin = time.monotonic()
    user.until(lambda: time.monotonic() > begin + 2.5)
    assert user.state().startswith('estop')


def test_real_robot_is_enabled_again_by_a_person_only():
    with pytest.raises(ValueError, match='a person enables a real robot after a fault'):
        NodeConfig(backend='hardware', clock='wall', recover=True)


ENABLED = {
    'dclaw': lambda rig: any(rig.do('status')['torque']),
    'minitaur': lambda rig: rig.do('status')['mode'] != MODE_OFF,
    'sawyer': lambda rig: rig.do('query')['enabled'],
}


@pytest.mark.parametrize('robot', sorted(ENABLED))
def test_life_of_every_robot_on_the_wall_clock(run, robot):
    """Limp until activated, limp and latched after an e-stop, limp when deactivated."""
    rig = RIGS[robot]('wall')
    options = {f'{robot}.{name}': value for name, value in rig.driver_options().items()}
    if robot == 'dclaw':
        options['dclaw.stale_timeout'] = 1.0  # of a busy machine
    user = run(rig, robot=robot, clock='wall', autostart='false', **options)

    def enabled(wanted: bool) -> None:
        user.until(lambda: bool(ENABLED[robot](rig)) is wanted)

    try:
        user.until(lambda: user.messages['joint_states'])
        enabled(False)
        assert not user.trigger('enable').success
        user.until(lambda: user.change(Transition.TRANSITION_ACTIVATE))
        enabled(True)
        assert user.trigger('estop').success
        enabled(False)
        user.until(lambda: user.state().startswith('estop'))
        assert 'clear_estop' in user.trigger('enable').message
        assert user.trigger('clear_estop').success
        enabled(False)
        user.until(lambda: user.trigger('enable').success)
        enabled(True)
        assert user.change(Transition.TRANSITION_DEACTIVATE)
        enabled(False)
        user.new('joint_states')
        status = user.new('/diagnostics').status[0]
        assert status.hardware_id == robot
        assert {'level', 'fault', 'states published [1/s]', 'busy'} <= {
            v.key for v in status.values
        }
        assert user.change(Transition.TRANSITION_CLEANUP)
        user.until(lambda: user.change(Transition.TRANSITION_CONFIGURE))
        user.until(lambda: user.change(Transition.TRANSITION_ACTIVATE))
        enabled(True)
    finally:
        user.close()
        rig.close()


@pytest.mark.parametrize('robot', sorted(ENABLED))
def test_every_parameter_says_what_it_is_and_what_is_admissible(robot, ros_domain_id):
    """What ``ros2 param describe`` shows: text with a full stop, and a range for every number."""
    from robot_drivers.node.robot_node import RobotNode

    context = rclpy.Context()
    rclpy.init(
        args=['--ros-args', '-p', f'robot:={robot}'], context=context, domain_id=ros_domain_id
    )
    try:
        node = RobotNode(context=context)
        names = [*node.get_parameters_by_prefix('')]
        own = [n for n in names if n.startswith((f'{robot}.', 'safety.')) or '.' not in n]
        foreign = {'use_sim_time', 'start_type_description_service', 'autostart'}
        checked = [n for n in own if n not in foreign]
        assert len(checked) > 25
        for name in checked:
            descriptor = node.describe_parameter(name)
            assert descriptor.description.endswith('.'), name
            value = node.get_parameter(name).value
            if isinstance(value, float):
                assert descriptor.floating_point_range, name
            elif isinstance(value, int) and not isinstance(value, bool):
                assert descriptor.integer_range, name
            elif not isinstance(value, (str, bool)):
                assert 'Each from' in descriptor.description, name
        node.destroy_node()
    finally:
        rclpy.shutdown(context=context)
