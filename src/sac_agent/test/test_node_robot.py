"""The agent node as a process, and what a robot, its driver and its clock may do."""

import signal

import pytest

RUNNING, ESTOP = 1, 6  # of AgentStatus


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
        # Its observation may be one that came during the pause, so the stamps may tell of less.
        world.until(lambda n=count: any(t.deadline_missed for t in learner.transitions[n:]))
    long = [t for t in learner.transitions if _duration(t) > 0.2]
    assert all(t.deadline_missed for t in long)
    world.until(lambda: learner.statuses[-1].deadline_misses >= max(3, len(long)))


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


def test_a_limp_driver_truncates_and_no_reset_is_tried_until_it_is_enabled(world):
    robot, learner = world.run()
    robot.tell('limp: a motor is silent')
    world.until(lambda: learner.agent_state == 0)
    world.until(lambda: 'the driver, which is limp' in learner.statuses[-1].reason)
    assert learner.episodes[-1].truncation_reason == 4
    resets = robot.resets
    world.spin(0.8)
    assert robot.resets == resets
    robot.tell('active')
    world.until(lambda: learner.agent_state == RUNNING)


def test_an_emergency_stop_of_the_driver_stops_the_agent_too(world):
    robot, learner = world.run()
    robot.tell('estop: button')
    world.until(lambda: learner.agent_state == ESTOP)
    robot.tell('active')
    world.spin(0.5)
    assert learner.agent_state == ESTOP
    assert world.trigger('resume').success
    world.until(lambda: learner.agent_state == RUNNING)
