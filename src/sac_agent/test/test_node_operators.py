"""The agent node as a process, and the people who operate it."""

import json
import time

PAUSED, NEEDS_HELP, ESTOP = 3, 5, 6  # of AgentStatus


def set_parameter(world, name, value):
    from rcl_interfaces.srv import SetParameters
    from rclpy.parameter import Parameter

    request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
    return world.call('/dclaw/sac_agent/set_parameters', SetParameters, request).results[0]


def test_evaluation_on_request(world):
    from sac_msgs.srv import Evaluate

    _robot, learner = world.run(changes={'warmup.steps': 0, 'episode.time_limit': 10})
    request = Evaluate.Request(episodes=3)
    refused = world.call('/dclaw/sac_agent/evaluate', Evaluate, request)
    assert not refused.success
    assert 'no policy' in refused.message
    learner.publish_policy()
    world.until(lambda: learner.transitions[-1].policy_version == 1)
    assert world.call('/dclaw/sac_agent/evaluate', Evaluate, request).success
    world.until(lambda: learner.evaluations)
    assert learner.evaluations[0].episodes == 3
    assert 'median_distance' in learner.evaluations[0].metric_names
    world.until(lambda: sum(t.evaluation for t in learner.transitions) == 30)


def test_pause_and_resume(world):
    robot, learner = world.run()
    assert world.trigger('pause').success
    world.until(lambda: learner.agent_state == PAUSED)
    assert learner.episodes[-1].truncation_reason == 3
    count = len(robot.commands)
    world.spin(0.3)
    assert len(robot.commands) == count
    refused = world.trigger('continue_after_help')
    assert not refused.success
    assert 'not possible while paused' in refused.message
    assert world.trigger('resume').success
    world.until(lambda: len(robot.commands) > count + 10)


def test_an_emergency_stop_stays_until_a_person_resumes(world):
    robot, learner = world.run()
    assert world.trigger('estop').success
    world.until(lambda: learner.agent_state == ESTOP)
    count = len(robot.commands)
    world.spin(0.5)
    assert len(robot.commands) <= count + 1
    assert learner.episodes[-1].truncation_reason == 4
    assert world.trigger('resume').success
    world.until(lambda: len(robot.commands) > count + 10)


def test_a_scene_that_cannot_be_reset_needs_help(world):
    robot, learner = world.run(changes={'episode.time_limit': 10, 'episode.reset_attempts': 1})
    robot.fail_resets = 1
    world.until(lambda: learner.agent_state == NEEDS_HELP)
    assert 'the valve is stuck' in learner.statuses[-1].reason
    count = len(robot.commands)
    world.spin(0.3)
    assert len(robot.commands) == count
    assert world.trigger('continue_after_help').success
    world.until(lambda: len(robot.commands) > count + 5)


def test_live_parameters_are_checked_and_logged(world):
    _robot, learner = world.run(changes={'warmup.steps': 0})
    assert set_parameter(world, 'limits.action', 0.25).successful
    world.until(lambda: max(map(abs, learner.transitions[-1].action)) <= 0.25)
    refused = set_parameter(world, 'limits.action', 3.0)
    assert not refused.successful
    assert set_parameter(world, 'control_rate', 20.0).successful is False
    lines = (world.directory / 'run/agents/dclaw/changes.jsonl').read_text().splitlines()
    assert [json.loads(line)['limits.action'] for line in lines] == [0.25]
    assert 'limits.action is 0.25' in world.output.read_text()


def test_a_person_may_take_over_within_an_episode(world):
    from sac_msgs.msg import JointCommand

    from sac_core import qos
    from sac_core.convert import floats64

    # On a busy machine a sensor may be silent for long, which would end the episode.
    _robot, learner = world.run(lockstep=False, changes={'timing.stale_timeout': 10.0})
    publisher = world.node.create_publisher(JointCommand, '/dclaw/human_command', qos.COMMAND)
    names = [n.split(']')[0] for n in learner.specs[-1].action_names]
    episode = learner.transitions[-1].episode
    end = time.monotonic() + 10.0
    while sum(t.source == 3 for t in learner.transitions) < 8 and time.monotonic() < end:
        publisher.publish(JointCommand(names=names, values=floats64([0.05] * 9)))
        world.spin(0.1)
    human = [t for t in learner.transitions if t.source == 3]
    assert human
    assert human[0].episode == episode
    assert all(abs(v - 0.05) < 1e-6 for v in human[-1].command)
    world.until(lambda: learner.transitions[-1].source == 1)
    assert learner.transitions[-1].episode == episode


def test_every_parameter_is_described(world):
    from rcl_interfaces.srv import DescribeParameters

    world.run()
    names = ['smoothing.correlation', 'control_rate', 'episode.time_limit']
    request = DescribeParameters.Request(names=names)
    answer = world.call('/dclaw/sac_agent/describe_parameters', DescribeParameters, request)
    live, fixed, limit = answer.descriptors
    assert 'Lag-one correlation' in live.description
    assert live.floating_point_range[0].to_value == 0.999
    assert (live.read_only, fixed.read_only) == (False, True)
    assert limit.integer_range[0].from_value == 1
