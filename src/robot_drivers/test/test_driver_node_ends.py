"""What ends the node, its robot or its commander, and what is left then: limp motors, one line."""

from __future__ import annotations

from pathlib import Path
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

rclpy = pytest.importorskip('rclpy')

from sac_msgs.srv import ResetRobot  # noqa: E402

from robot_drivers.dclaw.config import REST_POSE  # noqa: E402
from robot_drivers.node.config import NodeConfig  # noqa: E402
from sac_core.convert import seconds  # noqa: E402

from .driver_user import NODE  # noqa: E402

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
        user.until(lambda: user.diagnosed('commanders alive') == '1')
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
