"""Minitaur without ROS and without sockets: body, controller and sensors in one process.

The same plant as behind the emulator's datagrams, with commands and states rounded as on the
wire, so that both give the same trajectory bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robot_drivers.minitaur import leg
from robot_drivers.minitaur.link import Command, MODE_POSITION
from robot_drivers.minitaur.pd import Gains
from robot_drivers.minitaur.plant import MinitaurPlant, plant_config
from robot_drivers.minitaur.simulation import Placement
from robot_drivers.minitaur.start import PERTURB, PLACES, start_motion, start_pose

Array = NDArray[np.float64]


class MinitaurTwin:
    """One simulated Minitaur, stepped by control periods."""

    command_names = leg.LEG_CHANNELS
    joint_names = leg.MOTOR_JOINTS

    def __init__(
        self,
        *,
        control_period: float = 0.02,
        kp: float = 1.0,
        kd: float = 0.015,
        **world: Any,
    ) -> None:
        """Build the plant; call `reset` before the first step.

        Args:
            control_period: Time one step advances [s], a multiple of the controller's period.
            kp: Stiffness of the PD controller [1/rad] of duty.
            kd: Damping of the PD controller [s/rad] of duty.
            world: Terrain, friction, noise and so on, as of `plant.plant_config`.

        Raises:
            ValueError: The control period is no multiple of the controller's period, or a value
                is out of range.
        """
        self.plant = MinitaurPlant(plant_config(**world))
        self.control_period = control_period
        self._gains = Gains(float(np.float32(kp)), float(np.float32(kd)))  # as on the wire
        period = self.plant.config.controller.period
        self._ticks = round(control_period / period)
        if abs(self._ticks * period - control_period) > 1e-9 or self._ticks < 1:
            raise ValueError(
                f'control_period ({control_period} s) must be a multiple of the period of the '
                f'motor controller ({period} s)'
            )

    def reset(self, goal: Mapping[str, float] | None = None) -> dict[str, Array]:
        """Set the robot down and bring it to its start pose; return the sensors.

        Args:
            goal: Any of ``swing_i``, ``extension_i``, ``base_yaw`` [rad], ``base_x``, ``base_y``
                [m], ``perturb``; the rest is neutral, at the origin, unperturbed.

        Raises:
            ValueError: The goal is not possible.
        """
        goal = goal or {}
        pose = start_pose(goal)
        x, y, yaw, perturb = (goal.get(name, 0.0) for name in (*PLACES, PERTURB))
        self.plant.place(Placement(x, y, yaw, perturb))
        for target in start_motion(pose, self.control_period):
            self._advance(target)
        return self.sensors()

    def step(self, command: ArrayLike) -> dict[str, Array]:
        """Follow leg angles (8,), swing then extension [rad], for one control period.

        Raises:
            ValueError: The command is not 8 finite numbers.
        """
        self._advance(command)
        return self.sensors()

    def sensors(self) -> dict[str, Array]:
        """Return the sensor values of this instant, SI units, by topic and field."""
        state, mocap = self.plant.state(), self.plant.mocap()
        return {
            'joint_states.position': state.position.astype(float),
            'joint_states.velocity': state.velocity.astype(float),
            'joint_states.effort': state.torque.astype(float),
            'imu.orientation': state.orientation.astype(float),
            'imu.angular_velocity': state.angular_velocity.astype(float),
            'imu.linear_acceleration': state.linear_acceleration.astype(float),
            'pose.position': mocap.position,
            'pose.orientation': mocap.orientation,
            'twist.linear': mocap.linear_velocity,
            'twist.angular': mocap.angular_velocity,
        }

    def render(
        self, width: int = 640, height: int = 360, camera: str = 'track'
    ) -> NDArray[np.uint8]:
        """Return a picture (height, width, 3), RGB; set MUJOCO_GL before MuJoCo is imported."""
        return self.plant.simulation.render(width, height, camera)

    def close(self) -> None:
        """Free the renderer; may be called twice."""
        self.plant.simulation.close()

    @property
    def time(self) -> float:
        """Simulated time since the twin was built [s]."""
        return self.plant.time

    def _advance(self, command: ArrayLike) -> None:
        theta = leg.motor_angles(command).astype(np.float32)
        if not np.isfinite(theta).all():
            raise ValueError(f'command must be 8 finite numbers, got {command!r}')
        self.plant.accept(
            Command(MODE_POSITION, theta, self._gains.kp, self._gains.kd, self.control_period)
        )
        self.plant.advance(self._ticks)
