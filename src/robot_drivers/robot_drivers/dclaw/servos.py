"""What servos have to know before they may move, and how they come back after a fault."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
import time

import numpy as np

from robot_drivers.dclaw import control_table as table
from robot_drivers.dclaw.bus import Bus, retried
from robot_drivers.dclaw.config import ALL_IDS, DclawConfig, MECHANICAL, OFFSET
from robot_drivers.dclaw.sample import SOURCES
from robot_drivers.errors import ConnectionFailedError, MotorFaultError, StaleStateError
from robot_drivers.robot import Array


class ServoSetup:
    """Finds, configures and restarts the servos of one hand."""

    def __init__(self, bus: Bus, config: DclawConfig, counts: Counter[str]) -> None:
        """Remember whose servos; ``counts`` gets one entry per restart."""
        self._bus = bus
        self._config = config
        self._counts = counts

    def find(self) -> Array:
        """Check that every servo is there and known; return Nm per LSB of current, shape (10,).

        Raises:
            ConnectionFailedError: One is missing or of an unknown kind.
        """
        models: dict[int, int | None] = {servo_id: self._model(servo_id) for servo_id in ALL_IDS}
        missing = [servo_id for servo_id, model in models.items() if model is None]
        if missing:
            raise ConnectionFailedError(
                f"D'Claw motors {missing} did not answer; check their power, cable, id and "
                f'baud rate ({self._config.baud_rate}), then configure the driver again'
            )
        unknown = {servo_id: m for servo_id, m in models.items() if m not in table.MODELS}
        if unknown:
            raise ConnectionFailedError(
                f'motors of unknown model (id: number) {unknown}; known are '
                f'{sorted(table.MODELS)}, see dclaw/control_table.py'
            )
        known = [table.MODELS[model] for model in models.values() if model is not None]
        return np.array([model.current_unit * model.torque_constant for model in known])

    def prepare(self) -> None:
        """Write EEPROM where it differs (it wears out), and all of RAM; torque must be off."""
        for index, servo_id in enumerate(ALL_IDS):
            for register, value in _eeprom(index):
                if self._read(servo_id, register) != value:
                    self.write(servo_id, register, value)
            self.restore(servo_id)

    def restore(self, servo_id: int) -> None:
        """Write what a servo forgets when it restarts; leaves it limp."""
        self.write(servo_id, table.TORQUE_ENABLE, 0)
        for i, source in enumerate(SOURCES):
            self.write(servo_id, table.Register(table.INDIRECT_ADDRESS + 2 * i, 2), source)
        for register, value in (
            (table.POSITION_P_GAIN, self._config.position_gain),
            (table.PROFILE_ACCELERATION, 0),
            (table.PROFILE_VELOCITY, 0),
        ):
            self.write(servo_id, register, value)

    def restart(self, servo_id: int) -> None:
        """Reboot a servo that shut down, which alone clears that; leaves it limp.

        Raises:
            MotorFaultError: It does not come back.
        """
        with suppress(StaleStateError):  # it may not answer any more
            self._bus.reboot(servo_id)
        self._counts['recoveries'] += 1
        deadline = time.monotonic() + self._config.reboot_timeout
        while True:
            try:
                self._bus.ping(servo_id)
                break
            except StaleStateError as error:
                if time.monotonic() > deadline:
                    raise MotorFaultError(
                        f'motor {servo_id} does not come back after a restart; check its power'
                    ) from error
        self.restore(servo_id)

    def write(self, servo_id: int, register: table.Register, value: int) -> None:
        """Set a register, with retries."""
        retried(lambda: self._bus.write(servo_id, register, value), self._config.retries)

    def _read(self, servo_id: int, register: table.Register) -> int:
        return retried(lambda: self._bus.read(servo_id, register), self._config.retries)

    def _model(self, servo_id: int) -> int | None:
        try:
            return retried(lambda: self._bus.ping(servo_id), self._config.retries)
        except StaleStateError:
            return None


def _eeprom(index: int) -> tuple[tuple[table.Register, int], ...]:
    low, high = table.to_ticks(MECHANICAL[:, index], OFFSET[index]).astype(int).tolist()
    return (
        (table.RETURN_DELAY, 0),
        (table.OPERATING_MODE, table.POSITION_MODE),
        (table.DRIVE_MODE, 0),
        (table.HOMING_OFFSET, 0),
        (table.MIN_POSITION, max(low, 0)),
        (table.MAX_POSITION, min(high, table.TICKS_PER_TURN - 1)),
    )
