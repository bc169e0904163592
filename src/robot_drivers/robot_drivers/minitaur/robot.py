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
    ResetFailedError,
    RobotError,
    StaleStateError,
)
from robot_drivers.minitaur import leg
from robot_drivers.minitaur.config import MinitaurConfig, Wiring
from robot_drivers.minitaur.host import HostLink
from robot_drivers.minitaur.link import (
    Command,
    FAULT_COMMAND_TIMEOUT,
    FAULT_OVERHEAT,
    FAULTS,
    Mocap,
    MODE_DAMP,
    MODE_OFF,
    MODE_POSITION,
    MODE_RESET,
    MODES,
    State,
)
from robot_drivers.minitaur.measurement import faults, Measurement, tilt
from robot_drivers.minitaur.stage import Stage
from robot_drivers.minitaur.start import LYING, PERTURB, PLACES, start_motion, start_pose
from robot_drivers.robot import Array, Connection, Robot, RobotState

UPRIGHT = 0.35  # tilt below which a start counts as good [rad]
REACHED = 0.35  # distance to the start pose: the legs give way by 0.12 rad under the body [rad]
CONNECT_ATTEMPTS = 25
LIMP_ATTEMPTS = 3
MOCAP_TIMEOUT = 0.1  # the tracking has stopped [s]
BORNE = FAULT_COMMAND_TIMEOUT | FAULT_OVERHEAT  # faults that do not end a motion by themselves


class MinitaurRobot(Robot):
    """Driver of one Minitaur."""

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
        self._wiring = Wiring(config.motor_order, config.motor_direction, config.motor_zero)
        self._measurement = Measurement(config, self._wiring)
        self._lockstep = connection.clock == 'lockstep'
        self._target: Array | None = None  # last sent motor angles; None: not enabled
        self._fallen = ''
        self._damped = False  # nobody commands
        self._noted = ''  # interruption already reported

    def connect(self) -> None:
        """Open the link and read a first state; the motors stay limp."""
        self._link.open()
        self._target, self._fallen = None, ''
        try:
            state = self._exchange(MODE_OFF, attempts=CONNECT_ATTEMPTS)
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
        self._target = None
        self._link.renew()
        state = self._exchange(MODE_OFF)
        if self._measurement.heat(state) and self._connection.backend == 'sim':
            self._stage.request('place', x=0.0, y=0.0, yaw=0.0)  # picked up and left to cool
            state = self._exchange(MODE_OFF)
        if state.faults & ~FAULT_COMMAND_TIMEOUT:
            state = self._exchange(MODE_RESET)
        self._check_motors(state)
        if heat := self._measurement.heat(state):
            raise MotorFaultError(f'{heat}; let it cool, then enable again')
        self._fallen = self._noted = ''
        self._damped = False
        theta = self._measurement.motor_angles(state)
        self._target = leg.motor_angles(
            np.clip(leg.leg_angles(theta), self.spec.lower, self.spec.upper)
        )
        self._exchange(MODE_POSITION)

    def read(self) -> RobotState:
        """Return the newest measurement; lock-step: the one after the last command."""
        if not self._lockstep:
            self._link.drain()
        state = self._link.state
        if state is None:
            raise NotConnectedError('no state has come from the motor controller; connect first')
        age = self._link.age
        if not self._lockstep and age > self._config.state_timeout:
            if self._target is None:  # ask for states; a restarted controller knows no host
                self._link.renew()
                self._link.send(self._command(MODE_OFF))
            raise StaleStateError(
                f'newest state is {1e3 * age:.0f} ms old, at most '
                f'{1e3 * self._config.state_timeout:.0f} ms allowed; check link and controller'
            )
        if self._target is not None:
            self._check_motors(state)
        return self._robot_state(state)

    def _write(self, target: Array) -> None:
        if self._target is None:
            raise NotEnabledError('Minitaur is limp; enable it before commanding')
        self._target, self._damped = leg.motor_angles(target), False
        if self._lockstep:
            try:
                self._exchange(self._mode, period=self.spec.control_period)
            except RobotError:
                self.limp()
                raise
        else:
            self._link.send(self._command(self._mode))

    def hold(self, state: RobotState) -> Array:
        """Let the legs sink damped where nobody commands; the next command goes on from there.

        Legs that held their pose would keep falling over stiffly, or overheat while standing.
        """
        pose = np.clip(state.position[:8], self.spec.lower, self.spec.upper)
        if self._target is not None:
            self._target, self._damped = leg.motor_angles(pose), True
            if not self._lockstep:
                self._link.send(self._command(MODE_DAMP))
        return pose

    def update(self) -> None:
        """Wall clock: repeat the last command, which keeps the controller's time-out at rest."""
        if not self._lockstep and self._target is not None:
            self._link.send(self._command(self._mode))

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
        return self._rise(pose, place, timeout)

    def _rise(
        self, pose: Array, place: Mapping[str, float], timeout: float
    ) -> Iterator[RobotState]:
        if self._target is None:
            raise NotEnabledError('Minitaur is limp; enable it before a reset')
        begin: float | None = None
        state: RobotState | None = None
        for target in start_motion(pose, self.spec.control_period, self._origin(place)):
            self.command(target)
            state = self.read()
            yield state
            begin = state.stamp if begin is None else begin
            if state.stamp - begin > timeout:
                raise ResetFailedError(f'reset took longer than {timeout} s; allow about 2 s')
        assert state is not None
        error = float(np.abs(state.position[:8] - pose).max())
        if tilt(state) > UPRIGHT or error > REACHED:
            raise ResetFailedError(
                f'after the reset the tilt is {tilt(state):.2f} rad (at most {UPRIGHT}) and the '
                f'legs are {error:.2f} rad off (at most {REACHED}); check legs and ground'
            )
        self._noted = ''

    def _origin(self, place: Mapping[str, float]) -> Array | None:
        """Return the legs (8,) [rad] a reset starts from; None where it was put in place."""
        if self._connection.backend != 'sim':
            state = self.read()
            if self._fallen or tilt(state) > UPRIGHT:
                self.limp()
                raise NeedsHelpError(
                    f'Minitaur lies at a tilt of {tilt(state):.2f} rad; put it on its feet, '
                    'legs under the body, enable it and reset again'
                )
            self._switch_on()
            return state.position[:8]
        x, y, yaw, perturb = (place[name] for name in (*PLACES, PERTURB))
        self._stage.request('place', x=x, y=y, yaw=yaw, perturb=perturb)
        self._target = leg.motor_angles(LYING)
        self._exchange(MODE_POSITION)  # so that no state from before counts any more
        self._fallen = ''
        return None

    def _switch_on(self) -> None:
        """Switch on what the controller has switched off, if it is cool again."""
        state = self._link.state
        if state is None or not state.faults & FAULT_OVERHEAT:
            return
        if heat := self._measurement.heat(state):
            self.limp()
            raise NeedsHelpError(f'{heat}; let it cool, enable it and reset again')
        self._exchange(MODE_RESET)
        self._exchange(MODE_POSITION)

    def limp(self) -> None:
        """Switch the motors off."""
        self._target = None
        if not self._link.is_open:
            return
        for _ in range(LIMP_ATTEMPTS):
            try:
                state = self._link.exchange(self._command(MODE_OFF), timeout=0.02, retries=0)
            except RobotError:
                continue
            if state.mode == MODE_OFF:
                return

    def close(self) -> None:
        """Go limp and close the link."""
        self.limp()
        self._link.close()

    def guard(self, target: Array, state: RobotState) -> tuple[Array, str]:
        """Admit no motion of a fallen robot."""
        if self._fallen:
            measured = state.position[: len(target)]
            return np.clip(measured, self.spec.lower, self.spec.upper), self._fallen
        return target, ''

    def health(self) -> dict[str, Any]:
        """Return link counters and motor readings."""
        values: dict[str, Any] = {
            f'datagrams {name}': count for name, count in sorted(self._link.counts.items())
        }
        state = self._link.state
        if state is not None:
            values |= {
                'controller mode': MODES.get(state.mode, str(state.mode)),
                'controller faults': ', '.join(faults(state)) or 'none',
                'motors switched off': ', '.join(self._measurement.shut(state)) or 'none',
                'winding temperature, hottest [Celsius]': float(state.temperature.max()),
                'motor current, largest [A]': float(np.abs(state.current).max()),
                'supply [V]': state.supply,
                'state age [ms]': 1e3 * self._link.age,
                'fallen': self._fallen or 'no',
            }
        return values

    @property
    def _mode(self) -> int:
        """What the motors shall do while the robot is enabled."""
        return MODE_DAMP if self._fallen or self._damped else MODE_POSITION

    def _command(self, mode: int, period: float = 0.0) -> Command:
        theta = np.zeros(8) if self._target is None else self._target
        wire = self._wiring.to_wire(theta).astype(np.float32)
        return Command(mode, wire, self._config.kp, self._config.kd, period)

    def _exchange(self, mode: int, *, period: float = 0.0, attempts: int | None = None) -> State:
        retries = self._config.retries if attempts is None else attempts
        return self._link.exchange(
            self._command(mode, period), timeout=self._config.reply_timeout, retries=retries
        )

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
        if self._target is None:
            return ''
        angle = tilt(result)
        if not self._fallen and angle > self._config.fall_tilt:
            self._fallen = f'fallen: tilt {angle:.2f} rad, limit {self._config.fall_tilt} rad'
            if not self._lockstep:
                self._link.send(self._command(MODE_DAMP))
        reason = self._fallen
        if not reason and state.faults & FAULT_COMMAND_TIMEOUT:
            reason = 'motor controller got no command for 0.1 s and damped the legs'
        new, self._noted = reason if reason != self._noted else '', reason
        return new
