"""What one sync read of all servos brings, and how to tell that it is not what it seems."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robot_drivers.dclaw import control_table as table
from robot_drivers.dclaw.config import ALL_IDS

# Gathered by indirect addressing: everything that tells a fault, and the present values.
BLOCK = np.dtype(
    [
        ('error', 'u1'),
        ('torque', 'u1'),
        ('watchdog', 'u1'),
        ('tick', '<u2'),
        ('current', '<i2'),
        ('velocity', '<i4'),
        ('position', '<i4'),
        ('voltage', '<u2'),
        ('temperature', 'u1'),
    ]
)
SOURCES = (70, 64, 98, 120, 121, *range(126, 136), 144, 145, 146)  # one address per byte of BLOCK
CLOCK_BLOCK = (120, 20)  # address and size: begins with the tick, longer than BLOCK
LOCKSTEP_SPREAD = 0  # [ms] all clocks advance alike
WALL_SPREAD = 25  # [ms] the answers of one exchange are at most a few ms apart
Sample = NDArray[Any]  # (10,) of BLOCK, in the order of ALL_IDS


def decode(data: NDArray[np.uint8]) -> Sample:
    """Return the sample in the bytes of a sync read, shape (10, 18)."""
    return np.frombuffer(data.tobytes(), BLOCK)


def forgetful(sample: Sample) -> NDArray[np.intp]:
    """Return the indices of servos that restarted: without their map the supply reads 0 V."""
    return np.flatnonzero(sample['voltage'] == 0)


def passed(before: Sample, sample: Sample) -> NDArray[np.int_]:
    """Return the time between two samples by each servo's own clock, shape (10,), ms."""
    elapsed: NDArray[np.int_] = (
        sample['tick'].astype(int) - before['tick'].astype(int)
    ) % table.TICK_MODULO
    return elapsed


def mixed(before: Sample, sample: Sample, spread: int) -> bool:
    """Whether some answers belong to an earlier exchange: then the servos' clocks disagree."""
    elapsed = passed(before, sample)
    return int(elapsed.max() - elapsed.min()) > spread


def fault_text(sample: Sample) -> str:
    """Return the hardware errors in words."""
    faults = [
        f'{servo_id}: {table.error_text(int(bits))}'
        for servo_id, bits in zip(ALL_IDS, sample['error'], strict=True)
        if bits
    ]
    return f'motors report {"; ".join(faults)}'
