"""The datagrams between host and motor controller."""

import dataclasses
import zlib

import numpy as np
import pytest

from robot_drivers.minitaur.disturbance import Channel, Disturbance, flip_bit
from robot_drivers.minitaur.link import (
    Command,
    decode,
    encode,
    LinkError,
    Mocap,
    MODE_POSITION,
    State,
)

COMMAND = Command(MODE_POSITION, np.arange(8, dtype=np.float32) / 4, 1.0, 0.015625, 0.02)
GOLDEN_COMMAND = bytes.fromhex(
    '4d4e5452 01 01 3000 78563412 2a000000 02dc2beb'  # MNTR, version, kind, 48, session, 42, crc
    '02 000000 204e0000 0000803f 0000803c'  # position, 20000 us, kp 1, kd 1/64
    '00000000 0000803e 0000003f 0000403f 0000803f 0000a03f 0000c03f 0000e03f'
)


def state():
    random = np.random.default_rng(3)
    return State(
        time=12.345678,
        command_sequence=42,
        mode=2,
        faults=1,
        shut_motors=128,
        **{
            name: random.normal(size=size).astype(np.float32)
            for name, size in (
                ('position', 8),
                ('velocity', 8),
                ('torque', 8),
                ('current', 8),
                ('temperature', 8),
                ('orientation', 4),
                ('angular_velocity', 3),
                ('linear_acceleration', 3),
            )
        },
        supply=15.5,
    )


def mocap():
    return Mocap(0.5, np.arange(3.0), np.arange(4.0), np.arange(3.0), np.arange(3.0))


def same(one, other):
    for field in dataclasses.fields(one):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))


def test_command_has_the_documented_bytes():
    assert encode(COMMAND, session=0x12345678, sequence=42) == GOLDEN_COMMAND
    crc = zlib.crc32(GOLDEN_COMMAND[:16] + GOLDEN_COMMAND[20:])
    assert GOLDEN_COMMAND[16:20] == crc.to_bytes(4, 'little')


@pytest.mark.parametrize(
    ('make', 'size'),
    [(lambda: COMMAND, 68), (state, 240), (mocap, 132)],
    ids=['command', 'state', 'mocap'],
)
def test_datagrams_round_trip_and_have_the_documented_size(make, size):
    body = make()
    data = encode(body, session=7, sequence=2**32 - 1)
    assert len(data) == size
    back = decode(data)
    assert (back.session, back.sequence) == (7, 2**32 - 1)
    same(back.body, body)


def test_ten_thousand_random_datagrams_are_refused_without_a_crash():
    random = np.random.default_rng(0)
    good = [encode(body, session=1, sequence=1) for body in (COMMAND, state(), mocap())]
    for i in range(10_000):
        if i % 2:
            data = random.bytes(int(random.integers(0, 300)))
        else:
            data = flip_bit(good[i % 3], int(random.integers(8 * len(good[i % 3]))))
        with pytest.raises(LinkError):
            decode(data)


def test_intact_datagrams_with_random_content_never_crash():
    random = np.random.default_rng(1)
    for i in range(3000):
        good = encode((COMMAND, state(), mocap())[i % 3], session=1, sequence=1)
        data = good[:16] + bytes(4) + random.bytes(len(good) - 20)
        crc = zlib.crc32(data[20:], zlib.crc32(data[:16]))
        data = data[:16] + crc.to_bytes(4, 'little') + data[20:]
        try:
            decode(data)
        except LinkError:
            continue


@pytest.mark.parametrize(
    ('change', 'text'),
    [
        (lambda d: d[:10], 'shorter than its header'),
        (lambda d: b'XXXX' + d[4:], 'magic'),
        (lambda d: d[:4] + b'\x02' + d[5:], 'protocol version 2'),
        (lambda d: d[:-1], 'checksum'),
        (lambda d: d + b'0', 'checksum'),
    ],
)
def test_reason_of_a_refusal_is_named(change, text):
    with pytest.raises(LinkError, match=text):
        decode(change(GOLDEN_COMMAND))


@pytest.mark.parametrize('target', [np.zeros(7), np.full(8, np.nan), np.full(8, np.inf)])
def test_malformed_target_is_never_sent(target):
    with pytest.raises(ValueError, match='8 finite targets'):
        encode(Command(MODE_POSITION, target), session=1, sequence=1)


def test_unknown_mode_is_never_sent():
    with pytest.raises(ValueError, match='mode 9 is unknown'):
        encode(Command(9, np.zeros(8, np.float32)), session=1, sequence=1)


def test_channel_loses_delays_and_damages_as_told():
    channel = Channel(np.random.default_rng(0))
    channel.put(b'now', ('a', 1), 0.0)
    assert channel.take(0.0) == [(b'now', ('a', 1))]
    channel.disturbance = Disturbance(delay=0.5)
    channel.put(b'late', ('a', 1), 0.0)
    assert channel.take(0.49) == []
    assert channel.next_arrival == 0.5
    assert channel.take(0.5) == [(b'late', ('a', 1))]
    channel.disturbance = Disturbance(lose=1.0)
    channel.put(b'gone', ('a', 1), 1.0)
    assert channel.next_arrival is None
    channel.disturbance = Disturbance(corrupt=1.0)
    channel.put(GOLDEN_COMMAND, ('a', 1), 1.0)
    with pytest.raises(LinkError):
        decode(channel.take(1.0)[0][0])


def test_impossible_disturbance_is_refused():
    with pytest.raises(ValueError, match=r'lose must be in \[0, 1\], got 2'):
        Disturbance(lose=2)
