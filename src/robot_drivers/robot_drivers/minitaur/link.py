"""The datagrams between host and motor controller, one UDP datagram each, little-endian.

    header, 20 bytes  magic 'MNTR', version u8, kind u8, payload size u16, session u32, sequence
                      u32, CRC-32 u32 over the first 16 bytes of the header and the payload
    COMMAND, kind 1   host -> controller; mode u8, 3 zero bytes, period u32 [us], kp f32, kd f32,
                      target 8 x f32 [rad]
    STATE, kind 2     controller -> host; time u64 [us], command sequence u32, mode u8, faults u8,
                      shut motors u8, zero u8, then f32: position 8 [rad], velocity 8 [rad/s],
                      torque 8 [Nm], current 8 [A], temperature 8 [Celsius], orientation 4
                      (x y z w), angular velocity 3 [rad/s], linear acceleration 3 [m/s^2],
                      supply 1 [V]
    MOCAP, kind 3     tracking system -> host; time u64 [us], then f64: position 3 [m], orientation
                      4 (x y z w), linear velocity 3 [m/s], angular velocity 3 [rad/s]; world frame

Angles are motor angles theta in the order of `leg.MOTOR_JOINTS`. The session is a random number
drawn by the host when it connects: with a new session the controller starts counting sequences
afresh, within one it ignores a command that is not newer than the last. A session begins with OFF
or RESET, so that a controller that lost power does not take up motion again. `period` says for
how long the host means a command to stand; a controller in lock-step with its host advances by
exactly that time, answers a repeated sequence with the same state again, and takes a period of 0
as "tell me your state".

This is our protocol: the firmware of the paper's robot is not public. See docs/robots/minitaur.md.
"""

from __future__ import annotations

from dataclasses import dataclass
import struct
from typing import Any
import zlib

import numpy as np
from numpy.typing import NDArray

Array32 = NDArray[np.float32]

MAGIC = b'MNTR'
VERSION = 1
KIND_COMMAND, KIND_STATE, KIND_MOCAP = 1, 2, 3

MODE_OFF = 0  # motors limp
MODE_DAMP = 1  # motors brake
MODE_POSITION = 2  # motors follow the target
MODE_RESET = 3  # clear faults, then off
MODES = {MODE_OFF: 'off', MODE_DAMP: 'damp', MODE_POSITION: 'position', MODE_RESET: 'reset'}

FAULT_OVERHEAT = 1  # at least one motor is switched off
FAULT_COMMAND_TIMEOUT = 2  # commands stopped, the legs are damped
FAULT_ENCODER = 4  # a position sensor failed
FAULT_VOLTAGE = 8  # supply out of range
FAULTS = {
    FAULT_OVERHEAT: 'overheat',
    FAULT_COMMAND_TIMEOUT: 'command timeout',
    FAULT_ENCODER: 'encoder',
    FAULT_VOLTAGE: 'supply voltage',
}

HEADER = struct.Struct('<4sBBHIII')
COMMAND = struct.Struct('<B3xIff8f')
STATE = struct.Struct('<QIBBBx8f8f8f8f8f4f3f3ff')
MOCAP = struct.Struct('<Q3d4d3d3d')

_SIGNED = HEADER.size - 4  # bytes of the header that the checksum covers


class LinkError(ValueError):
    """A datagram that is not ours or not intact; it is dropped and counted."""


@dataclass(frozen=True)
class Command:
    """What the motors shall do."""

    mode: int
    target: Array32  # (8,) motor angles [rad]
    kp: float = 1.0  # [1/rad] of duty
    kd: float = 0.015  # [s/rad] of duty
    period: float = 0.02  # [s]


@dataclass(frozen=True)
class State:
    """What the controller measured; arrays are float32, as on the wire."""

    time: float  # of the measurement on the controller's clock [s]
    command_sequence: int  # last command obeyed
    mode: int
    faults: int
    shut_motors: int  # bit i: motor i is off
    position: Array32  # (8,) [rad]
    velocity: Array32  # (8,) [rad/s]
    torque: Array32  # (8,) [Nm]
    current: Array32  # (8,) [A]
    temperature: Array32  # (8,) [Celsius]
    orientation: Array32  # (4,) x y z w
    angular_velocity: Array32  # (3,) body frame [rad/s]
    linear_acceleration: Array32  # (3,) body frame, +9.81 upward at rest [m/s^2]
    supply: float = 16.0  # [V]


@dataclass(frozen=True)
class Mocap:
    """Where a tracking system saw the base, in the world frame."""

    time: float  # [s]
    position: NDArray[np.float64]  # (3,) [m]
    orientation: NDArray[np.float64]  # (4,) x y z w
    linear_velocity: NDArray[np.float64]  # (3,) [m/s]
    angular_velocity: NDArray[np.float64]  # (3,) [rad/s]


@dataclass(frozen=True)
class Datagram:
    """A decoded datagram."""

    session: int
    sequence: int
    body: Command | State | Mocap


def encode(body: Command | State | Mocap, *, session: int, sequence: int) -> bytes:
    """Return the datagram of a body.

    Raises:
        ValueError: A command has not exactly 8 finite targets, or an unknown mode.
    """
    if isinstance(body, Command):
        kind, payload = KIND_COMMAND, _pack_command(body)
    elif isinstance(body, State):
        kind, payload = KIND_STATE, _pack_state(body)
    else:
        kind = KIND_MOCAP
        payload = MOCAP.pack(
            _microseconds(body.time),
            *body.position,
            *body.orientation,
            *body.linear_velocity,
            *body.angular_velocity,
        )
    head = HEADER.pack(MAGIC, VERSION, kind, len(payload), session, sequence, 0)[:_SIGNED]
    crc = zlib.crc32(payload, zlib.crc32(head))
    return head + crc.to_bytes(4, 'little') + payload


def decode(data: bytes) -> Datagram:
    """Return the content of a datagram.

    Raises:
        LinkError: Too short, foreign, of another version, damaged, or with impossible values.
    """
    if len(data) < HEADER.size:
        raise LinkError(
            f'datagram of {len(data)} bytes is shorter than its header of {HEADER.size}'
        )
    magic, version, kind, size, session, sequence, crc = HEADER.unpack_from(data)
    if magic != MAGIC:
        raise LinkError(f'magic is {magic!r}, expected {MAGIC!r}')
    if version != VERSION:
        raise LinkError(f'protocol version {version}, this host speaks {VERSION}')
    payload = data[HEADER.size :]
    if zlib.crc32(payload, zlib.crc32(data[:_SIGNED])) != crc:
        raise LinkError(f'checksum of a datagram of kind {kind} does not match')
    unpack = _UNPACK.get(kind)
    if unpack is None:
        raise LinkError(f'datagram of kind {kind}, expected one of {sorted(_UNPACK)}')
    layout, make = unpack
    if size != len(payload) or size != layout.size:
        raise LinkError(
            f'payload of kind {kind} has {len(payload)} bytes, announced {size}, '
            f'needs {layout.size}'
        )
    return Datagram(session, sequence, make(layout.unpack(payload)))


def _microseconds(time: float) -> int:
    return round(time * 1e6)


def _pack_command(command: Command) -> bytes:
    target = np.asarray(command.target, dtype=np.float32)
    if target.shape != (8,) or not np.isfinite(target).all():
        raise ValueError(f'a command has 8 finite targets, got {command.target}')
    if command.mode not in MODES:
        raise ValueError(f'mode {command.mode} is unknown; modes are {MODES}')
    return COMMAND.pack(
        command.mode, _microseconds(command.period), command.kp, command.kd, *target.tolist()
    )


def _make_command(values: tuple[Any, ...]) -> Command:
    mode, period, kp, kd = values[:4]
    target = np.array(values[4:], dtype=np.float32)
    if mode not in MODES:
        raise LinkError(f'command has mode {mode}; modes are {MODES}')
    if not np.isfinite(target).all() or not (0.0 <= kp <= 10.0 and 0.0 <= kd <= 1.0):
        raise LinkError(f'command has impossible values: target {target}, kp {kp}, kd {kd}')
    if period > 1_000_000:
        raise LinkError(f'command stands for {period} us, at most 1000000')
    return Command(mode, target, kp, kd, period * 1e-6)


def _pack_state(state: State) -> bytes:
    floats = np.concatenate(
        [
            state.position,
            state.velocity,
            state.torque,
            state.current,
            state.temperature,
            state.orientation,
            state.angular_velocity,
            state.linear_acceleration,
        ]
    )
    return STATE.pack(
        _microseconds(state.time),
        state.command_sequence,
        state.mode,
        state.faults,
        state.shut_motors,
        *floats.tolist(),
        state.supply,
    )


def _make_state(values: tuple[Any, ...]) -> State:
    time, sequence, mode, faults, shut = values[:5]
    floats = np.array(values[5:], dtype=np.float32)
    if not np.isfinite(floats).all():
        raise LinkError('state has values that are not finite')
    joints = floats[:40].reshape(5, 8)
    return State(
        time=time * 1e-6,
        command_sequence=sequence,
        mode=mode,
        faults=faults,
        shut_motors=shut,
        position=joints[0],
        velocity=joints[1],
        torque=joints[2],
        current=joints[3],
        temperature=joints[4],
        orientation=floats[40:44],
        angular_velocity=floats[44:47],
        linear_acceleration=floats[47:50],
        supply=float(floats[50]),
    )


def _make_mocap(values: tuple[Any, ...]) -> Mocap:
    numbers = np.array(values[1:])
    if not np.isfinite(numbers).all():
        raise LinkError('tracking data has values that are not finite')
    return Mocap(values[0] * 1e-6, numbers[:3], numbers[3:7], numbers[7:10], numbers[10:])


_UNPACK: dict[int, tuple[struct.Struct, Any]] = {
    KIND_COMMAND: (COMMAND, _make_command),
    KIND_STATE: (STATE, _make_state),
    KIND_MOCAP: (MOCAP, _make_mocap),
}
