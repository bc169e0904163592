"""The life of an agent."""

import pytest

from sac_agent.episode.machine import EpisodeMachine, Event, State, TRANSITIONS


def machine(*events, start=0.0, step=1.0):
    m = EpisodeMachine(start)
    for i, event in enumerate(events):
        assert m.on(event, start + (i + 1) * step), event.name
    return m


RUNNING = (Event.READY, Event.RESET_DONE)


def test_episodes_alternate_with_resets():
    m = machine(*RUNNING)
    assert m.state is State.RUNNING
    m.on(Event.EPISODE_END, 3.0)
    assert m.state is State.RESETTING
    assert m.reason == 'episode has ended'


@pytest.mark.parametrize(
    ('events', 'state'),
    [
        ((*RUNNING, Event.PAUSE), State.PAUSED),
        ((*RUNNING, Event.PAUSE, Event.RESUME), State.WAITING),
        ((*RUNNING, Event.LOST), State.WAITING),
        ((Event.READY, Event.NEED_HELP), State.NEEDS_HELP),
        ((Event.READY, Event.NEED_HELP, Event.CONTINUE), State.WAITING),
        ((*RUNNING, Event.ESTOP), State.ESTOP),
        ((*RUNNING, Event.ESTOP, Event.RESUME), State.WAITING),
        ((*RUNNING, Event.HUMAN_ON), State.HUMAN),
        ((*RUNNING, Event.HUMAN_ON, Event.HUMAN_OFF), State.RUNNING),
        ((*RUNNING, Event.HUMAN_ON, Event.EPISODE_END), State.HUMAN),
        ((*RUNNING, Event.HUMAN_ON, Event.EPISODE_END, Event.HUMAN_OFF), State.WAITING),
        ((Event.HUMAN_ON, Event.HUMAN_OFF), State.WAITING),
        ((*RUNNING, Event.FINISH), State.FINISHED),
    ],
)
def test_every_way_of_life(events, state):
    assert machine(*events).state is state


@pytest.mark.parametrize('state', [State.ESTOP, State.NEEDS_HELP, State.PAUSED])
def test_nothing_but_a_person_leads_out_of_a_stop(state):
    by_itself = {Event.READY, Event.RESET_DONE, Event.EPISODE_END, Event.LOST, Event.HUMAN_OFF}
    assert not [e for (s, e) in TRANSITIONS if s is state and e in by_itself]


def test_an_emergency_stop_is_possible_from_every_state_but_the_end():
    for state in State:
        if state not in (State.ESTOP, State.FINISHED):
            assert TRANSITIONS[state, Event.ESTOP] is State.ESTOP


def test_an_impossible_event_changes_nothing_and_says_why():
    m = machine(*RUNNING)
    assert not m.on(Event.RESUME, 5.0)
    assert m.state is State.RUNNING
    assert m.refusal(Event.RESUME) == (
        'not possible while running (reset is done); only while paused, estop'
    )


def test_time_is_booked_by_kind():
    m = EpisodeMachine(0.0, {'acting': 100.0})
    m.on(Event.READY, 2.0)
    m.on(Event.RESET_DONE, 5.0)
    m.on(Event.LOST, 9.0)
    m.on(Event.READY, 10.0)
    m.on(Event.HUMAN_ON, 12.0)
    m.tick(15.0)
    assert m.account == {
        'acting': 104.0, 'resetting': 5.0, 'waiting': 2.0, 'human': 3.0, 'fault': 1.0,
    }  # fmt: skip
