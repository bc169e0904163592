"""What the motor controller's firmware does, tick by tick; emulator and twin run this class.

The controller never moves on its own: it starts limp, follows position targets while commands
keep coming, damps the legs when they stop for longer than ``command_timeout``, and switches a
motor off that overheats until it is told to reset.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from robot_drivers.minitaur.link import (
    Command,
    FAULT_COMMAND_TIMEOUT,
    FAULT_OVERHEAT,
    MODE_DAMP,
    MODE_OFF,
    MODE_POSITION,
    MODE_RESET,
)
from robot_drivers.minitaur.motor import MotorModel, OverheatGuard, ThermalModel
from robot_drivers.minitaur.pd import duty, Gains

Array = NDArray[np.float64]

DAMPING = Gains(kp=0.0, kd=0.05)  # with the back-EMF about 0.46 Nm s/rad: a slow, soft sinking


@dataclass(frozen=True)
class ControllerConfig:
    """Settings of the motor controller."""

    period: float = 0.002  # of the PD loop [s]
    command_timeout: float = 0.1  # silence after which the legs are damped [s]
    feedback_delay: float = 0.0  # from encoder to duty [s], a multiple of the period
    gain: float = 1.0  # scales the commanded gains
    temperature_limit: float = 80.0  # a motor above is switched off [Celsius]
    motor: MotorModel = field(default_factory=MotorModel)

    def __post_init__(self) -> None:
        """Check ranges and relations."""
        if not 1e-4 <= self.period <= 0.01:
            raise ValueError(f'period must be in [0.0001, 0.01] s, got {self.period}')
        if not 0.0 <= self.feedback_delay <= 0.02:
            raise ValueError(f'feedback_delay must be in [0, 0.02] s, got {self.feedback_delay}')
        if not 0.0 < self.gain <= 4.0:
            raise ValueError(f'gain must be in (0, 4], got {self.gain}')


class MotorController:
    """Turns position commands into torques of eight motors."""

    def __init__(self, config: ControllerConfig) -> None:
        """Start limp, at time 0."""
        self._config = config
        self._guard = OverheatGuard()
        self._thermal = ThermalModel()
        self._delay = round(config.feedback_delay / config.period)
        self._feedback: deque[tuple[Array, Array]] = deque(maxlen=self._delay + 1)
        self.mode = MODE_OFF
        self.faults = 0
        self._target = np.zeros(8)
        self._gains = Gains()
        self._silence = 0.0
        self._power = np.zeros(8)
        self._power_time = 0.0
        self.current = np.zeros(8)
        self.torque = np.zeros(8)

    @property
    def shut_motors(self) -> int:
        """Bit i is set where motor i is switched off."""
        return int(np.packbits(self._guard.shut, bitorder='little')[0])

    @property
    def temperature(self) -> Array:
        """Winding temperature (8,) [Celsius], from the current."""
        return self._thermal.winding

    def accept(self, command: Command) -> None:
        """Follow a command from the next tick on."""
        self._silence = 0.0
        self.faults &= ~FAULT_COMMAND_TIMEOUT
        if command.mode == MODE_RESET:
            self._guard.reset()
            self.faults = 0
            self.mode = MODE_OFF
            return
        self.mode = command.mode
        if command.mode == MODE_POSITION:
            self._target = np.asarray(command.target, dtype=float)
            gain = self._config.gain
            if (command.kp * gain, command.kd * gain) != (self._gains.kp, self._gains.kd):
                self._gains = Gains(command.kp * gain, command.kd * gain)

    def shut_down(self, motors: Sequence[int]) -> None:
        """Switch motors off, as the overheat rule does."""
        self._guard.shut[list(motors)] = True
        self.faults |= FAULT_OVERHEAT

    def tick(self, position: Array, velocity: Array) -> Array:
        """Run one period on measured angles (8,) [rad], [rad/s]; return torques (8,) [Nm].

        The returned array is overwritten by the next tick.
        """
        period = self._config.period
        self._silence += period
        if self.mode == MODE_POSITION and self._silence > self._config.command_timeout + 1e-9:
            self.mode = MODE_DAMP
            self.faults |= FAULT_COMMAND_TIMEOUT
        if self.mode == MODE_OFF:
            self.current[:] = 0.0
            self.torque[:] = 0.0
        else:
            if self._delay:
                self._feedback.append((position.copy(), velocity.copy()))
                seen_position, seen_velocity = self._feedback[0]
            else:
                seen_position, seen_velocity = position, velocity
            gains = self._gains if self.mode == MODE_POSITION else DAMPING
            wanted = duty(seen_position, seen_velocity, self._target, gains)
            self.current = self._config.motor.current(wanted, velocity)
            self.torque = self._config.motor.torque(self.current)
            if self.faults & FAULT_OVERHEAT:
                self.current[self._guard.shut] = 0.0
                self.torque[self._guard.shut] = 0.0
        if self._guard.update(self.torque, period):
            self.faults |= FAULT_OVERHEAT
        self._power += self.current * self.current
        self._power_time += period
        if self._power_time >= 0.02 - 1e-9:
            self._warm()
        return self.torque

    def _warm(self) -> None:
        self._thermal.update(
            self._power * (self._config.period / self._power_time), self._power_time
        )
        self._power[:] = 0.0
        self._power_time = 0.0
        hot = self._thermal.winding > self._config.temperature_limit
        if hot.any():
            self._guard.shut |= hot
            self.faults |= FAULT_OVERHEAT
