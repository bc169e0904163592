"""What is sent to the servos: torque, goals, and the watchdog that stops them without us."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from robot_drivers.dclaw import control_table as table
from robot_drivers.dclaw.bus import Bus
from robot_drivers.dclaw.config import ALL_IDS, DclawConfig, MECHANICAL, OFFSET
from robot_drivers.dclaw.sample import Sample
from robot_drivers.dclaw.sampler import Sampler
from robot_drivers.dclaw.servos import ServoSetup
from robot_drivers.errors import RobotError
from robot_drivers.robot import Array

COUNT = len(ALL_IDS)


class Actuator:
    """Switches and moves the servos of one hand; a write that fails leaves them limp.

    Attributes:
        torque: What we switched on, shape (10,).
        armed: Whether the servos stop by themselves when we fall silent.
        goals: Lockstep: sent, not yet seen to have advanced the robot, shape (10,).
    """

    def __init__(
        self,
        bus: Bus,
        config: DclawConfig,
        sampler: Sampler,
        servos: ServoSetup,
        counts: Counter[str],
    ) -> None:
        """Switch nothing yet.

        Args:
            bus: Where the servos are.
            config: Retries and the time of the watchdog.
            sampler: Says whether the servos answer.
            servos: Write single registers.
            counts: Trips of the watchdog and torque that stayed on are counted here.
        """
        self.torque = np.zeros(COUNT, dtype=bool)
        self.armed = False
        self.goals: Array | None = None
        self._bus, self._config = bus, config
        self._sampler, self._servos, self._counts = sampler, servos, counts

    def forget(self) -> None:
        """Begin anew with servos of which nothing is known."""
        self.goals = None
        self.torque[:] = False

    def limp(self) -> None:
        """Switch torque off everywhere and make sure of it, best effort."""
        try:
            for _ in range(self._config.retries + 1):
                self.switch_off()  # nobody confirms it, and one of them may have been lost
            # With a silent servo there would be no answer, only a time-out.
            if (
                not self._sampler.missed
                and self._bus.sync_read(ALL_IDS, table.TORQUE_ENABLE.address, 1).any()
            ):
                self.switch_off()
                self._counts['torque that stayed on'] += 1
        except RobotError:
            self._counts['unconfirmed torque off'] += 1
        self.torque[:] = False
        self.armed = False
        self.goals = None

    def switch_off(self) -> None:
        """Tell every servo to let go, once; nobody confirms it."""
        for register in (table.TORQUE_ENABLE, table.BUS_WATCHDOG):
            self._bus.sync_write(ALL_IDS, register, [0] * COUNT)

    def aim_here(self, chosen: Sequence[int], sample: Sample) -> None:
        """Give servos that are about to come on the place where they are as their goal."""
        angle = table.to_angle(sample['position'], OFFSET)
        angle = np.clip(angle, MECHANICAL[0], MECHANICAL[1])
        goals = table.to_ticks(angle, OFFSET).astype(int)
        for index in chosen:
            self._servos.write(ALL_IDS[index], table.BUS_WATCHDOG, 0)
            self._servos.write(ALL_IDS[index], table.GOAL_POSITION, int(goals[index]))

    def switch(self, chosen: Sequence[int], *, on: bool) -> None:
        """Switch servos by index, one after the other, then arm those that are on."""
        for index in chosen:
            self._servos.write(ALL_IDS[index], table.TORQUE_ENABLE, int(on))
            self.torque[index] = on
        self._arm()

    def move(self, goals: Array) -> None:
        """Send goals, shape (10,), rad, NaN: none, kept to the mechanical limits."""
        wanted = np.flatnonzero(~np.isnan(goals))
        inside = np.clip(goals[wanted], MECHANICAL[0, wanted], MECHANICAL[1, wanted])
        ticks = table.to_ticks(inside, OFFSET[wanted]).astype(int)
        ids = [ALL_IDS[index] for index in wanted]
        self._guarded(lambda: self._bus.sync_write(ids, table.GOAL_POSITION, ticks.tolist()))
        self.goals = goals

    def rearm(self, sample: Sample) -> str:
        """Go on after the watchdog stopped the servos: hold here; torque never went off.

        Returns:
            Why the motion was interrupted.
        """
        self._counts['watchdog trips'] += 1
        flags = sample['watchdog'] == table.WATCHDOG_TRIPPED
        tripped = [i for i, flag in zip(ALL_IDS, flags, strict=True) if flag]
        self._guarded(lambda: self._bus.sync_write(ALL_IDS, table.BUS_WATCHDOG, [0] * COUNT))
        goals = table.to_angle(sample['position'], OFFSET)
        self.move(np.where(self.torque, goals, np.nan))
        self.goals = None
        self._arm()
        return f'bus watchdog stopped motors {tripped}: the driver was silent for too long'

    def _arm(self) -> None:
        """Let servos stop by themselves when we fall silent; only those that are on."""
        units = round(self._config.watchdog / table.WATCHDOG_UNIT)
        values = [units if on else 0 for on in self.torque]
        self._guarded(lambda: self._bus.sync_write(ALL_IDS, table.BUS_WATCHDOG, values))
        self.armed = units > 0 and bool(self.torque.any())

    def _guarded(self, transfer: Callable[[], Any]) -> None:
        """Write; on failure go limp, for nobody knows what the servos got."""
        try:
            self._sampler.retried(transfer)
        except RobotError:
            self.limp()
            raise
