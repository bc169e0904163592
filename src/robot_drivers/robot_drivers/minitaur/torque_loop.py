"""The PD law for a robot that takes torques: what `pd_node` decides, free of ROS.

The same law, motor model and time-out as in the motor controller, fed by named joint states and
commands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
import math

import numpy as np

from robot_drivers.minitaur import leg
from robot_drivers.minitaur.motor import MotorModel
from robot_drivers.minitaur.pd import duty, Gains

Array = leg.Array


@dataclass(frozen=True)
class TorqueLoopConfig:
    """Parameters of the PD node."""

    rate: float = field(
        default=250.0,
        metadata={'doc': 'Most efforts per second [Hz]; one per joint state.', 'range': (20, 500)},
    )
    kp: float = field(
        default=0.7,
        metadata={
            'doc': 'PWM duty per angle [1/rad]. Lower than in a motor controller, as the topics '
            'delay the loop by 1 to 7 ms.',
            'range': (0, 3),
        },
    )
    kd: float = field(
        default=0.015, metadata={'doc': 'PWM duty per velocity [s/rad].', 'range': (0, 0.1)}
    )
    command_timeout: float = field(
        default=0.08,
        metadata={'doc': 'Silence after which the legs are damped [s].', 'range': (0.01, 1.0)},
    )
    state_timeout: float = field(
        default=0.05,
        metadata={
            'doc': 'Age of the joint state beyond which no torque is given [s].',
            'range': (0.005, 0.5),
        },
    )

    def __post_init__(self) -> None:
        """Refuse values that no loop survives."""
        Gains(self.kp, self.kd)
        if self.rate <= 0:
            raise ValueError(f'rate must be positive, got {self.rate} Hz')


class TorqueLoop:
    """Turns named commands and joint states into the torques of eight motors."""

    def __init__(self, config: TorqueLoopConfig, motor: MotorModel | None = None) -> None:
        """Start without command: the legs are damped until one comes."""
        self._config = config
        self._gains = Gains(config.kp, config.kd)
        self._damping = Gains(0.0, 0.05)
        self._motor = motor or MotorModel()
        self._target = np.zeros(8)
        self._commanded = -math.inf
        self._names: list[str] = []
        self._order: list[int] = []
        self._position = np.zeros(8)
        self._velocity = np.zeros(8)
        self._measured = -math.inf

    def command(self, names: Sequence[str], values: Sequence[float], now: float) -> None:
        """Take a position command for leg channels or motor joints, in any order, [rad].

        Raises:
            ValueError: Not exactly the eight leg channels or the eight motors, or not finite.
        """
        given = dict(zip(names, values, strict=False))
        if len(names) != len(values) or len(given) != 8:
            raise ValueError(f'command needs 8 names with a value each, got {list(names)}')
        if given.keys() == set(leg.LEG_CHANNELS):
            target = leg.motor_angles([given[name] for name in leg.LEG_CHANNELS])
        elif given.keys() == set(leg.MOTOR_JOINTS):
            target = np.array([given[name] for name in leg.MOTOR_JOINTS], dtype=float)
        else:
            raise ValueError(
                f'command names {list(names)}; needed are {leg.LEG_CHANNELS} or {leg.MOTOR_JOINTS}'
            )
        if not np.isfinite(target).all():
            raise ValueError(f'command values {list(values)} are not all finite')
        self._target, self._commanded = target, now

    def measure(
        self,
        names: Sequence[str],
        position: Sequence[float],
        velocity: Sequence[float],
        now: float,
    ) -> None:
        """Take a joint state [rad], [rad/s] that holds at least the eight motors.

        Raises:
            ValueError: A motor is missing, or a value not finite.
        """
        if list(names) != self._names:
            missing = [name for name in leg.MOTOR_JOINTS if name not in names]
            if missing:
                raise ValueError(f'joint state lacks {missing}; it has {list(names)}')
            self._names = list(names)
            self._order = [self._names.index(name) for name in leg.MOTOR_JOINTS]
        if not len(names) == len(position) == len(velocity):
            raise ValueError(
                f'joint state has {len(names)} names, {len(position)} positions and '
                f'{len(velocity)} velocities; all are needed'
            )
        values = np.array([[position[i], velocity[i]] for i in self._order], dtype=float).T
        if not np.isfinite(values).all():
            raise ValueError(f'joint state is not finite: {values}')
        self._position, self._velocity = values
        self._measured = now

    def torque(self, now: float) -> Array:
        """Return the torques (8,) [Nm] at a time [s]: PD, damping, or zero without fresh state."""
        if now - self._measured > self._config.state_timeout:
            return np.zeros(8)
        silent = now - self._commanded > self._config.command_timeout
        gains = self._damping if silent else self._gains
        wanted = duty(self._position, self._velocity, self._target, gains)
        return self._motor.torque(self._motor.current(wanted, self._velocity))

    def holds(self, now: float) -> bool:
        """Return whether commands keep coming."""
        return now - self._commanded <= self._config.command_timeout
