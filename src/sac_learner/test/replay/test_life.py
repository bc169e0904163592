"""The replay as a thing with a life: reopened, damaged, shared, sampled, rewound."""

from __future__ import annotations

import json
from pathlib import Path
import threading
import time

import numpy as np
import pytest

from sac_learner.replay import Replay, ReplayError, ReplayMark, SymmetricReplay

from .steps import fill, make, step


def test_contents_survive_closing_and_opening(tmp_path: Path) -> None:
    replay = make(tmp_path)
    fill(replay, 1, 250)
    content, size = replay.transitions_hash(), replay.size
    replay.close()
    replay = Replay.open(tmp_path)
    assert (replay.transitions_hash(), replay.size, replay.count) == (content, size, 250)
    assert replay.received() == replay.durable() == {'a': 250}


def test_a_stream_goes_on_in_the_same_segment_after_reopening(tmp_path: Path) -> None:
    replay = make(tmp_path)
    fill(replay, 1, 5)
    replay.close()
    replay = Replay.open(tmp_path)
    fill(replay, 6, 10)
    assert replay.head == 11  # ten steps and one first frame
    assert replay.gather(replay.positions()[:1], n_step=10, discount=1.0).reward == [55.0]


def test_a_sequence_is_stored_once(tmp_path: Path) -> None:
    replay = make(tmp_path)
    fill(replay, 1, 3)
    with pytest.raises(ReplayError, match=r'sequence 3 of stream .* must lie above 3'):
        replay.append('a', step(3))
    assert replay.count == 3


def test_skipped_steps_are_remembered_and_break_the_segment(tmp_path: Path) -> None:
    replay = make(tmp_path)
    fill(replay, 1, 2)
    replay.skip('a', 7)
    replay.skip('evaluated only', 4)
    replay.close()
    replay = Replay.open(tmp_path)
    assert replay.received() == {'a': 7, 'evaluated only': 4}
    replay.append('a', step(8))
    assert replay.head == 5  # a new first frame


def test_opening_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match=r'holds no replay: header\.json is missing'):
        Replay.open(tmp_path)
    make(tmp_path).close()
    with pytest.raises(ReplayError, match='this run needs Layout'):
        make(tmp_path, 99)
    with pytest.raises(ReplayError, match='this run needs Layout'):
        make(tmp_path, spec_hash='other')


@pytest.mark.parametrize(
    ('name', 'damage', 'reason'),
    [
        ('header.json', lambda data: data[:40], 'header.json is damaged'),
        ('header.json', lambda data: data.replace(b'100', b'101'), 'digest does not match'),
        ('rows', lambda data: data[:-4], r'rows is damaged: it has \d+ bytes instead of'),
        ('state.i64', lambda data: b'\x07' + data[1:], 'no record is in force'),
        ('state.i64', lambda data: data[:8] + b'\x01' + data[9:], 'do not fit together'),
        ('streams.json', lambda data: b'{}', r'streams\.json is damaged'),
        ('streams.json', lambda data: b'[]', 'its newest slot belongs to no known stream'),
    ],
)
def test_damage_is_refused_with_the_reason(tmp_path: Path, name, damage, reason) -> None:
    replay = make(tmp_path)
    fill(replay, 1, 10)
    replay.close()
    path = tmp_path / name
    path.write_bytes(damage(path.read_bytes()))
    if name == 'state.i64' and path.read_bytes()[0] != 7:
        other = bytearray(path.read_bytes())
        other[40:41] = b'\x01'  # the other record too
        path.write_bytes(bytes(other))
    with pytest.raises(ReplayError, match=reason):
        Replay.open(tmp_path)


def test_a_lost_header_never_leads_to_a_fresh_start(tmp_path: Path) -> None:
    replay = make(tmp_path)
    fill(replay, 1, 10)
    replay.close()
    (tmp_path / 'header.json').unlink()
    with pytest.raises(ReplayError, match='holds data but has lost its'):
        make(tmp_path)


def test_two_processes_cannot_share_a_replay(tmp_path: Path) -> None:
    replay = make(tmp_path)
    with pytest.raises(ReplayError, match='in use by another process'):
        Replay.open(tmp_path)
    replay.close()
    Replay.open(tmp_path).close()


def test_batches_are_whole_while_another_thread_appends(tmp_path: Path) -> None:
    replay = make(tmp_path, 64, reserve=8)
    fill(replay, 1, 64)
    done = threading.Event()

    def write() -> None:
        sequence = 65
        while not done.is_set():
            replay.append('a', step(sequence))
            sequence += 1

    writer = threading.Thread(target=write)
    writer.start()
    rng = np.random.default_rng(0)
    start = time.monotonic()
    batches = 0
    while time.monotonic() - start < 1.0:
        batch = replay.sample(64, rng, n_step=1 + batches % 3, discount=1.0)
        steps = batch.next_vector[:, 0] - batch.vector[:, 0]
        np.testing.assert_array_equal(batch.action[:, 0], batch.vector[:, 0] + 1)
        np.testing.assert_array_equal(
            batch.reward, steps * (batch.vector[:, 0] + 1) + steps * (steps - 1) / 2
        )
        batches += 1
    done.set()
    writer.join()
    assert batches > 10
    replay.close()


def test_a_mark_names_the_same_batches_for_ever(tmp_path: Path) -> None:
    replay = make(tmp_path, 100, reserve=100)
    fill(replay, 1, 150)
    mark = ReplayMark.from_json(json.loads(json.dumps(replay.mark().to_json())))
    before = replay.sample(32, np.random.default_rng(1), n_step=3)
    fill(replay, 151, 200)
    after = replay.sample(32, np.random.default_rng(1), n_step=3, mark=mark)
    np.testing.assert_array_equal(before.vector, after.vector)
    np.testing.assert_array_equal(before.reward, after.reward)
    fill(replay, 201, 300)
    assert not replay.holds(mark)
    with pytest.raises(ReplayError, match='have been overwritten'):
        replay.sample(32, np.random.default_rng(1), mark=mark)
    with pytest.raises(ReplayError, match='save checkpoints more often'):
        replay.rewind(mark)


def test_a_rewound_replay_repeats_its_life(tmp_path: Path) -> None:
    replay = make(tmp_path, 100, reserve=100)
    fill(replay, 1, 150)
    mark = replay.mark()
    content = replay.transitions_hash()
    fill(replay, 151, 190)
    replay.append('b', step(1))
    later = replay.transitions_hash()
    replay.flush()
    replay.rewind(mark)
    assert replay.transitions_hash() != later
    assert replay.received() == {'a': 150, 'b': 0}
    replay.close()
    replay = Replay.open(tmp_path)
    assert replay.mark().head == mark.head
    fill(replay, 151, 190)
    replay.append('b', step(1))
    assert replay.transitions_hash() == later != content
    assert replay.size == len(replay.positions())


def test_new_labels_reach_the_batches(tmp_path: Path) -> None:
    replay = make(tmp_path)
    fill(replay, 1, 20)
    assert replay.relabel('a', [12, 5, 99], [120.0, 50.0, 990.0], [True, False, False]) == 2
    assert replay.relabel('nobody', 1, 0.0) == 0
    batch = replay.gather(replay.positions(), n_step=2, discount=1.0)
    assert batch.reward[4] == 50.0 + 6.0
    assert batch.reward[10] == 11.0 + 120.0
    assert batch.reward[11] == 120.0, 'no return goes past the new termination'
    assert batch.discount[10] == batch.discount[11] == 0.0
    replay.close()
    assert Replay.open(tmp_path).gather([12]).reward == [120.0]


def test_sampling_is_uniform_over_transitions(tmp_path: Path) -> None:
    replay = make(tmp_path, 40)
    for sequence in range(1, 101):
        replay.append('a', step(sequence, segment_start=sequence % 3 == 0))
    batch = replay.sample(200_000, np.random.default_rng(0))
    found, times = np.unique(batch.reward, return_counts=True)
    expected = 200_000 / replay.size
    assert len(found) == replay.size
    assert np.abs(times - expected).max() < 5 * expected**0.5


def test_an_empty_replay_cannot_be_sampled(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match='is empty'):
        make(tmp_path).sample(4, np.random.default_rng(0))


def test_half_of_a_symmetric_batch_are_demonstrations(tmp_path: Path) -> None:
    online, offline = make(tmp_path / 'online'), make(tmp_path / 'offline')
    fill(offline, 1001, 1050)
    both = SymmetricReplay(online, offline)
    assert (both.sample(10, np.random.default_rng(0)).reward > 1000).all()
    fill(online, 1, 50)
    batch = both.sample(10, np.random.default_rng(0))
    np.testing.assert_array_equal(batch.reward > 1000, [False] * 5 + [True] * 5)
    with pytest.raises(ValueError, match=r'offline_share must lie in \[0, 1\], got 2'):
        SymmetricReplay(online, offline, 2)


def test_a_million_frames_open_within_a_second(tmp_path: Path) -> None:
    replay = Replay(tmp_path, 1_000_000, 18, (32, 32, 3), 9)
    replay.close()
    start = time.perf_counter()
    replay = Replay.open(tmp_path)
    assert time.perf_counter() - start < 1.0
    assert replay.layout.slot_bytes * replay.layout.slots < 3.4e9
    replay.close()
