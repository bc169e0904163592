"""The whole simulated robot: body, motor controller, sensors; shared by emulator and twin."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from robot_drivers.minitaur.controller import ControllerConfig, MotorController
from robot_drivers.minitaur.link import Command, Mocap, State
from robot_drivers.minitaur.motor import MotorModel
from robot_drivers.minitaur.perturbation import Perturbation
from robot_drivers.minitaur.simulation import MinitaurSimulation, Placement
from robot_drivers.minitaur.terrain import Terrain

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SensorNoise:
    """Standard deviations of white noise; the numbers are ours, ``scale`` 0 switches it off."""

    scale: float = 0.0
    position: float = 0.003  # [rad]
    velocity: float = 0.1  # [rad/s]
    tilt: float = 0.01  # roll, pitch and yaw [rad]
    angular_velocity: float = 0.05  # [rad/s]
    linear_acceleration: float = 0.2  # [m/s^2]


@dataclass(frozen=True)
class PlantConfig:
    """Everything that makes one simulated robot differ from another."""

    terrain: Terrain = field(default_factory=Terrain)
    controller: ControllerConfig = field(default_factory=ControllerConfig)
    noise: SensorNoise = field(default_factory=SensorNoise)
    latency: float = 0.0  # age of the sensor values when they are sent [s]
    seed: int = 0

    def __post_init__(self) -> None:
        """Check ranges."""
        if not 0.0 <= self.latency <= 0.2:
            raise ValueError(f'latency must be in [0, 0.2] s, got {self.latency}')
        if not 0.0 <= self.noise.scale <= 10.0:
            raise ValueError(f'noise scale must be in [0, 10], got {self.noise.scale}')


def plant_config(
    *,
    terrain: str = 'flat',
    friction: float = 1.0,
    slope: float = Terrain.slope,
    step_height: float = Terrain.step_height,
    gain: float = 1.0,
    strength: float = 1.0,
    latency: float = 0.0,
    noise: float = 0.0,
    seed: int = 0,
    timestep: float = 0.002,
) -> PlantConfig:
    """Return the plant that the arguments of emulator and twin describe.

    Args:
        terrain: One of terrain.TERRAINS.
        friction: Of the feet on the ground.
        slope: Of the slopes [rad].
        step_height: Of the stairs [m].
        gain: Scales the commanded gains.
        strength: Scales the motor torques.
        latency: Age of the sensor values [s].
        noise: Scales the noise of `SensorNoise`; 0 is none.
        seed: Of the noise.
        timestep: Of physics and PD loop [s].

    Raises:
        ValueError: A value is out of range.
    """
    return PlantConfig(
        terrain=Terrain(terrain, friction=friction, slope=slope, step_height=step_height),
        controller=ControllerConfig(
            period=timestep, gain=gain, motor=MotorModel(strength=strength)
        ),
        noise=SensorNoise(scale=noise),
        latency=latency,
        seed=seed,
    )


class MinitaurPlant:
    """A simulated Minitaur that takes link commands and returns link states."""

    def __init__(self, config: PlantConfig) -> None:
        """Place the robot at the origin, limp."""
        self.config = config
        self.simulation = MinitaurSimulation(config.terrain, config.controller.period)
        self.controller = MotorController(config.controller)
        self.ticks = 0  # of the controller's clock since it was switched on
        self._delay = round(config.latency / config.controller.period)
        self._history: deque[State] = deque(maxlen=self._delay + 1)
        self._random = np.random.default_rng(config.seed)
        self._sequence = 0
        self._perturbation = Perturbation(np.random.default_rng([config.seed, 2]))

    @property
    def time(self) -> float:
        """The controller's clock [s]; it goes on when the robot is placed anew."""
        return self.ticks * self.config.controller.period

    def place(self, placement: Placement, theta: Array | None = None) -> None:
        """Pick the robot up and set it down, limp, motors cold and on.

        Raises:
            ValueError: The placement asks for more perturbation than there is.
        """
        drawn = self._perturbation.begin(placement.perturb)
        config = self.config.controller
        motor = replace(config.motor, strength=config.motor.strength * drawn.strength)
        self.controller = MotorController(replace(config, motor=motor))
        self.simulation.change(mass=drawn.mass, friction=drawn.friction)
        self.simulation.place(placement, theta)
        self._history.clear()

    def accept(self, command: Command, sequence: int = 0) -> None:
        """Follow a command."""
        self._sequence = sequence
        self.controller.accept(command)

    def advance(self, ticks: int) -> None:
        """Run controller and physics for a number of ticks."""
        simulation, controller = self.simulation, self.controller
        if self._perturbation.active:
            self._perturbation.advance(ticks * self.config.controller.period)
            simulation.push(self._perturbation.force, self._perturbation.point)
        for _ in range(ticks):
            simulation.step(controller.tick(simulation.motor_position, simulation.motor_velocity))
            self.ticks += 1
            if self._delay:
                self._history.append(self._measure())

    def state(self) -> State:
        """Return what the controller reports; the sensor values are as old as the latency."""
        if not self._delay or not self._history:
            return self._measure()
        return replace(
            self._history[0],
            command_sequence=self._sequence,
            mode=self.controller.mode,
            faults=self.controller.faults,
            shut_motors=self.controller.shut_motors,
        )

    def mocap(self) -> Mocap:
        """Return what a tracking system sees, without noise or latency."""
        simulation = self.simulation
        orientation = simulation.orientation
        return Mocap(
            time=self.time,
            position=simulation.position,
            orientation=orientation,
            linear_velocity=simulation.linear_velocity,
            angular_velocity=_rotate(orientation, simulation.gyro),
        )

    def _measure(self) -> State:
        simulation, controller = self.simulation, self.controller
        orientation = simulation.orientation
        position, velocity = simulation.motor_position, simulation.motor_velocity
        gyro, acceleration = simulation.gyro, simulation.accelerometer
        noise = self.config.noise
        if noise.scale > 0.0:
            position = position + self._white(noise.position, 8)
            velocity = velocity + self._white(noise.velocity, 8)
            gyro = gyro + self._white(noise.angular_velocity, 3)
            acceleration = acceleration + self._white(noise.linear_acceleration, 3)
            orientation = _tilt(orientation, self._white(noise.tilt, 3))
        return State(
            time=self.time,
            command_sequence=self._sequence,
            mode=controller.mode,
            faults=controller.faults,
            shut_motors=controller.shut_motors,
            position=position.astype(np.float32),
            velocity=velocity.astype(np.float32),
            torque=controller.torque.astype(np.float32),
            current=controller.current.astype(np.float32),
            temperature=controller.temperature.astype(np.float32),
            orientation=orientation.astype(np.float32),
            angular_velocity=gyro.astype(np.float32),
            linear_acceleration=acceleration.astype(np.float32),
            supply=self.config.controller.motor.supply_voltage,
        )

    def _white(self, deviation: float, size: int) -> Array:
        return self._random.normal(0.0, deviation * self.config.noise.scale, size)


def _rotate(quaternion: Array, vector: Array) -> Array:
    """Return a vector (3,) turned by a quaternion x y z w."""
    axis, w = quaternion[:3], quaternion[3]
    twice = 2.0 * np.cross(axis, vector)
    return np.asarray(vector + w * twice + np.cross(axis, twice))


def _tilt(quaternion: Array, rotation: Array) -> Array:
    """Return a quaternion x y z w turned by a small rotation (3,) [rad] in the body frame."""
    small = np.append(rotation / 2.0, 1.0)
    x, y, z, w = quaternion
    a, b, c, d = small / np.linalg.norm(small)
    return np.array(
        [
            w * a + x * d + y * c - z * b,
            w * b - x * c + y * d + z * a,
            w * c + x * b - y * a + z * d,
            w * d - x * a - y * b - z * c,
        ]
    )
