"""One motor of Minitaur: voltage, back-EMF, saturation, overheating and temperature.

Sources: electrical model, saturation and shutdown rule: bulletphysics/bullet3,
minitaur/envs/motor.py and minitaur.py. Thermal network: Ghost Robotics SDK 0.1.19. Eight motors
at once, arrays of shape (8,).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

SATURATION_CURRENT = np.array([0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0])  # [A]
SATURATION_TORQUE = np.array([0.0, 1.0, 1.9, 2.45, 3.0, 3.25, 3.5])  # [Nm]
VOLTAGE_LIMIT = 50.0  # of the voltage across the winding [V]


@dataclass(frozen=True)
class MotorModel:
    """Torque of a direct-drive motor under a PWM duty."""

    supply_voltage: float = 16.0  # [V]
    resistance: float = 0.186  # [Ohm]
    torque_constant: float = 0.0954  # [Nm/A], also [V s/rad]
    viscous: float = 0.0  # [V s/rad], acts as additional back-EMF
    strength: float = 1.0  # scales the torque, for randomisation

    def __post_init__(self) -> None:
        """Refuse values that divide by zero or drive backwards."""
        for name in ('supply_voltage', 'resistance', 'torque_constant', 'strength'):
            if not getattr(self, name) > 0:
                raise ValueError(f'{name} must be positive, got {getattr(self, name)}')

    def current(self, duty: Array, velocity: Array) -> Array:
        """Return the winding current [A] for a duty in [-1, 1] at a velocity [rad/s]."""
        volts = duty * self.supply_voltage - (self.torque_constant + self.viscous) * velocity
        np.minimum(volts, VOLTAGE_LIMIT, out=volts)
        np.maximum(volts, -VOLTAGE_LIMIT, out=volts)
        volts /= self.resistance
        return volts

    def torque(self, current: Array) -> Array:
        """Return the shaft torque [Nm] of a current [A]; it saturates at 3.5 Nm."""
        magnitude = np.interp(np.abs(current), SATURATION_CURRENT, SATURATION_TORQUE)
        return np.asarray(np.copysign(magnitude, current) * self.strength)


class OverheatGuard:
    """Shuts a motor down that works above a torque for too long; it stays down until reset."""

    def __init__(self, torque: float = 2.45, duration: float = 1.0, motors: int = 8) -> None:
        """Start with all motors on.

        Args:
            torque: What counts as overload [Nm].
            duration: Uninterrupted overload that is still allowed [s].
            motors: Number of motors.
        """
        self._torque = torque
        self._duration = duration + 1e-9  # sums of periods are not exact
        self._overload = np.zeros(motors)
        self.shut: Flags = np.zeros(motors, dtype=bool)

    def update(self, torque: Array, period: float) -> bool:
        """Count torque (J,) [Nm] for a period [s]; return whether a motor was shut down by it."""
        over = np.abs(torque) > self._torque
        self._overload += period
        self._overload *= over
        if self._overload.max() <= self._duration:
            return False
        late = self._overload > self._duration
        new = bool((late & ~self.shut).any())
        self.shut |= late
        return new

    def reset(self) -> None:
        """Switch every motor on again."""
        self._overload[:] = 0.0
        self.shut[:] = False


class ThermalModel:
    """Winding temperature from the current: winding -> case -> air.

    ``C1 dT1/dt = I^2 R - (T1 - T2)/R1``, ``C2 dT2/dt = (T1 - T2)/R1 - (T2 - Ta)/R2``.
    """

    R1, C1 = 0.4907, 88.63  # winding to case [K/W], winding [J/K]
    R2, C2 = 1.4339, 481.47  # case to air [K/W], case [J/K]

    def __init__(self, ambient: float = 22.0, resistance: float = 0.2, motors: int = 8) -> None:
        """Start at the ambient temperature [Celsius]; resistance [Ohm] turns current into heat."""
        self._ambient = ambient
        self._resistance = resistance
        self.winding = np.full(motors, ambient)
        self._case = np.full(motors, ambient)

    def update(self, squared_current: Array, period: float) -> None:
        """Add the heat of a mean squared current (J,) [A^2] over a period [s]."""
        to_case = (self.winding - self._case) / self.R1
        to_air = (self._case - self._ambient) / self.R2
        self.winding += period / self.C1 * (squared_current * self._resistance - to_case)
        self._case += period / self.C2 * (to_case - to_air)
