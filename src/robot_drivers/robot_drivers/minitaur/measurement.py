"""What a state of the motor controller says about the robot."""

from __future__ import annotations

import math

import numpy as np

from robot_drivers.minitaur import leg
from robot_drivers.minitaur.config import MinitaurConfig, Wiring
from robot_drivers.minitaur.link import FAULTS, Mocap, MODES, State
from robot_drivers.robot import Array, Imu, Pose, RobotState


class Measurement:
    """Reads states in the order, direction and zero of the robot's motors."""

    def __init__(self, config: MinitaurConfig, wiring: Wiring) -> None:
        """Use the wiring of a robot and its limit of temperature."""
        self._order = list(config.motor_order)
        self._limit = config.temperature_limit
        self._wiring = wiring
        self._remote = self._before = 0.0  # newest controller time, sum of earlier ones [s]

    def motor_angles(self, state: State) -> Array:
        """Return the motor angles, (8,), rad."""
        return self._wiring.positions(state.position.astype(float))

    def robot_state(self, state: State, stamp: float, mocap: Mocap | None) -> RobotState:
        """Return what is published: legs, then motors.

        Args:
            state: Of the controller.
            stamp: Of the measurement [s].
            mocap: The base as tracked, None if it is not.
        """
        theta = self.motor_angles(state)
        theta_rate = self._wiring.rates(state.velocity.astype(float))
        torque = self._wiring.rates(state.torque.astype(float))
        return RobotState(
            stamp=stamp,
            position=np.concatenate([leg.leg_angles(theta), theta]),
            velocity=np.concatenate([leg.leg_angles(theta_rate), theta_rate]),
            effort=np.concatenate([leg.leg_efforts(torque), torque]),
            imu=Imu(
                orientation=state.orientation.astype(float),
                angular_velocity=state.angular_velocity.astype(float),
                linear_acceleration=state.linear_acceleration.astype(float),
            ),
            base=None if mocap is None else _base(mocap),
        )

    def lockstep_stamp(self, remote: float) -> float:
        """Return a time [s] that goes on where it was when the emulator is started anew."""
        if remote < self._remote:
            self._before += self._remote
        self._remote = remote
        return self._before + remote

    def shut(self, state: State) -> list[str]:
        """Return the names of the motors that the controller switched off."""
        return [leg.MOTOR_JOINTS[i] for i in range(8) if state.shut_motors >> self._order[i] & 1]

    def report(self, state: State) -> dict[str, str | float]:
        """Return what diagnostics tell about the controller and its motors."""
        return {
            'controller mode': MODES.get(state.mode, str(state.mode)),
            'controller faults': ', '.join(faults(state)) or 'none',
            'motors switched off': ', '.join(self.shut(state)) or 'none',
            'winding temperature, hottest [Celsius]': float(state.temperature.max()),
            'motor current, largest [A]': float(np.abs(state.current).max()),
            'supply [V]': state.supply,
        }

    def heat(self, state: State) -> str:
        """Say which motor is too hot to begin with, '' if none is."""
        temperature = state.temperature[self._order]
        hottest = int(temperature.argmax())
        if temperature[hottest] <= self._limit:
            return ''
        name = leg.MOTOR_JOINTS[hottest]
        return f'{name} has {temperature[hottest]:.0f} Celsius, limit {self._limit:.0f}'


def faults(state: State) -> list[str]:
    """Return what the controller reports, in words."""
    return [name for bit, name in FAULTS.items() if state.faults & bit]


def tilt(state: RobotState) -> float:
    """Return the larger of |roll| and |pitch| [rad]."""
    if state.imu is None or state.imu.orientation is None:
        return 0.0
    x, y, z, w = state.imu.orientation
    roll = math.atan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y))
    pitch = math.asin(max(-1.0, min(1.0, 2 * (w * y - z * x))))
    return max(abs(roll), abs(pitch))


def _base(mocap: Mocap) -> Pose:
    return Pose(
        position=mocap.position,
        orientation=mocap.orientation,
        linear_velocity=mocap.linear_velocity,
        angular_velocity=mocap.angular_velocity,
    )
