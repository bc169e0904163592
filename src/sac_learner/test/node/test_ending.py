"""A run ends after the last evaluation of every robot, and not much later."""

from sac_learner.node.ending import Ending


def exhausted(limit=100):
    ending = Ending(limit, patience=60.0)
    assert ending.exhaust(0.0)
    assert not ending.exhaust(1.0)
    return ending


def test_nothing_ends_before_the_steps_are_used_up():
    ending = Ending(100)
    ending.evaluated('a', 100, 0.0)
    assert not ending.is_over(['a'], 1e9)


def test_the_last_evaluation_of_the_only_robot_may_come_before_the_last_update():
    ending = Ending(100)
    ending.evaluated('a', 100, 0.0)
    ending.owes('a', 0)
    ending.exhaust(1.0)
    assert ending.is_over(['a'], 2.0)


def test_an_evaluation_on_the_way_is_not_the_last_one():
    ending = Ending(100)
    ending.evaluated('a', 50, 0.0)
    ending.exhaust(1.0)
    assert not ending.is_over(['a'], 2.0)


def test_all_robots_have_their_last_evaluation():
    ending = exhausted()
    ending.evaluated('a', 55, 2.0)
    ending.owes('a', 0)
    assert not ending.is_over(['a', 'b'], 3.0)
    ending.evaluated('b', 45, 4.0)
    ending.owes('b', 0)
    assert ending.is_over(['a', 'b'], 5.0)


def test_the_step_that_ended_the_last_evaluation_is_waited_for():
    ending = exhausted()
    ending.owes('a', 0)  # before the evaluation: says nothing
    ending.evaluated('a', 100, 4.0)
    assert not ending.is_over(['a'], 4.1)
    ending.owes('a', 1)
    assert not ending.is_over(['a'], 9.0)
    ending.owes('a', 0)
    assert ending.is_over(['a'], 9.1)


def test_what_a_dead_agent_owes_is_waited_for_no_longer_than_it_is_heard():
    ending = exhausted()
    ending.evaluated('a', 100, 4.0)
    ending.owes('a', 3)
    assert not ending.is_over(['a'], 60.0)
    assert ending.is_over(['a'], 65.0)


def test_a_robot_that_tests_slowly_is_waited_for_and_a_silent_one_is_not():
    ending = exhausted()
    for time in (50.0, 100.0, 150.0):
        ending.tested(time)
    assert not ending.is_over(['a'], 200.0)
    assert ending.is_over(['a'], 211.0)


def test_solved_are_evaluations_in_a_row_unless_none_ends_the_run():
    ending, endless = Ending(0, solved_in_a_row=2), Ending(0)
    seen = []
    for solved in (True, False, True, True):
        for each in (ending, endless):
            each.evaluated('a', 10, now=0.0, solved=solved)
        seen.append(ending.solved)
    assert seen == [False, False, False, True]
    assert not endless.solved
