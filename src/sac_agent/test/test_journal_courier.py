"""The courier: full disks, restarts, absent learners."""

import errno
import os
import time

import pytest

from sac_agent.journal import JournalFullError
from sac_core.bag.transitions import key

from .journal_records import COMMAND, record, sequences, SMALL, wait


def test_numbers_and_episodes_go_on_after_a_restart(start_courier, definitions, tmp_path) -> None:
    first = start_courier()
    record(first, definitions, 5, episode=3)
    first.close()
    second = start_courier()
    assert (second.stream_id, second.next_sequence) == (first.stream_id, 6)
    assert (second.next_episode, second.training_steps) == (4, 5)
    record(second, definitions, 5)
    second.close()
    assert sequences(tmp_path) == list(range(1, 11))


def test_a_restart_sends_only_what_is_not_durable(start_courier, definitions) -> None:
    first = start_courier()
    record(first, definitions, 10)
    wait(lambda: first.status().recorded == 10)
    first.on_ack(9, 7)
    first.close()
    sent: list[bytes] = []
    start_courier(sent.append)
    wait(lambda: len(sent) >= 3)
    assert [key(payload).sequence for payload in sent[:3]] == [8, 9, 10]


def test_a_transition_is_in_the_bag_before_it_is_sent(
    start_courier, definitions, tmp_path
) -> None:
    missing = []

    def publish(payload: bytes) -> None:
        if key(payload).sequence not in sequences(tmp_path):
            missing.append(key(payload).sequence)

    courier = start_courier(publish)
    for _ in range(20):
        record(courier, definitions, 3)
        time.sleep(0.002)
    wait(lambda: courier.status().recorded == 60)
    courier.close()
    assert not missing


def test_a_full_disk_sends_nothing_loses_nothing_and_says_so(
    start_courier, definitions, tmp_path, monkeypatch
) -> None:
    sent: list[bytes] = []
    courier = start_courier(sent.append, hold=50)
    record(courier, definitions, 5)
    wait(lambda: len(sent) == 5)
    write = os.pwrite

    def full(descriptor: int, data: bytes, offset: int) -> int:
        if len(data) > 100:
            return write(descriptor, bytes(data[:100]), offset)
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(os, 'pwrite', full)
    record(courier, definitions, 10)
    wait(lambda: 'No space left' in courier.status().problem)
    courier.record('/joint_command', definitions.encode(definitions.new(COMMAND), COMMAND))
    with pytest.raises(JournalFullError, match='make room'):
        record(courier, definitions, 100)
    assert courier.next_sequence == 56
    assert sequences(tmp_path) == [1, 2, 3, 4, 5]
    assert {key(payload).sequence for payload in sent} == {1, 2, 3, 4, 5}
    monkeypatch.setattr(os, 'pwrite', write)
    wait(lambda: courier.status().recorded == 55)
    assert not courier.status().problem
    wait(lambda: len({key(payload).sequence for payload in sent}) == 55)
    courier.close()
    assert sequences(tmp_path) == list(range(1, 56))


def test_older_transitions_come_from_the_disk_while_the_learner_is_away(
    start_courier, definitions
) -> None:
    sent: list[bytes] = []
    courier = start_courier(sent.append, split_bytes=SMALL, window=16, resend_after=0.05)
    record(courier, definitions, 2000)
    wait(lambda: courier.status().recorded == 2000)
    assert len(courier._dispatcher._outbox._payloads) <= 16
    received, end = 0, time.monotonic() + 20.0
    while received < 2000 and time.monotonic() < end:
        have = {key(payload).sequence for payload in sent}
        while received + 1 in have:
            received += 1
        courier.on_ack(received, received)
        time.sleep(0.002)
    assert received == 2000


def test_a_learner_that_starts_afresh_gets_everything(start_courier, definitions) -> None:
    sent: list[bytes] = []
    courier = start_courier(sent.append, split_bytes=SMALL, resend_after=0.05)
    record(courier, definitions, 300)
    wait(lambda: courier.status().recorded == 300)
    courier.on_ack(300, 300)
    wait(lambda: courier.status().durable == 300)
    sent.clear()
    courier.on_ack(0, 0)
    wait(lambda: len(sent) >= 300)
    assert [key(payload).sequence for payload in sent[:300]] == list(range(1, 301))


def test_a_failing_middleware_loses_nothing(start_courier, definitions) -> None:
    sent: list[bytes] = []
    working = False

    def publish(payload: bytes) -> None:
        if not working:
            raise RuntimeError('cannot publish data')
        sent.append(payload)

    courier = start_courier(publish, resend_after=0.02)
    record(courier, definitions, 3)
    wait(lambda: 'cannot publish data' in courier.status().problem)
    working = True
    wait(lambda: {key(payload).sequence for payload in sent} >= {1})
    assert not courier.status().problem
    courier.on_ack(1, 0)
    wait(lambda: {key(payload).sequence for payload in sent} == {1, 2, 3})
