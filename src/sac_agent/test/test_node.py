"""The agent node as a process between a fake robot and a fake learner."""


def test_steps_are_recorded_once_and_in_order(world):
    robot, learner = world.run(changes={'episode.time_limit': 20})
    world.until(lambda: len(learner.episodes) >= 3)
    transitions = {t.sequence: t for t in learner.transitions}
    assert sorted(transitions) == list(range(1, len(transitions) + 1))
    first, second = transitions[1], transitions[2]
    assert first.segment_start
    assert not second.segment_start
    assert list(first.next_observation.vector) == list(second.observation.vector)
    assert transitions[20].truncated
    assert not transitions[20].terminated
    assert transitions[20].truncation_reason == 1
    assert transitions[21].step == 0
    assert robot.resets >= 3
