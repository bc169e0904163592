"""The courier: full disks, limits, restarts, absent learners."""

from collections.abc import Callable, Iterator
import errno
import os
from pathlib import Path
import time
from typing import Any

import pytest

from sac_agent.journal import Courier, Journal, JournalConfig, JournalError, JournalFullError
from sac_core.bag import BagReader, Definitions
from sac_core.bag.transitions import AGENT_SPEC, key, TRANSITION

SMALL = 1 << 16
COMMAND = 'sac_msgs/msg/JointCommand'


@pytest.fixture(scope='module')
def definitions() -> Definitions:
    return Definitions({'sac_msgs': Path(__file__).resolve().parents[2] / 'sac_msgs' / 'msg'})


@pytest.fixture
def start(tmp_path: Path, definitions: Definitions) -> Iterator[Callable[..., Courier]]:
    started = []

    def begin(publish: Callable[[bytes], None] = lambda payload: None, **config: Any) -> Courier:
        started.append(
            Courier(
                tmp_path / 'robot',
                'robot',
                publish,
                JournalConfig(**config),
                definitions=definitions,
            )
        )
        started[-1].add_topic('/joint_command', COMMAND)
        return started[-1]

    yield begin
    for courier in started:
        courier.close()


def record(courier: Courier, definitions: Definitions, count: int, episode: int = 0) -> None:
    for _ in range(count):
        message = definitions.new(
            TRANSITION,
            agent_id='robot',
            stream_id=courier.stream_id,
            sequence=courier.next_sequence,
            episode=episode,
        )
        courier.transition(definitions.encode(message, TRANSITION))


def wait(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10.0
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def sequences(tmp_path: Path) -> list[int]:
    messages = BagReader(tmp_path / 'robot').messages({'/transition'})
    return [key(message.data).sequence for message in messages]


def test_numbers_and_episodes_go_on_after_a_restart(start, definitions, tmp_path) -> None:
    first = start()
    record(first, definitions, 5, episode=3)
    first.close()
    second = start()
    assert (second.stream_id, second.next_sequence) == (first.stream_id, 6)
    assert (second.next_episode, second.training_steps) == (4, 5)
    record(second, definitions, 5)
    second.close()
    assert sequences(tmp_path) == list(range(1, 11))


def test_a_restart_sends_only_what_is_not_durable(start, definitions) -> None:
    first = start()
    record(first, definitions, 10)
    wait(lambda: first.status().recorded == 10)
    first.on_ack(9, 7)
    first.close()
    sent: list[bytes] = []
    start(sent.append)
    wait(lambda: len(sent) >= 3)
    assert [key(payload).sequence for payload in sent[:3]] == [8, 9, 10]


def test_a_transition_is_in_the_bag_before_it_is_sent(start, definitions, tmp_path) -> None:
    missing = []

    def publish(payload: bytes) -> None:
        if key(payload).sequence not in sequences(tmp_path):
            missing.append(key(payload).sequence)

    courier = start(publish)
    for _ in range(20):
        record(courier, definitions, 3)
        time.sleep(0.002)
    wait(lambda: courier.status().recorded == 60)
    courier.close()
    assert not missing


def test_a_full_disk_sends_nothing_loses_nothing_and_says_so(
    start, definitions, tmp_path, monkeypatch
) -> None:
    sent: list[bytes] = []
    courier = start(sent.append, hold=50)
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


def test_beyond_the_limit_only_durable_files_are_deleted(start, definitions, tmp_path) -> None:
    courier = start(split_bytes=SMALL, max_bytes=4 * SMALL)
    record(courier, definitions, 3000)
    wait(lambda: courier.status().recorded == 3000)
    assert sequences(tmp_path)[0] == 1  # nothing is acknowledged, so everything stays
    courier.on_ack(2500, 2000)
    record(courier, definitions, 1)
    wait(lambda: courier.status().recorded == 3001)
    left = sequences(tmp_path)
    assert left == list(range(left[0], 3002))
    assert 1 < left[0] <= 2001
    courier.close()
    again = start()
    assert again.next_sequence == 3002


def test_without_a_limit_nothing_is_deleted(start, definitions, tmp_path) -> None:
    courier = start(split_bytes=SMALL)
    record(courier, definitions, 1000)
    wait(lambda: courier.status().recorded == 1000)
    courier.on_ack(1000, 1000)
    record(courier, definitions, 1)
    courier.close()
    assert len(sequences(tmp_path)) == 1001


def test_older_transitions_come_from_the_disk_while_the_learner_is_away(
    start, definitions
) -> None:
    sent: list[bytes] = []
    courier = start(sent.append, split_bytes=SMALL, window=16, resend_after=0.05)
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


def test_a_learner_that_starts_afresh_gets_everything(start, definitions) -> None:
    sent: list[bytes] = []
    courier = start(sent.append, split_bytes=SMALL, resend_after=0.05)
    record(courier, definitions, 300)
    wait(lambda: courier.status().recorded == 300)
    courier.on_ack(300, 300)
    wait(lambda: courier.status().durable == 300)
    sent.clear()
    courier.on_ack(0, 0)
    wait(lambda: len(sent) >= 300)
    assert [key(payload).sequence for payload in sent[:300]] == list(range(1, 301))


def test_a_journal_that_lost_its_end_begins_a_new_stream(start, definitions, tmp_path) -> None:
    first = start(split_bytes=SMALL)
    record(first, definitions, 1000)
    first.close()
    files = sorted((tmp_path / 'robot').glob('*.mcap'), key=lambda p: p.stat().st_mtime)
    files[-1].unlink()
    second = start()
    assert second.stream_id != first.stream_id
    assert second.next_sequence == 1


def test_a_lost_state_file_is_made_again_from_the_bag(start, definitions, tmp_path) -> None:
    first = start(split_bytes=SMALL)
    record(first, definitions, 300, episode=2)
    first.close()
    (tmp_path / 'robot' / 'journal.json').unlink()
    second = start()
    assert (second.stream_id, second.next_sequence) == (first.stream_id, 301)
    assert (second.next_episode, second.training_steps) == (3, 300)


def test_after_a_power_cut_without_sync_a_new_stream_begins(
    start, definitions, tmp_path, monkeypatch
) -> None:
    first = start(sync=False)
    record(first, definitions, 10)
    wait(lambda: first.status().recorded == 10)
    state = tmp_path / 'robot' / 'journal.json'
    alive = state.read_text()
    first.close()
    state.write_text(alive)  # it was killed
    monkeypatch.setattr('sac_agent.journal.state.boot', lambda: 'another')
    second = start(sync=False)
    assert second.stream_id != first.stream_id


def test_two_processes_cannot_write_one_journal(start, tmp_path, definitions) -> None:
    start()
    with pytest.raises(JournalError, match='another process writes'):
        Journal(tmp_path / 'robot', 'robot', definitions=definitions)


def test_a_journal_belongs_to_one_agent(start, tmp_path, definitions) -> None:
    start().close()
    with pytest.raises(JournalError, match="journal of agent 'robot', not of 'other'"):
        Journal(tmp_path / 'robot', 'other', definitions=definitions)


def test_a_transition_with_a_wrong_number_is_never_recorded(tmp_path, definitions) -> None:
    journal = Journal(tmp_path / 'robot', 'robot', definitions=definitions)
    message = definitions.new(
        TRANSITION, agent_id='robot', stream_id=journal.stream_id, sequence=2
    )
    with pytest.raises(JournalError, match='sequence of a transition must be'):
        journal.write_transition(0, definitions.encode(message, TRANSITION))
    journal.close()


def test_a_failing_middleware_loses_nothing(start, definitions) -> None:
    sent: list[bytes] = []
    working = False

    def publish(payload: bytes) -> None:
        if not working:
            raise RuntimeError('cannot publish data')
        sent.append(payload)

    courier = start(publish, resend_after=0.02)
    record(courier, definitions, 3)
    wait(lambda: 'cannot publish data' in courier.status().problem)
    working = True
    wait(lambda: {key(payload).sequence for payload in sent} >= {1})
    assert not courier.status().problem
    courier.on_ack(1, 0)
    wait(lambda: {key(payload).sequence for payload in sent} == {1, 2, 3})


def test_further_topics_are_recorded_and_may_be_announced_at_any_time(
    start, definitions, tmp_path
) -> None:
    courier = start()
    record(courier, definitions, 1)
    command = definitions.encode(definitions.new(COMMAND, sequence=7), COMMAND)
    courier.record('/joint_command', command)
    courier.add_topic('/late', COMMAND, latched=True)
    courier.record('/late', command)
    courier.close()
    messages = list(BagReader(tmp_path / 'robot').messages())
    assert [m.topic for m in messages] == ['/transition', '/joint_command', '/late']
    assert messages[2].data == command


def test_a_topic_of_an_unknown_type_is_refused(start) -> None:
    with pytest.raises(JournalError, match='no definition of other_msgs/msg/Thing'):
        start().add_topic('/thing', 'other_msgs/msg/Thing')


def test_an_unknown_topic_is_refused(start) -> None:
    courier = start()
    with pytest.raises(JournalError, match='is not recorded; there are'):
        courier.record('/other', b'')


def specs(tmp_path: Path) -> list[Any]:
    reader = BagReader(tmp_path / 'robot')
    return [reader.decode(message) for message in reader.messages({'/agent_spec'})]


def introduce(courier: Courier, definitions: Definitions) -> None:
    spec = definitions.new(AGENT_SPEC, agent_id='robot', first_sequence=1)
    courier.record('/agent_spec', definitions.encode(spec, AGENT_SPEC))


def test_every_file_begins_with_the_spec_and_its_first_number(
    start, definitions, tmp_path
) -> None:
    courier = start(split_bytes=SMALL)
    introduce(courier, definitions)
    for _ in range(10):
        record(courier, definitions, 100)
        wait(lambda: courier.status().recorded == courier.next_sequence - 1)
    courier.close()
    files = sorted((tmp_path / 'robot').glob('*.mcap'))
    assert len(specs(tmp_path)) == len(files) > 2
    for path in files:
        first, second = list(BagReader(path).messages())[:2]
        assert (first.topic, second.topic) == ('/agent_spec', '/transition')
        found = BagReader(path)
        told = [found.decode(m) for m in found.messages({'/agent_spec'})]
        assert told[0].first_sequence == key(second.data).sequence


def test_what_was_deleted_is_told_by_the_first_number(start, definitions) -> None:
    courier = start(split_bytes=SMALL, max_bytes=2 * SMALL)
    assert courier.status().first == 1
    for _ in range(20):
        record(courier, definitions, 100)
        wait(lambda: courier.status().recorded == courier.next_sequence - 1)
        courier.on_ack(courier.next_sequence - 1, courier.next_sequence - 1)
    wait(lambda: courier.status().first > 1)
