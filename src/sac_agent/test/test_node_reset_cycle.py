"""Resets ask in the words that the robot's service knows."""

from types import SimpleNamespace

import pytest

pytest.importorskip('sac_msgs')

from sac_msgs.srv import ResetRobot
from std_srvs.srv import Trigger

from sac_agent.config import EpisodeConfig
from sac_agent.node.reset_cycle import ResetCycle


class FakeNode:
    """Keeps what was asked, and lets the test answer."""

    def __init__(self):
        self.requests, self.answer = [], None

    def create_client(self, kind, name):
        self.kind, self.name = kind, name
        return SimpleNamespace(call_async=self._call, service_is_ready=lambda: True)

    def _call(self, request):
        self.requests.append(request)
        return SimpleNamespace(
            add_done_callback=self._answer_with, done=lambda: False, cancel=lambda: None
        )

    def _answer_with(self, callback):
        self.answer = callback

    def create_timer(self, period, callback, clock):
        return None

    def get_logger(self):
        return SimpleNamespace(warning=lambda text: None)


@pytest.fixture
def events():
    return []


def cycle(node, events, now=lambda: 0.0, **config):
    return ResetCycle(
        node,
        EpisodeConfig(**config),
        None,
        now=now,
        on_done=lambda: events.append('done'),
        on_settled=lambda: None,
        on_help=lambda text: events.append(text),
    )


def answer(reset, node, response):
    future = reset._future
    future.cancelled, future.exception = lambda: False, lambda: None
    future.result = lambda: response
    node.answer(future)


def test_a_reset_robot_service_is_told_the_goal(events):
    node = FakeNode()
    cycle(node, events).begin({'valve': 0.5})
    assert (node.kind, node.requests[0].names) == (ResetRobot, ['valve'])


def test_a_trigger_service_resets_as_well(events):
    node = FakeNode()
    reset = cycle(node, events, reset_service='/arm/reset', reset_type='std_srvs/srv/Trigger')
    reset.begin({'valve': 0.5})
    assert (node.kind, node.name) == (Trigger, '/arm/reset')
    assert isinstance(node.requests[0], Trigger.Request)
    answer(reset, node, Trigger.Response(success=True))
    assert events == ['done']


def test_a_trigger_that_fails_too_often_asks_for_a_person(events):
    node = FakeNode()
    reset = cycle(
        node,
        events,
        reset_service='reset',
        reset_type='std_srvs/srv/Trigger',
        reset_attempts=2,
    )
    for _ in range(2):
        reset.begin({})
        answer(reset, node, Trigger.Response(message='out of reach'))
    assert events == ['out of reach']


@pytest.mark.parametrize(
    ('states', 'again_after'),
    [
        (['limp: not enabled yet', 'active'], 2.1),  # it was killed, or has only just started
        (['resetting', 'limp: closed', 'limp: not enabled yet'], 2.1),
        (['limp: not enabled yet', 'active', 'resetting'], 25.1),  # it is at work
        (['active'], 25.1),  # busy, but the same
        ([], 25.1),  # a driver that tells nothing
    ],
)
@pytest.mark.parametrize('abandoned', [False, True])
def test_a_request_that_got_lost_is_made_again(events, states, again_after, abandoned):
    time = [10.0]
    node = FakeNode()
    reset = cycle(node, events, now=lambda: time[0], reset_timeout=20.0)
    reset.begin({})
    if abandoned:
        reset.abandon()
    for state in states:
        reset.heard(state)
    time[0] = 10.0 + again_after - 0.2
    assert not reset.due()
    time[0] = 10.0 + again_after
    reset.due()  # no answer at all counts as a failure, and is asked for again a second later
    time[0] += 1.1
    assert reset.due()
    assert events == []


def test_a_reset_without_an_answer_counts_as_one_failure(events):
    time = [0.0]
    node = FakeNode()
    reset = cycle(node, events, now=lambda: time[0], reset_timeout=20.0, reset_attempts=2)
    reset.begin({'valve': 0.5})
    future = reset._future
    future.cancelled = lambda: True
    future.exception = lambda: None
    future.cancel = lambda: node.answer(future)  # as rclpy: who waits is told at once
    time[0] = 30.0
    reset.due()
    assert events == []


def test_a_reset_under_way_is_waited_for(events):
    time = [0.0]
    reset = cycle(FakeNode(), events, now=lambda: time[0], reset_timeout=20.0)
    reset.heard('resetting')
    time[0] = 24.0
    assert not reset.due()
    reset.heard('active')
    assert reset.due()
    reset.heard('resetting')
    time[0] = 60.0
    assert reset.due()  # the driver hangs: ask, and let it say what is wrong
