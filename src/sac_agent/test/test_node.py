"""The agent node as a process between a fake robot and a fake learner."""

import signal

import pytest

FINISHED = 7  # of AgentStatus


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


def test_it_rests_when_the_learner_has_finished(world):
    robot, learner = world.run()
    learner.state = 5
    world.until(lambda: learner.agent_state == FINISHED)
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
