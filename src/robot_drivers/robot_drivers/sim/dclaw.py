"""The D'Claw in one process: the driver's own code on servos without a wire, for Gymnasium."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from robot_drivers.dclaw.claw import DynamixelClaw
from robot_drivers.dclaw.config import DclawConfig, JOINTS, NAMES
from robot_drivers.dclaw.control_table import GOAL_POSITION, MODEL_NUMBER, Register
from robot_drivers.dclaw.emulator.bank import ServoBank
from robot_drivers.errors import MotorFaultError
from robot_drivers.robot import Array, Image, RobotState
from robot_drivers.sim.dclaw_physics import ASPECTS, DclawPhysics


class DirectBus:
    """A bus without a wire: the same servos, the same rules, in lockstep."""

    def __init__(self, bank: ServoBank) -> None:
        """Connect to the servos."""
        self.bank = bank
        self.errors: Counter[str] = Counter()

    def start(self) -> None:
        """Nothing to open."""

    def stop(self) -> None:
        """Nothing to close."""

    def ping(self, servo_id: int) -> int:
        """Return the model number of a servo."""
        return self.bank.servos[servo_id].value(MODEL_NUMBER)

    def read(self, servo_id: int, register: Register) -> int:
        """Return a register, unsigned."""
        self.bank.refresh()
        return self.bank.servos[servo_id].value(register)

    def write(self, servo_id: int, register: Register, value: int) -> None:
        """Set a register."""
        data = (value & ((1 << (8 * register.size)) - 1)).to_bytes(register.size, 'little')
        code = self.bank.servos[servo_id].write(register.address, data)
        self.bank.changed()
        if code:
            raise MotorFaultError(f'motor {servo_id} refuses address {register.address}: {code}')

    def reboot(self, servo_id: int) -> None:
        """Restart a servo, at once."""
        self.bank.reboot(servo_id)

    def sync_read(self, ids: Sequence[int], address: int, size: int) -> NDArray[np.uint8]:
        """Return the same bytes of many servos, shape (len(ids), size)."""
        self.bank.refresh()
        servos = self.bank.servos
        data = b''.join(servos[servo_id].read(address, size)[1] for servo_id in ids)
        return np.frombuffer(data, np.uint8).reshape(len(ids), size)

    def sync_write(self, ids: Sequence[int], register: Register, values: Sequence[int]) -> None:
        """Set the same register of many servos; goals let one control period pass."""
        mask = (1 << (8 * register.size)) - 1
        for servo_id, value in zip(ids, values, strict=True):
            data = (value & mask).to_bytes(register.size, 'little')
            self.bank.servos[servo_id].write(register.address, data)
        self.bank.changed()
        if register is GOAL_POSITION:
            self.bank.advance_period()


class DclawTwin:
    """The hand with the sensor values the driver publishes, by the same names.

    The physics, the ticks they are rounded to and the scripted reset are the emulator's and the
    driver's own; only bus and ROS are missing.
    """

    def __init__(
        self,
        physics_step: float = 0.005,
        period: float = 0.1,
        seed: int | None = None,
        image_shape: tuple[int, int] | None = None,
        camera: str = 'top',
        appearance: int | None = None,
        varied: str = '',
        strength: float = 1.0,
    ) -> None:
        """Build the scene and hold it.

        Args:
            physics_step: [s].
            period: Control period [s], whole physics steps.
            seed: Of the valve's first angle; None: 0.
            image_shape: Height and width of `image_raw`; None: no images.
            camera: Name of the camera in the model.
            appearance: Seed of varied colours, light and camera pose; None: as built.
            varied: Which of these three it varies, joined by '+', e.g. light+camera; '': all.
            strength: How much it varies them.
        """
        self.physics = DclawPhysics(physics_step, seed)
        aspects = varied.split('+') if varied else ASPECTS
        self.physics.vary_appearance(appearance, strength, aspects)
        self.period = period
        self._image_shape = image_shape
        self._camera = camera
        bus = DirectBus(ServoBank(self.physics, period))
        self.robot = DynamixelClaw(bus, DclawConfig(control_period=period), 'lockstep')
        self.robot.connect()
        self.robot.enable()
        self.state: RobotState = self.robot.read()

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Order of the joint arrays, shape (10,): nine to command, then the valve."""
        return NAMES

    @property
    def command_names(self) -> tuple[str, ...]:
        """Order of a command, shape (9,)."""
        return JOINTS

    def reset(self, goal: Mapping[str, float], timeout: float = 30.0) -> None:
        """Run the scripted reset to its end.

        Args:
            goal: Start positions by joint name [rad], e.g. of valve_joint.
            timeout: [s] of simulated time.

        Raises:
            ResetFailedError: The goal was not reached.
        """
        for state in self.robot.reset(goal, timeout):
            self.state = state

    def step(self, command: Array) -> Array:
        """Hold a command for one control period; return what was sent, shape (9,), rad."""
        sent = self.robot.command(np.asarray(command, dtype=np.float64))
        self.state = self.robot.read()
        return sent

    def sensors(self) -> dict[str, NDArray[np.generic]]:
        """Return the newest sensor values by topic and field."""
        state = self.state
        values: dict[str, NDArray[np.generic]] = {
            'joint_states.position': state.position,
            'joint_states.velocity': state.velocity,
            'joint_states.effort': state.effort,
        }
        if self._image_shape is not None:
            values['image_raw'] = self.physics.render(self._camera, *self._image_shape)
        return values

    def render(self, width: int = 480, height: int = 360, camera: str = 'film') -> Image:
        """Return a picture (height, width, 3), RGB."""
        return self.physics.render(camera, height, width)

    @property
    def stamp(self) -> float:
        """Simulated time of the sensor values [s]."""
        return self.state.stamp

    def close(self) -> None:
        """Go limp and free the renderer."""
        self.robot.close()
        self.physics.cameras.close()
