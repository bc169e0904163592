"""Ten emulated servos coupled to the simulated hand: registers in, physics, registers out."""

from __future__ import annotations

from struct import Struct

import numpy as np

from robot_drivers.dclaw.config import MOTOR_IDS, NAMES, OFFSET, VALVE_ID
from robot_drivers.dclaw.control_table import (
    BUS_WATCHDOG,
    GAIN_NOMINAL,
    GOAL_POSITION,
    HARDWARE_ERROR,
    MODEL_NUMBER,
    MODELS,
    POSITION_P_GAIN,
    PRESENT_CURRENT,
    PRESENT_POSITION,
    RADIANS_PER_TICK,
    REALTIME_TICK,
    signed,
    TICK_MODULO,
    TICKS_PER_TURN,
    to_ticks,
    TORQUE_ENABLE,
    VELOCITY_UNIT,
    WATCHDOG_TRIPPED,
    WATCHDOG_UNIT,
)
from robot_drivers.dclaw.emulator.servo import Servo
from robot_drivers.robot import Array
from robot_drivers.sim.dclaw_physics import DclawPhysics

IDS = (*MOTOR_IDS, VALVE_ID)
_PRESENT = Struct('<hii')  # current, velocity, position lie side by side


class ServoBank:
    """The servos of one hand. Shared by the emulated bus and the in-process twin."""

    def __init__(self, physics: DclawPhysics, period: float = 0.1) -> None:
        """Put every servo on its joint.

        Args:
            physics: The hand and the valve.
            period: Control period [s] of one ``advance_period``, whole physics steps.
        """
        step = float(physics.model.opt.timestep)
        self.period_steps = round(period / step)
        if abs(self.period_steps * step - period) > 1e-9 or self.period_steps < 1:
            raise ValueError(f'period ({period} s) must be whole physics steps of {step} s')
        self.physics = physics
        self.servos = {servo_id: Servo(servo_id) for servo_id in IDS}
        self._order = [self.servos[servo_id] for servo_id in IDS]
        self._booted = np.zeros(len(IDS))  # [s] simulated time of the last boot
        self._turn = np.zeros(len(IDS))  # [ticks] forgotten at boot
        self._fresh = False
        model = MODELS[self._order[0].value(MODEL_NUMBER)]
        self._current_unit = model.current_unit * model.torque_constant  # [Nm] per LSB

    def advance_period(self) -> None:
        """Let one control period pass."""
        self.advance(self.period_steps)

    def advance(self, steps: int) -> None:
        """Let physics steps pass."""
        self.physics.advance(steps)
        self._fresh = False

    def refresh(self) -> None:
        """Put the measured values into the registers, if any time passed since."""
        if self._fresh:
            return
        self._fresh = True
        physics = self.physics
        ticks = (to_ticks(physics.position, OFFSET) - self._turn).astype(int).tolist()
        velocity = (physics.velocity / VELOCITY_UNIT).round().astype(int).tolist()
        current = (physics.effort / self._current_unit).round().astype(int).tolist()
        clock = np.rint((physics.time - self._booted) * 1000).astype(int) % TICK_MODULO
        first, tick = PRESENT_CURRENT.address, REALTIME_TICK.address
        for i, (servo, now) in enumerate(zip(self._order, clock.tolist(), strict=True)):
            _PRESENT.pack_into(servo.memory, first, current[i], velocity[i], ticks[i])
            servo.memory[tick : tick + 2] = now.to_bytes(2, 'little')

    def changed(self) -> None:
        """Bring written registers into the physics; call after every write."""
        physics = self.physics
        physics.goal = self.goals()
        physics.torque = np.array([servo.memory[TORQUE_ENABLE.address] for servo in self._order])
        gains = [servo.value(POSITION_P_GAIN) for servo in self._order]
        physics.gain = np.array(gains) / GAIN_NOMINAL
        physics.apply()

    def goals(self) -> Array:
        """Return the goal angles in the registers, shape (10,), rad."""
        address = GOAL_POSITION.address
        ticks = [
            int.from_bytes(servo.memory[address : address + 4], 'little', signed=True)
            for servo in self._order
        ]
        angles: Array = (np.array(ticks) + self._turn) * RADIANS_PER_TICK + OFFSET
        return angles

    def reboot(self, servo_id: int) -> None:
        """Restart a servo: RAM, alert and counted turns are gone."""
        index = IDS.index(servo_id)
        self.servos[servo_id].reboot()
        ticks = to_ticks(self.physics.position, OFFSET)[index]
        self._turn[index] = ticks // TICKS_PER_TURN * TICKS_PER_TURN
        self._booted[index] = self.physics.time
        self._fresh = False
        self.changed()

    def watch(self, silence: float) -> list[int]:
        """Trip the bus watchdogs that ``silence`` [s] without a packet exceeds; return the ids."""
        tripped = []
        for servo in self._order:
            limit = servo.memory[BUS_WATCHDOG.address]
            if 0 < limit < WATCHDOG_TRIPPED and silence > limit * WATCHDOG_UNIT:
                self.refresh()
                servo.store(GOAL_POSITION, self._inside(servo))
                servo.store(BUS_WATCHDOG, WATCHDOG_TRIPPED)
                tripped.append(servo.servo_id)
        if tripped:
            self.changed()
        return tripped

    def state(self) -> dict[str, object]:
        """Return what matters of every servo, for tests and people."""
        self.refresh()
        order = self._order
        return {
            'time': self.physics.time,
            'names': list(NAMES),
            'torque': [servo.value(TORQUE_ENABLE) for servo in order],
            'goal': self.goals().tolist(),
            'position': self.physics.position.tolist(),
            'error': [servo.value(HARDWARE_ERROR) for servo in order],
            'watchdog': [servo.value(BUS_WATCHDOG) for servo in order],
        }

    @staticmethod
    def _inside(servo: Servo) -> int:
        return signed(servo.value(PRESENT_POSITION), 4) % TICKS_PER_TURN
