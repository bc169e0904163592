"""The agent node as a process between a fake robot and a fake learner."""

import json
import signal
import time

import pytest

RESETTING, RUNNING, PAUSED, HUMAN, NEEDS_HELP, ESTOP, FINISHED = 2, 1, 3, 4, 5, 6, 7


def state(learner):
    return learner.statuses[-1].state if learner.statuses else None


def set_parameter(world, name, value):
    from rcl_interfaces.srv import SetParameters
    from rclpy.parameter import Parameter

    request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
    return world.call('/dclaw/sac_agent/set_parameters', SetParameters, request).results[0]


def test_sigint_truncates_the_episode_and_leaves_nothing_unsent(world):
    _, learner = world.run(changes={'episode.time_limit': 100_000})
    assert world.stop(signal.SIGINT) == 0
    world.spin(0.3)
    assert learner.sequences() == list(range(1, len(learner.sequences()) + 1))
    last = max(learner.transitions, key=lambda t: t.sequence)
    assert (last.truncation_reason, last.truncated, last.terminated) == (5, True, False)
    assert learner.episodes[-1].truncation_reason == 5
    assert (world.directory / 'run' / 'agents' / 'dclaw' / 'hours.json').exists()


def test_steps_are_recorded_once_and_in_order(world):
    robot, learner = world.run(changes={'episode.time_limit': 20})
    world.until(lambda: len(learner.episodes) >= 3)
    transitions = {t.sequence: t for t in learner.transitions}
    assert sorted(transitions) == list(range(1, len(transitions) + 1))
    first, second = transitions[1], transitions[2]
    assert first.segment_start
    assert not second.segment_start
    assert list(first.next_observation.vector) == list(second.observation.vector)
    assert list(first.command) == list(robot.commands[0].values)
    assert transitions[20].truncated
    assert not transitions[20].terminated
    assert transitions[20].truncation_reason == 1
    assert transitions[21].step == 0
    assert robot.resets >= 3
    assert learner.specs[-1].agent_id == 'dclaw'


def test_a_restarted_agent_goes_on_with_the_next_number(world):
    _, learner = world.run(changes={'episode.time_limit': 20})
    world.until(lambda: len(learner.transitions) > 50)
    world.agent.kill()
    world.agent.wait()
    world.spin(0.2)
    before, episodes = max(learner.sequences()), learner.transitions[-1].episode
    world.start({'episode.time_limit': 20})
    world.until(lambda: max(learner.sequences()) > before + 20)
    # What the killed agent had not sent comes again, perhaps after newer ones.
    world.until(lambda: learner.sequences() == list(range(1, max(learner.sequences()) + 1)))
    assert len({t.stream_id for t in learner.transitions}) == 1
    later = [t for t in learner.transitions if t.sequence > before + 20]
    assert all(t.episode > episodes for t in later)


def test_a_simulated_robot_waits_for_the_learner(world):
    robot, learner = world.run()
    learner.budget = len(learner.sequences()) + 300
    world.until(lambda: len(learner.sequences()) >= learner.budget)
    world.until(lambda: learner.statuses[-1].reason == 'waits for the learner')
    assert len(learner.sequences()) == learner.budget
    count = len(robot.commands)
    world.spin(0.5)
    assert len(robot.commands) == count
    learner.budget += 20
    world.until(lambda: len(robot.commands) >= count + 20)


def test_weights_are_adopted_or_refused(world):
    _robot, learner = world.run(changes={'warmup.steps': 0})
    learner.publish_policy()
    world.until(lambda: learner.transitions[-1].policy_version == 1)
    learner.publish_policy(crc32=0)
    world.until(lambda: learner.statuses[-1].refused_weights == 1)
    assert learner.transitions[-1].policy_version == 1
    learner.publish_policy()
    world.until(lambda: learner.transitions[-1].policy_version == 3)

    from sac_msgs.srv import RollbackPolicy

    back = world.call(
        '/dclaw/sac_agent/rollback', RollbackPolicy, RollbackPolicy.Request(version=1)
    )
    assert back.success
    world.until(lambda: learner.transitions[-1].policy_version == 1)


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
    world.until(lambda: state(learner) == PAUSED)
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
    world.until(lambda: state(learner) == ESTOP)
    count = len(robot.commands)
    world.spin(0.5)
    assert len(robot.commands) <= count + 1
    assert learner.episodes[-1].truncation_reason == 4
    assert world.trigger('resume').success
    world.until(lambda: len(robot.commands) > count + 10)


def test_a_scene_that_cannot_be_reset_needs_help(world):
    robot, learner = world.run(changes={'episode.time_limit': 10, 'episode.reset_attempts': 1})
    robot.fail_resets = 1
    world.until(lambda: state(learner) == NEEDS_HELP)
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


def test_the_clock_sets_the_rate_whatever_the_learner_does(world):
    robot, learner = world.run(lockstep=False)
    learner.budget = 0
    learner.state = 4
    start = len(robot.commands)
    world.spin(3.0)
    assert len(robot.commands) - start == pytest.approx(30, abs=3)
    ages = [t.observation_age for t in learner.transitions]
    assert sorted(ages)[len(ages) // 2] < 0.05


def test_steps_that_span_a_pause_of_the_process_have_missed_their_deadline(world):
    changes = {'timing.stale_timeout': 10.0, 'episode.time_limit': 100_000}
    _robot, learner = world.run(lockstep=False, changes=changes)
    for pause in (0.25, 0.3, 0.35):
        count = len(learner.transitions)
        world.agent.send_signal(signal.SIGSTOP)
        world.spin(pause)
        world.agent.send_signal(signal.SIGCONT)
        world.until(lambda n=count: len(learner.transitions) >= n + 5)
    long = [t for t in learner.transitions if _duration(t) > 0.2]
    assert len(long) >= 3
    assert all(t.deadline_missed for t in long)
    world.until(lambda: learner.statuses[-1].deadline_misses >= len(long))


def _duration(transition):
    """Return the time between the observations of a step [s]."""
    stamps = (transition.next_observation.stamp, transition.observation.stamp)
    end, start = (stamp.sec * 10**9 + stamp.nanosec for stamp in stamps)
    return 1e-9 * (end - start)


def test_a_reset_that_has_nothing_to_do_begins_an_episode(world):
    robot, learner = world.run(changes={'episode.time_limit': 20})
    robot.resets_need_nothing = True
    resets = robot.resets
    world.until(lambda: robot.resets > resets + 1)
    assert all(e.truncation_reason == 1 for e in learner.episodes)


def test_a_reset_by_somebody_else_truncates(world):
    robot, learner = world.run(lockstep=False, changes={'episode.time_limit': 100_000})
    robot.tell('resetting')
    world.until(lambda: learner.episodes)
    assert learner.episodes[-1].truncation_reason == 3
    count = len(learner.sequences())
    world.spin(0.5)
    assert len(learner.sequences()) == count
    robot.tell('active')
    world.until(lambda: len(learner.sequences()) > count)


@pytest.mark.parametrize('step', [3600.0, -3600.0])
def test_a_stepped_clock_does_not_stop_the_robot(world, step):
    robot, learner = world.run(lockstep=False)
    robot.clock_offset = round(step * 1e9)
    world.spin(0.5)
    start, last = len(robot.commands), max(learner.sequences())
    world.spin(2.0)
    assert len(robot.commands) - start == pytest.approx(20, abs=3)
    assert max(learner.sequences()) >= last + 15


def test_a_silent_sensor_truncates_and_its_return_begins_anew(world):
    robot, learner = world.run(lockstep=False)
    robot.silent = True
    world.until(lambda: learner.episodes)
    assert learner.episodes[-1].truncation_reason == 2
    count = len(robot.commands)
    world.spin(0.5)
    assert len(robot.commands) == count
    robot.silent = False
    resets = robot.resets
    world.until(lambda: len(robot.commands) > count + 3)
    assert robot.resets == resets + 1


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


def test_a_limp_driver_truncates_and_no_reset_is_tried_until_it_is_enabled(world):
    robot, learner = world.run()
    robot.tell('limp: a motor is silent')
    world.until(lambda: state(learner) == 0)
    world.until(lambda: 'the driver, which is limp' in learner.statuses[-1].reason)
    assert learner.episodes[-1].truncation_reason == 4
    resets = robot.resets
    world.spin(0.8)
    assert robot.resets == resets
    robot.tell('active')
    world.until(lambda: state(learner) == RUNNING)


def test_an_emergency_stop_of_the_driver_stops_the_agent_too(world):
    robot, learner = world.run()
    robot.tell('estop: button')
    world.until(lambda: state(learner) == ESTOP)
    robot.tell('active')
    world.spin(0.5)
    assert state(learner) == ESTOP
    assert world.trigger('resume').success
    world.until(lambda: state(learner) == RUNNING)


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


def test_it_rests_when_the_learner_has_finished(world):
    robot, learner = world.run()
    learner.state = 5
    world.until(lambda: state(learner) == FINISHED)
    count = len(robot.commands)
    world.spin(0.3)
    assert len(robot.commands) == count
    assert world.stop() == 0


@pytest.mark.parametrize(
    ('changes', 'text'),
    [
        ({'task': 'juggle'}, 'sac_agent: task: must be one of dclaw_valve'),
        ({'sensor': 1}, 'sac_agent.sensor: unknown key'),
        ({'control_rate': 'fast'}, 'sac_agent.control_rate: must be of type float'),
    ],
)
def test_a_wrong_configuration_is_one_line_and_exit_code_2(world, changes, text):
    world.start(changes)
    world.until(lambda: world.agent.poll() is not None)
    assert world.agent.returncode == 2
    output = world.output.read_text()
    assert text in output
    assert 'Traceback' not in output
