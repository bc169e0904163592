"""What the robots in Gazebo have in common: states from topics, commands to controllers."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
import time
from typing import Any, Protocol

import numpy as np

from robot_drivers.errors import ConnectionFailedError, NotEnabledError, StaleStateError
from robot_drivers.robot import Array, Image, Imu, Pose, Robot, RobotSpec, RobotState

STALE = 0.5  # [s] without joint states Gazebo counts as stopped; a slow one stops the robot, too
PATIENCE = 0.02  # between two looks for the first joint state [s]


@dataclass(frozen=True)
class Joints:
    """One joint state, in the order the wire was made with."""

    position: Array  # (N,) [rad]
    velocity: Array  # (N,) [rad/s]
    effort: Array  # (N,) [Nm]
    stamp: float  # time.time() of arrival [s]
    received: float  # monotonic [s]


class Wire(Protocol):
    """Topics of controllers and bridge; the newest message of each is kept."""

    joints: Joints | None
    imu: Imu | None
    wrench: Array | None  # (6,)
    base: tuple[Pose, float] | None  # of a floating base, and the monotonic time it came [s]
    image: Image | None  # taken by whoever publishes it

    def open(self) -> None:
        """Open the topics."""

    def send(self, controller: str, values: Array) -> None:
        """Publish a command, in the order of the controller's joints."""

    def place(self, model: str, position: Array, yaw: float) -> None:
        """Ask Gazebo to put a model somewhere [m, rad]; does not wait."""

    def close(self) -> None:
        """Close the topics; may be called twice."""


class GazeboRobot(Robot):
    """One robot in Gazebo. Subclasses turn targets into what its controllers take."""

    def __init__(self, spec: RobotSpec, wire: Wire, connect_timeout: float = 5.0) -> None:
        """Open nothing yet."""
        self.spec = spec
        self.wire = wire
        self.enabled = False
        self.target: Array | None = None  # (J,) last command; None: hold still
        self._connect_timeout = connect_timeout
        self._sent = 0

    @abstractmethod
    def drive(self, joints: Joints) -> None:
        """Send what the controllers need now; called at ``spec.update_rate`` while enabled."""

    @abstractmethod
    def relax(self, joints: Joints) -> None:
        """Send once what lets the robot rest without commands."""

    def connect(self) -> None:
        """Wait for the first joint state.

        Raises:
            ConnectionFailedError: There is none.
        """
        self.wire.open()
        deadline = time.monotonic() + self._connect_timeout
        while self.wire.joints is None:
            if time.monotonic() > deadline:
                self.wire.close()
                raise ConnectionFailedError(
                    'no joint_states from Gazebo; start it (docs/gazebo.md), and check with '
                    '"ros2 control list_controllers" that the controllers are active'
                )
            time.sleep(PATIENCE)  # start-up only

    def enable(self) -> None:
        """Hold still from now on."""
        joints = self.newest()
        self.enabled, self.target = True, None
        self.drive(joints)

    def newest(self) -> Joints:
        """Return the newest joint state.

        Raises:
            StaleStateError: Gazebo is paused, slow or gone.
        """
        joints = self.wire.joints
        if joints is None:
            raise StaleStateError('no joint state has come yet')
        age = time.monotonic() - joints.received
        if age > STALE:
            raise StaleStateError(
                f'the newest joint state is {age:.2f} s old: Gazebo is paused, too slow or gone'
            )
        return joints

    def read(self) -> RobotState:
        """Return the newest measurement."""
        return self.state(self.newest())

    def state(self, joints: Joints) -> RobotState:
        """Return a joint state with what else was measured; an image only once."""
        image, self.wire.image = self.wire.image, None
        return RobotState(
            stamp=joints.stamp,
            position=joints.position,
            velocity=joints.velocity,
            effort=joints.effort,
            imu=self.wire.imu,
            wrench=self.wire.wrench,
            base=self._base(),
            image=image,
        )

    def _write(self, target: Array) -> None:
        if not self.enabled:
            raise NotEnabledError(f'{self.spec.name} in Gazebo is limp; enable it first')
        self.target = target.copy()
        self.drive(self.newest())
        self._sent += 1

    def hold(self, state: RobotState) -> Array:
        """Keep still."""
        if self.spec.mode == 'position':
            return super().hold(state)
        self.target = None
        if self.enabled:
            self.drive(self.newest())
        return np.zeros(len(self.spec.joints))

    def update(self) -> None:
        """Go on with the last command."""
        if self.enabled:
            self.drive(self.newest())

    def limp(self) -> None:
        """Send nothing but what lets the robot rest."""
        self.enabled, self.target = False, None
        if self.wire.joints is not None:
            self.relax(self.wire.joints)

    def close(self) -> None:
        """Let the robot rest and close the topics."""
        self.limp()
        self.wire.close()

    def health(self) -> dict[str, Any]:
        """Return counters for diagnostics."""
        joints = self.wire.joints
        age = time.monotonic() - joints.received if joints else float('inf')
        return {'commands': self._sent, 'state age [ms]': round(1000 * age, 1)}

    def _base(self) -> Pose | None:
        """Return the newest pose of a floating base."""
        if self.wire.base is None or time.monotonic() - self.wire.base[1] > STALE:
            return None
        return self.wire.base[0]
