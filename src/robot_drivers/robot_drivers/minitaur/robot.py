"""Minitaur behind its datagram link: the same driver for the robot and its emulator.

Commands are leg angles (swing, extension); joint states are those and the motor angles.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
import time
from typing import Any

import numpy as np

from robot_drivers.errors import (
    ConnectionFailedError,
    MotorFaultError,
    NeedsHelpError,
    NotConnectedError,
    NotEnabledError,
    RobotError,
    StaleStateError,
)
from robot_drivers.minitaur import leg
from robot_drivers.minitaur.actuator import Actuator
from robot_drivers.minitaur.config import MinitaurConfig, Wiring
from robot_drivers.minitaur.host import HostLink
from robot_drivers.minitaur.link import (
    FAULT_COMMAND_TIMEOUT,
    FAULT_OVERHEAT,
    FAULTS,
    Mocap,
    MODE_DAMP,
    MODE_OFF,
    MODE_POSITION,
    MODE_RESET,
    State,
)
from robot_drivers.minitaur.measurement import Measurement, tilt
from robot_drivers.minitaur.reset import rise
from robot_drivers.minitaur.stage import Stage
from robot_drivers.minitaur.start import LYING, PERTURB, PLACES, start_pose
from robot_drivers.robot import Array, Connection, Robot, RobotState

CONNECT_ATTEMPTS = 25
MOCAP_TIMEOUT = 0.1  # the tracking has stopped [s]
BORNE = FAULT_COMMAND_TIMEOUT | FAULT_OVERHEAT  # faults that do not end a motion by themselves


class MinitaurRobot(Robot):
    """Driver of one Minitaur.

    Attributes:
        fallen: How far it was tilted when it fell; empty while it stands.
    """

    def __init__(self, config: MinitaurConfig, connection: Connection) -> None:
        """Remember the settings; opens nothing.

        Raises:
            ValueError: The port is not host:port.
        """
        self.spec = config.spec()
        self._config = config
        self._connection = connection
        host, _, port = connection.port.rpartition(':')
        if not host or not port.isdigit():
            raise ValueError(f'port must be host:port, got {connection.port!r}')
        self._link = HostLink((host, int(port)), config.host_port)
        self._stage = Stage(host, config.stage_port or int(port) + 1)
        wiring = Wiring(config.motor_order, config.motor_direction, config.motor_zero)
        self._measurement = Measurement(config, wiring)
        self._actuator = Actuator(self._link, config, wiring)
        self._lockstep = connection.clock == 'lockstep'
        self.fallen = ''
        self._damped = False  # nobody commands
        self._noted = ''  # interruption already reported

    def connect(self) -> None:
        """Open the link and read a first state; the motors stay limp."""
        self._link.open()
        self._actuator.target, self.fallen = None, ''
        try:
            state = self._actuator.exchange(MODE_OFF, attempts=CONNECT_ATTEMPTS)
        except RobotError as error:
            self._link.close()
            raise ConnectionFailedError(f'Minitaur not found: {error}') from error
        low, high = self._config.supply_lower, self._config.supply_upper
        if not low <= state.supply <= high:
            self._link.close()
            raise ConnectionFailedError(
                f'supply is {state.supply:.1f} V, allowed are {low} to {high} V; '
                'charge or change the battery, or set supply_lower and supply_upper'
            )

    def enable(self) -> None:
        """Clear the controller's faults and hold the measured pose, in a new session.

        A simulated robot with hot motors is first put down anew, which cools them.
        """
        if not self._link.is_open:
            raise NotConnectedError('link to the motor controller is closed; connect first')
        self._actuator.target = None
        self._link.renew()
        state = self._actuator.exchange(MODE_OFF)
        if self._measurement.heat(state) and self._connection.backend == 'sim':
            self._stage.request('place', x=0.0, y=0.0, yaw=0.0)  # picked up and left to cool
            state = self._actuator.exchange(MODE_OFF)
        if state.faults & ~FAULT_COMMAND_TIMEOUT:
            state = self._actuator.exchange(MODE_RESET)
        self._check_motors(state)
        if heat := self._measurement.heat(state):
            raise MotorFaultError(f'{heat}; let it cool, then enable again')
        self.fallen = self._noted = ''
        self._damped = False
        theta = self._measurement.motor_angles(state)
        self._actuator.target = leg.motor_angles(
            np.clip(leg.leg_angles(theta), self.spec.lower, self.spec.upper)
        )
        self._actuator.exchange(MODE_POSITION)

    def read(self) -> RobotState:
        """Return the newest measurement; lock-step: the one after the last command."""
        if not self._lockstep:
            self._link.drain()
        state = self._link.state
        if state is None:
            raise NotConnectedError('no state has come from the motor controller; connect first')
        age = self._link.age
        if not self._lockstep and age > self._config.state_timeout:
            if not self.enabled:  # ask for states; a restarted controller knows no host
                self._link.renew()
                self._actuator.send(MODE_OFF)
            raise StaleStateError(
                f'newest state is {1e3 * age:.0f} ms old, at most '
                f'{1e3 * self._config.state_timeout:.0f} ms allowed; check link and controller'
            )
        if self.enabled:
            self._check_motors(state)
        return self._robot_state(state)

    def _write(self, target: Array) -> None:
        if not self.enabled:
            raise NotEnabledError('Minitaur is limp; enable it before commanding')
        self._actuator.target, self._damped = leg.motor_angles(target), False
        if self._lockstep:
            try:
                self._actuator.exchange(self._mode, period=self.spec.control_period)
            except RobotError:
                self.limp()
                raise
        else:
            self._actuator.send(self._mode)

    def hold(self, state: RobotState) -> Array:
        """Let the legs sink damped where nobody commands; the next command goes on from there.

        Legs that held their pose would keep falling over stiffly, or overheat while standing.
        """
        pose = np.clip(state.position[:8], self.spec.lower, self.spec.upper)
        if self.enabled:
            self._actuator.target, self._damped = leg.motor_angles(pose), True
            if not self._lockstep:
                self._actuator.send(MODE_DAMP)
        return pose

    def update(self) -> None:
        """Wall clock: repeat the last command, which keeps the controller's time-out at rest."""
        if not self._lockstep and self.enabled:
            self._actuator.send(self._mode)

    def reset(self, goal: Mapping[str, float], timeout: float) -> Iterator[RobotState]:
        """Get onto the feet, in the pose of ``goal``; the emulated robot is put in place first.

        ``goal`` may hold swing_i, extension_i and, in simulation, base_x, base_y, base_yaw and
        perturb, which is ignored on the robot.
        """
        pose = start_pose(goal)
        if self._connection.backend != 'sim' and (places := sorted(set(goal) & set(PLACES))):
            raise ValueError(
                f'{places} can be set in simulation only; put the robot there by hand'
            )
        place = {name: goal.get(name, 0.0) for name in (*PLACES, PERTURB)}
        return self._rise(pose, place if self._connection.backend == 'sim' else None, timeout)

    def _rise(
        self, pose: Array, place: Mapping[str, float] | None, timeout: float
    ) -> Iterator[RobotState]:
        yield from rise(self, pose, place, timeout)
        self._noted = ''

    def put_down(self, place: Mapping[str, float]) -> None:
        """Pick the emulated robot up and set it down, lying with its legs at pi/2.

        Args:
            place: Values of start.PLACES and start.PERTURB.
        """
        x, y, yaw, perturb = (place[name] for name in (*PLACES, PERTURB))
        self._stage.request('place', x=x, y=y, yaw=yaw, perturb=perturb)
        self._actuator.target = leg.motor_angles(LYING)
        self._actuator.exchange(MODE_POSITION)  # so that no state from before counts any more
        self.fallen = ''

    def switch_on(self) -> None:
        """Switch on what the controller has switched off, if it is cool again.

        Raises:
            NeedsHelpError: It is still hot; the motors are limp.
        """
        state = self._link.state
        if state is None or not state.faults & FAULT_OVERHEAT:
            return
        if heat := self._measurement.heat(state):
            self.limp()
            raise NeedsHelpError(f'{heat}; let it cool, enable it and reset again')
        self._actuator.exchange(MODE_RESET)
        self._actuator.exchange(MODE_POSITION)

    @property
    def enabled(self) -> bool:
        """Whether the motors follow commands."""
        return self._actuator.target is not None

    def limp(self) -> None:
        """Switch the motors off."""
        self._actuator.limp()

    def close(self) -> None:
        """Go limp and close the link."""
        self.limp()
        self._link.close()

    def guard(self, target: Array, state: RobotState) -> tuple[Array, str]:
        """Admit no motion of a fallen robot."""
        if self.fallen:
            measured = state.position[: len(target)]
            return np.clip(measured, self.spec.lower, self.spec.upper), self.fallen
        return target, ''

    def health(self) -> dict[str, Any]:
        """Return link counters and motor readings."""
        values: dict[str, Any] = {
            f'datagrams {name}': count for name, count in sorted(self._link.counts.items())
        }
        state = self._link.state
        if state is not None:
            values |= self._measurement.report(state)
            values['state age [ms]'] = 1e3 * self._link.age
            values['fallen'] = self.fallen or 'no'
        return values

    @property
    def _mode(self) -> int:
        """What the motors shall do while the robot is enabled."""
        return MODE_DAMP if self.fallen or self._damped else MODE_POSITION

    def _check_motors(self, state: State) -> None:
        """Refuse to go on with motors that are badly supplied or do not know where they are.

        A motor that the controller switched off for its heat is no reason: the robot walks on or
        falls without it, as the published simulation does, and the policy has to bear that.
        """
        found = [FAULTS[bit] for bit in FAULTS if state.faults & bit & ~BORNE]
        if found:
            self.limp()
            raise MotorFaultError(
                f'motor controller reports {", ".join(found)}; check battery and motors, then '
                'enable again'
            )

    def _robot_state(self, state: State) -> RobotState:
        lockstep = self._lockstep
        stamp = self._measurement.lockstep_stamp(state.time) if lockstep else self._link.stamp
        result = self._measurement.robot_state(state, stamp, self._mocap())
        return replace(result, interrupted=self._interruption(result, state))

    def _mocap(self) -> Mocap | None:
        """Return the base as tracked, unless the tracking stopped."""
        stopped = not self._lockstep and time.monotonic() - self._link.mocap_at > MOCAP_TIMEOUT
        return None if stopped else self._link.mocap

    def _interruption(self, result: RobotState, state: State) -> str:
        """Notice a fall or damped legs; return what is new."""
        if not self.enabled:
            return ''
        angle = tilt(result)
        if not self.fallen and angle > self._config.fall_tilt:
            self.fallen = f'fallen: tilt {angle:.2f} rad, limit {self._config.fall_tilt} rad'
            if not self._lockstep:
                self._actuator.send(MODE_DAMP)
        reason = self.fallen
        if not reason and state.faults & FAULT_COMMAND_TIMEOUT:
            reason = 'motor controller got no command for 0.1 s and damped the legs'
        new, self._noted = reason if reason != self._noted else '', reason
        return new
