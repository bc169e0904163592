"""The node as its users see it: topics, services, lifecycle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

rclpy = pytest.importorskip('rclpy')

from diagnostic_msgs.msg import DiagnosticStatus  # noqa: E402
from lifecycle_msgs.msg import Transition  # noqa: E402
from lifecycle_msgs.srv import GetState  # noqa: E402
from rcl_interfaces.srv import SetParameters  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from sac_msgs.srv import ResetRobot  # noqa: E402

from robot_drivers.dclaw.config import JOINTS, LIMIT, NAMES, REST_POSE  # noqa: E402
from sac_core.convert import seconds  # noqa: E402


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
