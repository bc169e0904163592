"""The files of a journal: what they hold, which are deleted, what is lost with them."""

from pathlib import Path
from typing import Any

import pytest

from sac_agent.journal import Courier, Journal, JournalError
from sac_core.bag import BagReader, Definitions
from sac_core.bag.transitions import AGENT_SPEC, key, TRANSITION

from .journal_records import COMMAND, record, sequences, SMALL, wait


def test_beyond_the_limit_only_durable_files_are_deleted(
    start_courier, definitions, tmp_path
) -> None:
    courier = start_courier(split_bytes=SMALL, max_bytes=4 * SMALL)
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
    again = start_courier()
    assert again.next_sequence == 3002


def test_without_a_limit_nothing_is_deleted(start_courier, definitions, tmp_path) -> None:
    courier = start_courier(split_bytes=SMALL)
    record(courier, definitions, 1000)
    wait(lambda: courier.status().recorded == 1000)
    courier.on_ack(1000, 1000)
    record(courier, definitions, 1)
    courier.close()
    assert len(sequences(tmp_path)) == 1001


def test_a_journal_that_lost_its_end_begins_a_new_stream(
    start_courier, definitions, tmp_path
) -> None:
    first = start_courier(split_bytes=SMALL)
    record(first, definitions, 1000)
    first.close()
    files = sorted((tmp_path / 'robot').glob('*.mcap'), key=lambda p: p.stat().st_mtime)
    files[-1].unlink()
    second = start_courier()
    assert second.stream_id != first.stream_id
    assert second.next_sequence == 1


def test_a_lost_state_file_is_made_again_from_the_bag(
    start_courier, definitions, tmp_path
) -> None:
    first = start_courier(split_bytes=SMALL)
    record(first, definitions, 300, episode=2)
    first.close()
    (tmp_path / 'robot' / 'journal.json').unlink()
    second = start_courier()
    assert (second.stream_id, second.next_sequence) == (first.stream_id, 301)
    assert (second.next_episode, second.training_steps) == (3, 300)


def test_after_a_power_cut_without_sync_a_new_stream_begins(
    start_courier, definitions, tmp_path, monkeypatch
) -> None:
    first = start_courier(sync=False)
    record(first, definitions, 10)
    wait(lambda: first.status().recorded == 10)
    state = tmp_path / 'robot' / 'journal.json'
    alive = state.read_text()
    first.close()
    state.write_text(alive)  # it was killed
    monkeypatch.setattr('sac_agent.journal.state.boot', lambda: 'another')
    second = start_courier(sync=False)
    assert second.stream_id != first.stream_id


def test_two_processes_cannot_write_one_journal(start_courier, tmp_path, definitions) -> None:
    start_courier()
    with pytest.raises(JournalError, match='another process writes'):
        Journal(tmp_path / 'robot', 'robot', definitions=definitions)


def test_a_journal_belongs_to_one_agent(start_courier, tmp_path, definitions) -> None:
    start_courier().close()
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


def test_further_topics_are_recorded_and_may_be_announced_at_any_time(
    start_courier, definitions, tmp_path
) -> None:
    courier = start_courier()
    record(courier, definitions, 1)
    command = definitions.encode(definitions.new(COMMAND, sequence=7), COMMAND)
    courier.record('/joint_command', command)
    courier.add_topic('/late', COMMAND, latched=True)
    courier.record('/late', command)
    courier.close()
    messages = list(BagReader(tmp_path / 'robot').messages())
    assert [m.topic for m in messages] == ['/transition', '/joint_command', '/late']
    assert messages[2].data == command


def test_a_topic_of_an_unknown_type_is_refused(start_courier) -> None:
    with pytest.raises(JournalError, match='no definition of other_msgs/msg/Thing'):
        start_courier().add_topic('/thing', 'other_msgs/msg/Thing')


def test_an_unknown_topic_is_refused(start_courier) -> None:
    courier = start_courier()
    with pytest.raises(JournalError, match='is not recorded; there are'):
        courier.record('/other', b'')


def specs(tmp_path: Path) -> list[Any]:
    reader = BagReader(tmp_path / 'robot')
    return [reader.decode(message) for message in reader.messages({'/agent_spec'})]


def introduce(courier: Courier, definitions: Definitions) -> None:
    spec = definitions.new(AGENT_SPEC, agent_id='robot', first_sequence=1)
    courier.record('/agent_spec', definitions.encode(spec, AGENT_SPEC))


def test_every_file_begins_with_the_spec_and_its_first_number(
    start_courier, definitions, tmp_path
) -> None:
    courier = start_courier(split_bytes=SMALL)
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


def test_what_was_deleted_is_told_by_the_first_number(start_courier, definitions) -> None:
    courier = start_courier(split_bytes=SMALL, max_bytes=2 * SMALL)
    assert courier.status().first == 1
    for _ in range(20):
        record(courier, definitions, 100)
        wait(lambda: courier.status().recorded == courier.next_sequence - 1)
        courier.on_ack(courier.next_sequence - 1, courier.next_sequence - 1)
    wait(lambda: courier.status().first > 1)
