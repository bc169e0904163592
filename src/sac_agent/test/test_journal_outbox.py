"""Exactly once over a channel that drops, doubles, reorders, and ends that die."""

from collections.abc import Sequence
import random

import pytest

from sac_agent.journal import Outbox

WINDOW = 8
RESEND_AFTER = 0.5


class Learner:
    """A receiver that ignores numbers it knows, and forgets what is not durable when it dies."""

    def __init__(self) -> None:
        self.accepted: list[bytes] = []  # in order of acceptance, what it was trained with
        self._received = 0
        self._beyond: dict[int, bytes] = {}
        self.durable: list[bytes] = []

    def receive(self, payload: bytes) -> None:
        sequence = int(payload)
        if sequence <= self._received or sequence in self._beyond:
            return
        self._beyond[sequence] = payload
        while self._received + 1 in self._beyond:
            self._received += 1
            self.accepted.append(self._beyond.pop(self._received))

    def save(self) -> None:
        self.durable = list(self.accepted)

    def die(self) -> None:
        self.accepted = list(self.durable)
        self._received = len(self.accepted)
        self._beyond.clear()

    def ack(self) -> tuple[int, int]:
        return self._received, len(self.durable)


class World:
    """Agent, learner, and the two channels between them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.journal: list[bytes] = []
        self.mark = 0
        self.time = 0.0
        self.learner = Learner()
        self.outbox = self.new_outbox()
        self.data: list[bytes] = []
        self.acks: list[tuple[int, int]] = []

    def read(self, first: int, count: int) -> Sequence[bytes]:
        return self.journal[first - 1 : first - 1 + count]

    def new_outbox(self) -> Outbox:
        return Outbox(
            self.read,
            last=len(self.journal),
            received=self.mark,
            window=WINDOW,
            resend_after=RESEND_AFTER,
        )

    def act(self) -> None:
        payload = b'%d' % (len(self.journal) + 1)
        self.journal.append(payload)
        self.outbox.add(len(self.journal), payload)

    def send(self) -> None:
        self.data += self.outbox.due(self.time)

    def deliver(self, chaos: float) -> None:
        for channel, take in ((self.data, self.learner.receive), (self.acks, self.take_ack)):
            if self.random.random() < chaos:
                self.random.shuffle(channel)
            waiting = [item for item in channel if self.random.random() < chaos]
            for item in channel:
                if self.random.random() < chaos:
                    continue
                for _ in range(1 + (self.random.random() < chaos)):
                    take(item)
            channel[:] = waiting

    def take_ack(self, ack: tuple[int, int]) -> None:
        self.outbox.on_ack(*ack, self.time)

    def step(self, chaos: float) -> None:
        self.time += self.random.choice((0.01, 0.1, 0.6))
        if chaos:
            for _ in range(self.random.randrange(4)):
                self.act()
            if self.random.random() < 0.1 * chaos:
                self.mark = self.random.choice((self.mark, self.outbox.durable))
                self.outbox = self.new_outbox()
            if self.random.random() < 0.1 * chaos:
                self.learner.die()
        self.send()
        self.deliver(chaos)
        if self.random.random() < 0.3:
            self.learner.save()
        self.acks.append(self.learner.ack())


@pytest.mark.parametrize('block', range(10))
def test_every_transition_arrives_exactly_once_under_random_schedules(block: int) -> None:
    for seed in range(300 * block, 300 * (block + 1)):
        world = World(seed)
        chaos = world.random.choice((0.1, 0.5, 0.9))
        for _ in range(60):
            world.step(chaos)
        # Nothing needs to go on for ever: some calm steps bring the rest.
        for _ in range(20 + len(world.journal)):
            world.step(0.0)
        assert world.learner.accepted == world.journal, seed
        assert world.outbox.unacknowledged == len(world.journal) - len(world.learner.durable)


def test_a_new_transition_is_sent_at_once_and_only_once() -> None:
    outbox = Outbox(lambda first, count: [], window=WINDOW)
    outbox.add(1, b'1')
    assert outbox.due(0.0) == [b'1']
    assert outbox.due(0.0) == []


def test_what_is_not_acknowledged_is_sent_again_after_the_timeout() -> None:
    outbox = Outbox(lambda first, count: [], window=WINDOW, resend_after=0.5)
    outbox.add(1, b'1')
    outbox.due(0.0)
    assert outbox.due(0.4) == []
    assert outbox.due(0.6) == [b'1']


def test_no_more_than_the_window_is_under_way_or_in_memory() -> None:
    journal = [b'%d' % n for n in range(1, 1001)]
    outbox = Outbox(lambda first, count: journal[first - 1 : first - 1 + count], window=WINDOW)
    for n, payload in enumerate(journal, start=1):
        outbox.add(n, payload)
    assert len(outbox.due(0.0)) == WINDOW
    assert len(outbox._payloads) == WINDOW


def test_an_absent_learner_costs_one_message_per_timeout() -> None:
    outbox = Outbox(lambda first, count: [], window=WINDOW, resend_after=0.5)
    for n in range(1, 6):
        outbox.add(n, b'%d' % n)
    outbox.due(0.0)
    assert [outbox.due(0.6 * k) for k in range(1, 4)] == [[b'1']] * 3


def test_a_returning_learner_gets_everything_quickly() -> None:
    journal = [b'%d' % n for n in range(1, 5001)]
    outbox = Outbox(lambda first, count: journal[first - 1 : first - 1 + count], window=512)
    for n, payload in enumerate(journal, start=1):
        outbox.add(n, payload)
    outbox.due(0.0)  # nobody listens
    learner, now = Learner(), 3600.0
    while learner.ack()[0] < 5000 and now < 3610.0:
        outbox.on_ack(*learner.ack(), now)
        for payload in outbox.due(now):
            learner.receive(payload)
        now += 0.05
    assert learner.accepted == journal
    assert now < 3605.0


def test_a_learner_that_lost_some_gets_them_again() -> None:
    outbox = Outbox(
        lambda first, count: [b'%d' % (first + i) for i in range(count)], window=WINDOW
    )
    for n in range(1, 6):
        outbox.add(n, b'%d' % n)
    outbox.due(0.0)
    outbox.on_ack(5, 2, 0.1)
    assert outbox.due(0.2) == []
    outbox.on_ack(2, 2, 0.3)
    assert outbox.due(0.3) == [b'3', b'4', b'5']


def test_a_learner_that_has_more_than_was_sent_is_refused() -> None:
    outbox = Outbox(lambda first, count: [], last=3)
    with pytest.raises(ValueError, match='knows another journal'):
        outbox.on_ack(4, 0, 0.0)


def test_a_gap_in_the_numbers_is_refused() -> None:
    outbox = Outbox(lambda first, count: [], last=3)
    with pytest.raises(ValueError, match='must be 4, got 5'):
        outbox.add(5, b'5')
