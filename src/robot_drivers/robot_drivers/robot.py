"""The interface between the driver node and a robot, real or emulated.

J is the number of commanded joints, E the number of sensed joints that take no command.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Image = NDArray[np.uint8]
Mode = Literal['position', 'velocity', 'effort']
Clock = Literal['lockstep', 'wall']
Backend = Literal['sim', 'hardware']


def _vector(size: int, value: object, name: str) -> Array:
    array = np.broadcast_to(np.asarray(value, dtype=np.float64), (size,)).copy()
    if np.isnan(array).any():
        raise ValueError(f'{name} must not be NaN, got {array}')
    array.setflags(write=False)
    return array


@dataclass(frozen=True)
class RobotSpec:
    """What a robot is, as far as the node and the safety layer care.

    ``lower``, ``upper``, ``velocity_limit``, ``effort_limit`` and ``effort_rate_limit`` are
    scalars or of shape (J,); they are stored read-only with shape (J,).

    Raises:
        ValueError: A limit has another shape, or a lower limit is not below its upper one.
    """

    name: str
    joints: tuple[str, ...]
    mode: Mode  # unit of a command: rad, rad/s or Nm
    lower: Array  # joint positions [rad]
    upper: Array  # [rad]
    velocity_limit: Array  # [rad/s]; in mode position: rate of the commands
    effort_limit: Array  # [Nm]
    control_period: float  # [s] one command per period; what one command advances in lockstep
    update_rate: float = 100.0  # [Hz] wall clock: how often Robot.update() and read() are called
    effort_rate_limit: Array = field(default_factory=lambda: np.asarray(np.inf))  # [Nm/s]
    extra_joints: tuple[str, ...] = ()  # sensed after `joints`, never commanded
    frame_id: str = ''

    def __post_init__(self) -> None:
        """Normalise the limits to shape (J,)."""
        for name in ('lower', 'upper', 'velocity_limit', 'effort_limit', 'effort_rate_limit'):
            object.__setattr__(self, name, _vector(len(self.joints), getattr(self, name), name))
        if not (self.lower < self.upper).all():
            raise ValueError(f'lower {self.lower} must be below upper {self.upper}')
        if len(set(self.sensed_joints)) != len(self.sensed_joints):
            raise ValueError(f'joint names must be unique, got {self.sensed_joints}')
        if self.control_period <= 0 or self.update_rate <= 0:
            raise ValueError(
                f'control_period ({self.control_period} s) and update_rate '
                f'({self.update_rate} Hz) must be positive'
            )

    @property
    def sensed_joints(self) -> tuple[str, ...]:
        """Names of RobotState's arrays: commanded joints, then extra ones."""
        return self.joints + self.extra_joints

    @property
    def command_lower(self) -> Array:
        """Smallest admissible command, shape (J,), unit by mode."""
        return {
            'position': self.lower,
            'velocity': -self.velocity_limit,
            'effort': -self.effort_limit,
        }[self.mode]

    @property
    def command_upper(self) -> Array:
        """Largest admissible command, shape (J,), unit by mode."""
        return {
            'position': self.upper,
            'velocity': self.velocity_limit,
            'effort': self.effort_limit,
        }[self.mode]


@dataclass(frozen=True)
class Imu:
    """Inertial measurement after REP-145: z up, +9.81 m/s2 at rest."""

    orientation: Array | None  # (4,) quaternion x y z w; None: not measured
    angular_velocity: Array  # (3,) rad/s
    linear_acceleration: Array  # (3,) m/s2
    frame_id: str = 'imu_link'


@dataclass(frozen=True)
class Pose:
    """Pose and twist of a frame (base or end effector) in the world."""

    position: Array  # (3,) m
    orientation: Array  # (4,) quaternion x y z w
    linear_velocity: Array  # (3,) m/s
    angular_velocity: Array  # (3,) rad/s
    frame_id: str = 'world'


@dataclass(frozen=True)
class RobotState:
    """One measurement of everything, all of the same instant."""

    stamp: float  # [s] time of measurement: counted periods in lockstep, else time.time()
    position: Array  # (J + E,) rad, in the order of RobotSpec.sensed_joints
    velocity: Array  # (J + E,) rad/s
    effort: Array  # (J + E,) Nm
    imu: Imu | None = None
    wrench: Array | None = None  # (6,) force [N], torque [Nm] at the end effector
    base: Pose | None = None  # floating base
    endpoint: Pose | None = None  # end effector
    image: Image | None = None  # (H, W, 3) RGB of the same instant
    interrupted: str = ''  # why the robot itself stopped the motion since the last read; still on


@dataclass(frozen=True)
class Connection:
    """How to reach a robot; each says whether its port is a serial device, host:port or URI."""

    port: str
    backend: Backend = 'sim'
    clock: Clock = 'wall'
    camera: str = 'none'  # none, emulated or v4l2
    camera_device: str = ''


class Robot(ABC):
    """A robot that takes one command per control period.

    Life: ``connect`` (limp) -> ``enable`` (holds) -> ``command``, ``read`` ... -> ``limp`` ->
    ``close``. As a context manager, entering connects and leaving always goes limp and closes.

    Lockstep: a call of ``command`` advances the simulated robot by exactly one control period,
    and ``read`` returns the state after it. Nothing else advances it, except steps of ``reset``.
    Wall clock: the node calls ``update`` and ``read`` at ``spec.update_rate``.

    One thread at a time may call a robot.
    """

    spec: RobotSpec

    @abstractmethod
    def connect(self) -> None:
        """Open the link, find every motor, check limits, read a first state; motors stay limp.

        Raises:
            ConnectionFailedError: With what is missing and what to do about it.
        """

    @abstractmethod
    def enable(self) -> None:
        """Take the measured state as target, arm the robot's own watchdog, switch torque on.

        Raises:
            RobotError: Not possible; the motors are limp.
        """

    @abstractmethod
    def read(self) -> RobotState:
        """Return the newest measurement.

        Raises:
            StaleStateError: No fresh measurement after the counted retries.
            MotorFaultError: A motor reports a fault.
            NotConnectedError: The link is gone.
        """

    def command(self, target: Array) -> Array:
        """Send one command and return what was really sent, shape (J,).

        Raises:
            ValueError: ``target`` is not finite or not of shape (J,).
            RobotError: The robot could not take it; the motors are limp when this is raised.
        """
        if target.shape != self.spec.lower.shape or not np.isfinite(target).all():
            raise ValueError(
                f'command must be {len(self.spec.joints)} finite numbers, one per joint '
                f'{self.spec.joints}, got {target}'
            )
        sent: Array = np.clip(target, self.spec.command_lower, self.spec.command_upper)
        self._write(sent)
        return sent

    @abstractmethod
    def _write(self, target: Array) -> None:
        """Send a command within the limits, unit by ``spec.mode``."""

    def hold(self, state: RobotState) -> Array:
        """Keep still where ``state`` was measured; return what was sent, shape (J,).

        Position mode holds the measured position; velocity and effort mode send zero.
        """
        if self.spec.mode == 'position':
            return self.command(state.position[: len(self.spec.joints)])
        return self.command(np.zeros(len(self.spec.joints)))

    def update(self) -> None:  # noqa: B027  optional hook, not abstract on purpose
        """Do periodic work in wall clock mode (republish, PD on the host); default: nothing."""

    @abstractmethod
    def reset(self, goal: Mapping[str, float], timeout: float) -> Iterator[RobotState]:
        """Bring the scene to a start pose in small steps.

        A generator: each step takes at most about one control period of the robot's time, never
        sleeps, and yields the state after it, so that the node publishes and stays responsive in
        between. In wall clock mode the node asks for the next step one control period later.
        Time-outs count ``RobotState.stamp``. Afterwards the robot holds, ready for a command.

        Args:
            goal: Positions [rad or m] of joints or scene objects, by name; the rest goes to the
                robot's own start pose.
            timeout: [s] of robot time.

        Raises:
            ValueError: A name or position in ``goal`` is not possible.
            ResetFailedError: The goal was not reached.
            NeedsHelpError: Only a person can go on; the motors are limp.
        """

    @abstractmethod
    def limp(self) -> None:
        """Switch torque off, best effort, with counted retries; never raises."""

    @abstractmethod
    def close(self) -> None:
        """Go limp and close the link; may be called at any time, also twice; never raises."""

    def guard(self, target: Array, state: RobotState) -> tuple[Array, str]:
        """Check the workspace: return an admissible target and why it differs ('' if it does not).

        The safety layer calls this last, with a target inside all other limits.
        """
        del state
        return target, ''

    def health(self) -> dict[str, Any]:
        """Return counters and readings for diagnostics, by readable name with unit."""
        return {}

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
