"""The servo bus: what the hand needs of it, whether a wire or a simulation is behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from robot_drivers.dclaw.control_table import Register
from robot_drivers.errors import StaleStateError

T = TypeVar('T')


class Bus(Protocol):
    """What a hand needs of its servo bus. ``StaleStateError`` means: lost, may be tried again."""

    errors: Counter[str]

    def start(self) -> None:
        """Open it, or open it again."""

    def stop(self) -> None:
        """Close it; may be called at any time, also twice."""

    def ping(self, servo_id: int) -> int:
        """Return the model number of a servo."""

    def read(self, servo_id: int, register: Register) -> int:
        """Return a register, unsigned."""

    def write(self, servo_id: int, register: Register, value: int) -> None:
        """Set a register; MotorFaultError if the servo refuses."""

    def reboot(self, servo_id: int) -> None:
        """Restart a servo."""

    def sync_read(self, ids: Sequence[int], address: int, size: int) -> NDArray[np.uint8]:
        """Return the same bytes of many servos, shape (len(ids), size)."""

    def sync_write(self, ids: Sequence[int], register: Register, values: Sequence[int]) -> None:
        """Set the same register of many servos; nobody confirms it."""


def retried(
    transfer: Callable[[], T], retries: int, give_up: Callable[[], bool] = lambda: False
) -> T:
    """Return the result of a transfer that may be lost ``retries`` times, or until ``give_up``.

    Raises:
        StaleStateError: It was lost every time.
    """
    for _ in range(retries):
        try:
            return transfer()
        except StaleStateError:
            if give_up():
                raise
    return transfer()
