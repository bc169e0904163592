"""Bags survive a kill, a full disk and a cut, and tell when they are damaged."""

import os
from pathlib import Path
import random
import sqlite3

from mcap.stream_reader import StreamReader
import pytest
from rosbags.highlevel import AnyReader

from sac_core.bag import BagError, BagReader
from sac_core.bag.recover import recover_bag
from sac_core.bag.storage import check
from sac_core.bag.transitions import key

from .bag_samples import kill, payload, sequences, write


def test_bag_under_way_is_valid_up_to_its_last_finished_file(
    tmp_path, definitions, storage
) -> None:
    writer = write(tmp_path / 'bag', definitions, range(1, 60), storage, split_bytes=1 << 14)
    with AnyReader([tmp_path / 'bag']) as reader:
        finished = reader.message_count
    assert 0 < finished < 59
    assert sequences(tmp_path / 'bag') == list(range(1, 60))
    writer.close()


def test_everything_committed_survives_a_kill(tmp_path, definitions, storage) -> None:
    writer = write(tmp_path / 'bag', definitions, range(1, 30), storage)
    writer.write('/transition', 0, payload(definitions, 30))  # not committed
    kill(writer)
    reader = BagReader(tmp_path / 'bag')
    assert len(reader.unfinished()) == 1
    assert sequences(tmp_path / 'bag') == list(range(1, 30))


def test_a_killed_mcap_file_opens_with_the_plain_library(tmp_path, definitions) -> None:
    kill(write(tmp_path / 'bag', definitions, range(1, 30)))
    found = []
    with (tmp_path / 'bag' / 'bag_0.mcap').open('rb') as file:
        records = StreamReader(file).records
        while len(found) < 29:
            record = next(records)
            if type(record).__name__ == 'Message':
                found.append(key(record.data).sequence)
    assert found == list(range(1, 30))


def test_recovered_bag_is_whole_for_every_reader(tmp_path, definitions, storage) -> None:
    kill(write(tmp_path / 'bag', definitions, range(1, 30), storage))
    names = recover_bag(tmp_path / 'bag')
    assert len(names) == 1
    with AnyReader([tmp_path / 'bag']) as reader:
        assert reader.message_count == 29
    assert not BagReader(tmp_path / 'bag').unfinished()
    check(tmp_path / 'bag' / names[0])
    assert recover_bag(tmp_path / 'bag') == []


@pytest.mark.parametrize('seed', range(20))
def test_a_file_cut_anywhere_keeps_its_beginning(tmp_path, definitions, seed) -> None:
    kill(write(tmp_path / 'bag', definitions, range(1, 30)))
    path = tmp_path / 'bag' / 'bag_0.mcap'
    whole = path.read_bytes()
    cut = random.Random(seed).randrange(len(whole))
    path.write_bytes(whole[:cut])
    expected = [m.position for m in BagReader(_copy(tmp_path, whole)).messages()]
    kept = sequences(tmp_path / 'bag')
    assert kept == list(range(1, len(kept) + 1))
    ends = [*expected[1:], len(whole)]
    # The index behind a chunk does not matter.
    assert 0 <= len(kept) - sum(end <= cut for end in ends) <= 1


def _copy(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / 'copy.mcap'
    path.write_bytes(data)
    return path


def test_writing_goes_on_in_the_same_bag_after_a_kill(tmp_path, definitions, storage) -> None:
    kill(write(tmp_path / 'bag', definitions, range(1, 30), storage))
    write(tmp_path / 'bag', definitions, range(30, 60), storage).close()
    assert sequences(tmp_path / 'bag') == list(range(1, 60))
    with AnyReader([tmp_path / 'bag']) as reader:
        assert reader.message_count == 59


@pytest.mark.parametrize('seed', range(60))
def test_one_altered_byte_of_a_finished_mcap_file_is_noticed(tmp_path, definitions, seed) -> None:
    write(tmp_path / 'bag', definitions, range(1, 10), compression='zstd').close()
    path = tmp_path / 'bag' / 'bag_0.mcap'
    data = bytearray(path.read_bytes())
    chance = random.Random(seed)
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)
    with pytest.raises(BagError, match='bag_0'):
        check(path)


def test_reading_a_damaged_chunk_names_file_and_place(tmp_path, definitions) -> None:
    write(tmp_path / 'bag', definitions, range(1, 10)).close()
    path = tmp_path / 'bag' / 'bag_0.mcap'
    place = [m.position for m in BagReader(path).messages()][5]
    data = bytearray(path.read_bytes())
    data[place + 200] ^= 1
    path.write_bytes(data)
    with pytest.raises(BagError, match=f'bag_0.mcap is damaged at byte {place}: the checksum'):
        list(BagReader(path).messages())


def test_a_damaged_database_is_refused_with_its_name(tmp_path, definitions) -> None:
    write(tmp_path / 'bag', definitions, range(1, 10), 'sqlite3').close()
    path = tmp_path / 'bag' / 'bag_0.db3'
    data = bytearray(path.read_bytes())
    data[100:5000] = bytes(4900)
    path.write_bytes(data)
    with pytest.raises(BagError, match=r'bag_0\.db3'):
        list(BagReader(path).messages())


def test_what_is_no_bag_is_refused(tmp_path) -> None:
    with pytest.raises(BagError, match='does not exist'):
        BagReader(tmp_path / 'none')
    with pytest.raises(BagError, match='holds no bag files'):
        BagReader(tmp_path)
    (tmp_path / 'x.mcap').write_bytes(b'something else')
    with pytest.raises(BagError, match='is no MCAP file'):
        list(BagReader(tmp_path / 'x.mcap').messages())
    (tmp_path / 'x.txt').write_bytes(b'')
    with pytest.raises(BagError, match=r'must end in \.mcap or \.db3'):
        BagReader(tmp_path / 'x.txt')


def test_disk_errors_tear_nothing(tmp_path, definitions, monkeypatch) -> None:
    writer = write(tmp_path / 'bag', definitions, range(1, 5), split_bytes=1 << 13)
    real = os.pwrite

    def failing(descriptor: int, data: bytes, offset: int) -> int:
        if chance.random() < 0.5:
            raise OSError(28, 'No space left on device')
        return real(descriptor, bytes(data[: chance.randrange(1, 2000)]), offset)

    chance = random.Random(3)
    monkeypatch.setattr(os, 'pwrite', failing)
    failures = 0
    for n in range(5, 100):
        writer.write('/transition', n, payload(definitions, n))
        try:
            writer.commit()
        except OSError:
            failures += 1
        assert sequences(tmp_path / 'bag') == list(range(1, len(sequences(tmp_path / 'bag')) + 1))
    monkeypatch.setattr(os, 'pwrite', real)
    writer.close()
    assert failures > 10
    assert sequences(tmp_path / 'bag') == list(range(1, 100))
    for path in BagReader(tmp_path / 'bag').files:
        check(path)


def test_a_database_on_a_full_disk_goes_on_later(tmp_path, definitions, monkeypatch) -> None:
    writer = write(tmp_path / 'bag', definitions, range(1, 5), 'sqlite3')
    blocker = sqlite3.connect(tmp_path / 'bag' / 'bag_0.db3', timeout=0)
    blocker.execute('BEGIN EXCLUSIVE')
    writer._file._connection.execute('PRAGMA busy_timeout=1')
    writer.write('/transition', 5, payload(definitions, 5))
    with pytest.raises(OSError, match='locked'):
        writer.commit()
    blocker.rollback()
    blocker.close()
    writer.write('/transition', 6, payload(definitions, 6))
    writer.close()
    assert sequences(tmp_path / 'bag') == list(range(1, 7))
