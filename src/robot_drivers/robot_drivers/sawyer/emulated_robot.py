"""The robot behind the wire: its state machine, its controllers, and physics, without any network.

It behaves as Intera's realtime loop is documented to: torques are added to gravity compensation, a
missing command sends the arm back to holding its position, the e-stop engages the brakes, and only
an explicit reset and enable bring it back.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from robot_drivers.sawyer.description import (
    Array,
    DRIVE_EFFORT,
    JOINT_NAMES,
    POSITION_LOWER,
    POSITION_UPPER,
    START,
    VELOCITY_LIMIT,
)
from robot_drivers.sawyer.kinematics import forward
from robot_drivers.sawyer.messages import EndpointState, JointCommand, RobotAssemblyState
from robot_drivers.sawyer.quaternion import quaternion
from robot_drivers.sawyer.ros1.messages import Header, JointState
from robot_drivers.sawyer.twin import follow
from robot_drivers.sawyer.world import SawyerWorld, Variant

Mode = Literal['position', 'torque', 'braked']

# The arm's own position controller, ours: stiff, critically damped for the reflected inertias.
_STIFFNESS = np.array([1500.0, 1500.0, 800.0, 800.0, 150.0, 150.0, 100.0])
_DAMPING = np.array([120.0, 120.0, 50.0, 50.0, 8.0, 8.0, 5.0])


@dataclass(frozen=True)
class Noise:
    """Standard deviations of the measurements."""

    position: float = 0.0
    """[rad]."""
    velocity: float = 0.0
    """[rad/s]."""
    force: float = 0.0
    """[N]."""


class EmulatedSawyer:
    """One arm; time passes only in ``advance``.

    Attributes:
        world: The physics.
        assembly: What ``/robot/state`` says.
        mode: How the arm is driven now.
        reverts: How often a missing command ended torque control.
    """

    def __init__(
        self, variant: Variant = 'domed', *, seed: int = 0, noise: Noise | None = None
    ) -> None:
        """Place the arm at its start pose, disabled, brakes engaged."""
        self.world = SawyerWorld(variant)
        self.world.place(START)
        self.assembly = RobotAssemblyState(ready=False)
        self.mode: Mode = 'braked'
        self.reverts = 0
        self.command_timeout = 0.2
        self.wrench_valid = True
        self._noise = noise or Noise()
        self._random = np.random.default_rng(seed)
        self._torque = np.zeros(7)
        self._reference = START.copy()
        self._target = START.copy()
        self._speed_ratio = 0.3
        self._commanded = -np.inf
        self._sequence = 0
        self._wrench = np.zeros(6)
        self._push = np.zeros(3)
        self._push_until = -np.inf

    @property
    def applied_torque(self) -> Array:
        """Commanded torque that acts now [Nm], shape (7,); zero unless in torque mode."""
        return self._torque.copy() if self.mode == 'torque' else np.zeros(7)

    # What arrives on topics.

    def enable(self, on: bool) -> None:
        """Release or engage the brakes; refused while stopped."""
        if on and (self.assembly.stopped or self.assembly.error):
            return
        if on != self.assembly.enabled:
            self.assembly = replace(self.assembly, enabled=on, ready=on)
            self._brake() if not on else self._hold()

    def reset(self) -> None:
        """Clear a stop, unless the button is still pressed; leaves the robot disabled."""
        if self.assembly.estop_button == RobotAssemblyState.BUTTON_PRESSED:
            return
        self.assembly = RobotAssemblyState(ready=False, low_voltage=self.assembly.low_voltage)
        self._brake()

    def stop(self) -> None:
        """Stop by software."""
        self._stop(RobotAssemblyState.BUTTON_UNKNOWN, source=2)

    def set_command_timeout(self, seconds: float) -> None:
        """Set how long a command lasts [s], within [0, 1]."""
        self.command_timeout = float(np.clip(seconds, 0.0, 1.0))

    def set_speed_ratio(self, ratio: float) -> None:
        """Set the speed of position moves, within [0, 1]."""
        self._speed_ratio = float(np.clip(ratio, 0.0, 1.0))

    def command(self, message: JointCommand) -> None:
        """Take a joint command; a disabled robot and an incomplete command are ignored."""
        if not self.assembly.enabled:
            return
        values = {JointCommand.TORQUE: message.effort, JointCommand.POSITION: message.position}
        wanted = values.get(message.mode)
        if wanted is None or len(wanted) != len(message.names):
            return
        now = dict(zip(message.names, wanted.tolist(), strict=True))
        if not set(JOINT_NAMES) <= set(now) or not np.isfinite(wanted).all():
            return
        ordered = np.array([now[name] for name in JOINT_NAMES])
        self._commanded = self.world.time
        if message.mode == JointCommand.TORQUE:
            self._torque = np.clip(ordered, -DRIVE_EFFORT, DRIVE_EFFORT)
            self.mode = 'torque'
        else:
            if self.mode != 'position':
                self._hold()
            self._target = np.clip(ordered, POSITION_LOWER, POSITION_UPPER)

    # What a person or the world does.

    def press_estop(self) -> None:
        """Push the red button."""
        self._stop(RobotAssemblyState.BUTTON_PRESSED, source=1)

    def release_estop(self) -> None:
        """Twist the button free; the robot stays stopped."""
        if self.assembly.estop_button == RobotAssemblyState.BUTTON_PRESSED:
            self.assembly = replace(self.assembly, estop_button=RobotAssemblyState.BUTTON_RELEASED)

    def fail_joint(self) -> None:
        """Let a joint report a fault."""
        self._stop(RobotAssemblyState.BUTTON_UNKNOWN, source=3)
        self.assembly = replace(self.assembly, error=True)

    def push(self, force: Array, duration: float) -> None:
        """Push the hand with a force [N], shape (3,), for some time [s]."""
        self._push, self._push_until = force, self.world.time + duration

    def place(self, positions: Array) -> None:
        """Move the arm by hand to joint positions [rad], shape (7,)."""
        self.world.place(positions)
        self._hold() if self.mode == 'position' else None
        self._reference, self._target = positions.copy(), positions.copy()

    # Time.

    def advance(self, duration: float) -> None:
        """Let time pass [s], a whole number of physics steps."""
        world = self.world
        steps = round(duration / world.timestep)
        if self.mode == 'torque' and world.time - self._commanded > self.command_timeout:
            self.reverts += 1
            self._hold()
        pushing = world.time < self._push_until
        world.push_hand(self._push if pushing else np.zeros(3))
        if self.mode == 'torque':
            world.step(self._torque, steps)
        else:
            largest = self._speed_ratio * VELOCITY_LIMIT * world.timestep
            for _ in range(steps):
                if self.mode == 'position':
                    self._reference += np.clip(self._target - self._reference, -largest, largest)
                error = self._reference - world.data.qpos
                torque = _STIFFNESS * error - _DAMPING * world.data.qvel
                world.step(np.clip(torque, -DRIVE_EFFORT, DRIVE_EFFORT))
        self._wrench = follow(self._wrench, world.wrench, duration)

    # What it reports.

    def joint_state(self, stamp: float) -> JointState:
        """Return ``/robot/joint_states``: head first, then the arm, as the robot does."""
        self._sequence += 1
        position = self._noisy(self.world.positions, self._noise.position)
        velocity = self._noisy(self.world.velocities, self._noise.velocity)
        return JointState(
            Header(self._sequence, stamp),
            ('head_pan', *JOINT_NAMES),
            np.concatenate([[0.0], position]),
            np.concatenate([[0.0], velocity]),
            np.concatenate([[0.0], self.world.efforts]),
        )

    def endpoint_state(self, stamp: float) -> EndpointState:
        """Return the pose, twist and estimated wrench of the hand."""
        pose = forward(self.world.positions)
        wrench = self._noisy(self._wrench, self._noise.force)
        return EndpointState(
            Header(self._sequence, stamp, 'base'),
            np.concatenate([pose.hand_position, quaternion(pose.hand)]),
            pose.jacobian() @ self.world.velocities,
            wrench,
            self.wrench_valid,
        )

    def _noisy(self, values: Array, deviation: float) -> Array:
        if deviation == 0.0:
            return values
        return values + deviation * self._random.standard_normal(len(values))

    def _hold(self) -> None:
        self.mode = 'position'
        self._reference = self.world.positions
        self._target = self._reference.copy()
        self._torque = np.zeros(7)

    def _brake(self) -> None:
        self._hold()
        self.mode = 'braked'

    def _stop(self, button: int, source: int) -> None:
        self.assembly = replace(
            self.assembly,
            enabled=False,
            ready=False,
            stopped=True,
            estop_button=button,
            estop_source=source,
        )
        self._brake()
