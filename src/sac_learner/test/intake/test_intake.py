"""Exactly-once bookkeeping of transitions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sac_learner.intake.intake import Intake, Passed, Verdict
from sac_learner.replay import Replay, ReplayFullDiskError, ReplayTransition


@pytest.fixture
def replay(tmp_path: Path) -> Replay:
    return Replay(tmp_path, 5000, 2, None, 1)


def step(sequence: int, **options) -> ReplayTransition:
    values = {
        'sequence': sequence,
        'vector': np.full(2, sequence - 1, np.float32),
        'action': np.zeros(1, np.float32),
        'reward': float(sequence),
        'next_vector': np.full(2, sequence, np.float32),
    }
    return ReplayTransition(**{**values, **options})


def stored(replay: Replay) -> list[tuple[str, int]]:
    return replay.identities(replay.positions())


def test_each_transition_is_stored_once_and_in_order_however_they_come(replay: Replay) -> None:
    rng = np.random.default_rng(0)
    intake = Intake(replay, window=16)
    executed = {'a/1': 300, 'b/1': 200}
    while any(replay.received().get(s, 0) < n for s, n in executed.items()):
        stream = ('a/1', 'b/1')[rng.integers(2)]
        ahead = replay.received().get(stream, 0) + int(rng.integers(-5, 25))
        if 1 <= ahead <= executed[stream]:
            intake.offer(stream, step(ahead))
    for stream, last in executed.items():
        assert [s for name, s in stored(replay) if name == stream] == list(range(1, last + 1))
    assert replay.head == 502, 'nothing broke the segments'
    assert intake.waiting == 0
    assert intake.duplicates > 0


def test_verdicts_say_what_happened(replay: Replay) -> None:
    intake = Intake(replay, window=4)
    verdicts = [intake.offer('a', step(k)) for k in (1, 1, 3, 3, 6, 7, 2, 4)]
    assert [verdict.value for verdict in verdicts] == [
        'accepted', 'duplicate', 'waiting', 'duplicate', 'waiting', 'ahead', 'accepted', 'accepted'
    ]  # fmt: skip
    assert replay.received() == {'a': 4}


def test_acks_tell_received_from_durable(replay: Replay) -> None:
    intake = Intake(replay)
    for k in (1, 2, 4):
        intake.offer('robot/x1', step(k))
    assert [(a.stream, a.received, a.durable) for a in intake.acks()] == [('robot/x1', 2, 0)]
    replay.flush()
    intake.offer('robot/x1', step(3))
    assert [(a.stream, a.received, a.durable) for a in intake.acks()] == [('robot/x1', 4, 2)]


def test_evaluation_is_acknowledged_and_kept_out(replay: Replay) -> None:
    intake = Intake(replay)
    for k in range(1, 11):
        intake.offer('a', step(k, segment_start=k in (4, 8)), evaluation=4 <= k < 8)
    replay.flush()
    assert [s for _, s in stored(replay)] == [1, 2, 3, 8, 9, 10]
    assert intake.acks()[0].durable == 10


def test_a_restarted_learner_knows_what_it_had(replay: Replay) -> None:
    intake = Intake(replay)
    for k in range(1, 8):
        intake.offer('a', step(k), evaluation=k > 5)
    replay.close()
    again = Replay.open(replay.directory)
    intake = Intake(again)
    assert [intake.offer('a', step(k)).value for k in (5, 6, 7, 8)] == [
        'duplicate', 'duplicate', 'duplicate', 'accepted'
    ]  # fmt: skip
    again.close()


@pytest.mark.parametrize(
    ('kind', 'stream', 'transition'),
    [
        ('shape', 'a', step(1, vector=np.zeros(3, np.float32))),
        ('shape', 'a', step(1, next_vector=np.zeros((2, 1), np.float32))),
        ('shape', 'a', step(1, action=np.zeros(0, np.float32))),
        ('type', 'a', step(1, vector=np.zeros(2))),
        ('type', 'a', step(1, action=np.zeros(1, np.int32))),
        ('finite', 'a', step(1, next_vector=np.array([0, np.nan], np.float32))),
        ('finite', 'a', step(1, action=np.array([np.inf], np.float32))),
        ('finite', 'a', step(1, reward=float('nan'))),
        ('finite', 'a', step(1, reward=1e300)),
        ('range', 'a', step(1, action=np.array([1.5], np.float32))),
        ('sequence', 'a', step(0)),
        ('sequence', 'a', step(-3)),
        ('sequence', 'a', step(2**64 - 1)),
        ('stream', '', step(1)),
        ('stream', 'x' * 1000, step(1)),
        ('stream', 'a\nb', step(1)),
    ],
)
def test_malformed_transitions_are_counted_with_a_reason(replay, kind, stream, transition) -> None:
    intake = Intake(replay)
    assert intake.offer(stream, transition) is Verdict.REJECTED
    assert intake.reasons == {kind: 1}
    assert intake.last_reason
    assert intake.offer('a', step(1)) is Verdict.ACCEPTED, 'a sound one is still welcome'


def test_images_must_be_what_was_announced(tmp_path: Path) -> None:
    intake = Intake(Replay(tmp_path, 100, 2, (2, 2, 3), 1))
    image = np.zeros((2, 2, 3), np.uint8)
    assert intake.offer('a', step(1, image=image)) is Verdict.REJECTED
    bad = step(1, image=image, next_image=np.zeros((2, 3, 2), np.uint8))
    assert intake.offer('a', bad) is Verdict.REJECTED
    assert intake.offer('a', replace(bad, next_image=image)) is Verdict.ACCEPTED


def test_a_flood_of_names_and_sequences_takes_bounded_memory(replay: Replay) -> None:
    rng = np.random.default_rng(0)
    intake = Intake(replay, window=10, max_streams=3)
    for k in range(2000):
        intake.offer(f'name {k % 50}', step(int(rng.integers(2, 2**60)) if k % 2 else 1 + k % 20))
    assert len(replay.received()) <= len(intake._waiting) <= 3
    assert intake.waiting <= 30


def test_a_full_disk_postpones_and_nothing_is_lost(replay: Replay, monkeypatch) -> None:
    intake = Intake(replay)
    intake.offer('a', step(1))

    def full(*_):
        raise ReplayFullDiskError('no room')

    with monkeypatch.context() as context:
        context.setattr(replay, 'append', full)
        assert intake.offer('a', step(2)) is Verdict.POSTPONED
        assert intake.offer('a', step(3)) is Verdict.WAITING
    assert intake.acks()[0].received == 1
    assert intake.offer('a', step(2)) is Verdict.ACCEPTED
    assert [s for _, s in stored(replay)] == [1, 2, 3]


def test_a_stream_can_begin_later(replay: Replay) -> None:
    intake = Intake(replay)
    assert intake.offer('a', step(501)) is Verdict.WAITING
    assert intake.acks() == []
    intake.adopt('a', 501)
    assert intake.acks()[0].received == 501


def malformed(sequence: int) -> ReplayTransition:
    return step(sequence, reward=float('nan'))


def test_a_transition_that_stays_malformed_holds_up_nothing(replay: Replay) -> None:
    passed: list[Passed] = []
    intake = Intake(replay, on_passed=passed.append)
    for transition in (step(1), malformed(2), step(3), malformed(2)):
        intake.offer('a', transition)
    assert intake.acks()[0].received == 1, 'it may come whole yet'
    intake.offer('a', malformed(2))
    assert intake.acks()[0].received == 3
    assert [s for _, s in stored(replay)] == [1, 3]
    assert [(p.stream, p.sequence, p.kind) for p in passed] == [('a', 2, 'finite')]
    assert intake.passed == 1


def test_a_transition_damaged_on_its_way_is_taken_when_it_comes_whole(replay: Replay) -> None:
    intake = Intake(replay)
    for transition in (step(1), malformed(2), malformed(2), step(2), malformed(2), step(3)):
        intake.offer('a', transition)
    assert [s for _, s in stored(replay)] == [1, 2, 3]
    assert intake.passed == 0


def test_a_malformed_transition_that_nobody_sends_again_is_passed_over_in_time(
    replay: Replay,
) -> None:
    intake = Intake(replay, window=10)
    intake.offer('a', malformed(1))
    for sequence in range(2, 30):
        intake.offer('a', step(sequence))
    assert intake.acks()[0].received == 29


def test_malformed_transitions_out_of_turn_pass_nothing_over(replay: Replay) -> None:
    intake = Intake(replay)
    for _ in range(10):
        intake.offer('a', malformed(3))
    for sequence in (1, 2, 3):
        intake.offer('a', step(sequence))
    assert [s for _, s in stored(replay)] == [1, 2, 3]


@pytest.mark.parametrize('first', [0, -1, 2**64 - 1])
def test_a_beginning_that_cannot_be_is_ignored(replay: Replay, first: int) -> None:
    intake = Intake(replay)
    assert intake.adopt('a', first) == 0
    assert intake.offer('a', step(1)) is Verdict.ACCEPTED
