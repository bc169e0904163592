"""What is sent to the motor controller: a mode, motor angles in its wiring, and gains."""

from __future__ import annotations

import numpy as np

from robot_drivers.errors import RobotError
from robot_drivers.minitaur.config import MinitaurConfig, Wiring
from robot_drivers.minitaur.host import HostLink
from robot_drivers.minitaur.link import Command, MODE_OFF, State
from robot_drivers.robot import Array

LIMP_ATTEMPTS = 3


class Actuator:
    """Commands the motors of one robot.

    Attributes:
        target: Last sent motor angles, shape (8,), rad; None: not enabled.
    """

    def __init__(self, link: HostLink, config: MinitaurConfig, wiring: Wiring) -> None:
        """Send nothing yet.

        Args:
            link: To the motor controller; whoever owns it opens and closes it.
            config: Gains, time-out and retries.
            wiring: Order, direction and zero of the motors.
        """
        self.target: Array | None = None
        self._link, self._config, self._wiring = link, config, wiring

    def send(self, mode: int) -> None:
        """Send the target without waiting.

        Raises:
            NotConnectedError: The link is closed, or the network is down.
        """
        self._link.send(self._command(mode))

    def exchange(self, mode: int, *, period: float = 0.0, attempts: int | None = None) -> State:
        """Send the target and return the state that answers it.

        Args:
            mode: One of link.MODES.
            period: Lock-step: time to advance [s].
            attempts: Repetitions instead of the configured ones.

        Raises:
            StaleStateError: No answer to any attempt.
            NotConnectedError: The link is closed, or the network is down.
        """
        retries = self._config.retries if attempts is None else attempts
        return self._link.exchange(
            self._command(mode, period), timeout=self._config.reply_timeout, retries=retries
        )

    def limp(self) -> None:
        """Switch the motors off, best effort."""
        self.target = None
        if not self._link.is_open:
            return
        for _ in range(LIMP_ATTEMPTS):
            try:
                state = self._link.exchange(self._command(MODE_OFF), timeout=0.02, retries=0)
            except RobotError:
                continue
            if state.mode == MODE_OFF:
                return

    def _command(self, mode: int, period: float = 0.0) -> Command:
        theta = np.zeros(8) if self.target is None else self.target
        wire = self._wiring.to_wire(theta).astype(np.float32)
        return Command(mode, wire, self._config.kp, self._config.kd, period)
