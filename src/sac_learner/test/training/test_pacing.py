"""Pacing of updates by data and of data by updates."""

import pytest

from sac_learner.training.pacing import Pacer, UNLIMITED


@pytest.mark.parametrize('ratio', [0.1, 0.25, 1.0, 3.0])
def test_updates_follow_the_data_at_the_ratio(ratio: float) -> None:
    pacer = Pacer(ratio, warmup=100)
    updates = 0
    for transitions in range(1, 2001):
        updates += pacer.updates_due(transitions, updates)
    assert updates == pytest.approx(ratio * 1900, abs=1e-6)


def test_nothing_is_due_during_the_warm_up_and_nothing_is_owed_for_it() -> None:
    pacer = Pacer(2.0, warmup=100)
    assert [pacer.updates_due(t, 0) for t in (0, 99, 100, 101)] == [0, 0, 0, 2]


@pytest.mark.parametrize('ratio', [0.1, 1.0, 20.0])
def test_data_may_lead_by_so_much_and_never_deadlock(ratio: float) -> None:
    pacer = Pacer(ratio, warmup=50, max_lead=10)
    assert pacer.transition_budget(0) == 60
    transitions = updates = 0
    for _ in range(500):
        assert transitions < pacer.transition_budget(updates) or pacer.updates_due(
            transitions, updates
        ), 'one of the two can always go on'
        transitions = pacer.transition_budget(updates)
        updates += pacer.updates_due(transitions, updates)
        assert ratio * (transitions - 50) - updates <= max(10 * ratio, 1) + 1e-9


def test_learning_may_go_on_for_a_while_when_the_robot_rests() -> None:
    pacer = Pacer(1.0, update_lead=500)
    assert pacer.updates_due(1000, 1000) == 500
    assert pacer.updates_due(1000, 1500) == 0


def test_a_new_ratio_acts_from_now_on_only() -> None:
    pacer = Pacer(1.0)
    pacer.set_ratio(10.0, 1000, 1000)
    assert pacer.updates_due(1000, 1000) == 0
    assert pacer.updates_due(1001, 1000) == 10
    pacer.set_ratio(0.5, 1001, 1010)
    assert pacer.updates_due(1001, 1010) == 0
    assert pacer.updates_due(1003, 1010) == 1
    assert pacer.transition_budget(1010) == 1001 + 100


def test_updates_that_were_due_stay_due_under_a_new_ratio() -> None:
    pacer = Pacer(1.0)
    pacer.set_ratio(0.1, 1000, 900)
    assert pacer.updates_due(1000, 900) == 100


def test_a_ratio_of_zero_stops_learning_and_never_the_robot() -> None:
    pacer = Pacer(1.0, max_lead=1)
    pacer.set_ratio(0.0, 10, 10)
    assert pacer.updates_due(1000, 10) == 0
    assert pacer.transition_budget(10) >= UNLIMITED
    pacer.set_ratio(1.0, 1000, 10)
    assert pacer.updates_due(1000, 10) == 0


def test_a_resumed_run_owes_what_came_since_its_checkpoint_and_no_more() -> None:
    before = Pacer(1.0, warmup=100)
    before.set_ratio(2.0, 500, 400)
    after = Pacer(2.0, warmup=100)
    after.restore(before.state(), transitions=620, updates=600)
    assert after.updates_due(620, 600) == 400 + 2 * 120 - 600


def test_a_resumed_run_with_another_ratio_does_not_explode() -> None:
    after = Pacer(20.0)
    after.restore(Pacer(1.0).state(), transitions=1000, updates=1000)
    assert after.updates_due(1000, 1000) == 0
    assert after.updates_due(1001, 1000) == 20


def test_a_replay_that_was_there_before_owes_nothing() -> None:
    pacer = Pacer(1.0, warmup=10)
    pacer.rebase(5000, 0)
    assert pacer.updates_due(5000, 0) == 0
    assert pacer.updates_due(5001, 0) == 1


@pytest.mark.parametrize(
    'state', [{}, {'ratio': 1.0}, {'ratio': 'x', 'transitions': 0, 'updates': 0}]
)
def test_a_damaged_state_is_refused(state) -> None:
    with pytest.raises(ValueError, match='pacing state needs'):
        Pacer(1.0).restore(state, 0, 0)


@pytest.mark.parametrize('ratio', [-1.0, float('nan'), float('inf')])
def test_an_impossible_ratio_is_refused(ratio: float) -> None:
    with pytest.raises(ValueError, match='must be a number >= 0'):
        Pacer(ratio)
    with pytest.raises(ValueError, match='max_lead must be at least 1'):
        Pacer(1.0, max_lead=0)
