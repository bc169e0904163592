"""The D'Claw as a robot: nine finger servos, and a tenth that turns the valve in a reset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from robot_drivers.dclaw import control_table as table
from robot_drivers.dclaw.actuator import Actuator
from robot_drivers.dclaw.bus import Bus
from robot_drivers.dclaw.camera import Camera
from robot_drivers.dclaw.config import (
    ALL_IDS,
    DclawConfig,
    JOINTS,
    MOTOR_IDS,
    NAMES,
    OFFSET,
    REST_POSE,
    VALVE,
)
from robot_drivers.dclaw.reset import scripted_reset
from robot_drivers.dclaw.sample import fault_text, forgetful, Sample
from robot_drivers.dclaw.sampler import Sampler
from robot_drivers.dclaw.servos import ServoSetup
from robot_drivers.errors import (
    ConnectionFailedError,
    MotorFaultError,
    NotConnectedError,
    RobotError,
    StaleStateError,
)
from robot_drivers.robot import Array, Clock, Image, Robot, RobotState

COUNT = len(ALL_IDS)


class DynamixelClaw(Robot):
    """A hand on a servo bus.

    Firmware limits are the mechanical ones, so that a finger outside the policy's limits can be
    held where it is; commands are kept to the narrower limits of ``spec``.
    """

    def __init__(
        self, bus: Bus, config: DclawConfig, clock: Clock = 'wall', camera: Camera | None = None
    ) -> None:
        """Touch nothing yet.

        Args:
            bus: Where the servos are.
            config: Limits and times.
            clock: lockstep only with an emulated bus that advances with every sync write of goals.
            camera: Pictures to go with the joint angles.
        """
        self.spec = config.spec()
        self.config = config
        self.bus = bus
        self.clock = clock
        self.counts: Counter[str] = Counter()
        self.origin: Callable[[], float] = lambda: 0.0  # [s] where lockstep time begins
        self._camera = camera
        self._servos = ServoSetup(bus, config, self.counts)
        self._sampler = Sampler(
            bus, config, clock, self.counts, moving=lambda: bool(self._actuator.torque.any())
        )
        self._actuator = Actuator(bus, config, self._sampler, self._servos, self.counts)
        self._current_unit = np.ones(COUNT)  # [Nm] per LSB
        self._state: RobotState | None = None  # last good one

    # Life

    def connect(self) -> None:
        """Find every servo, set what it must know, read a first state; all limp.

        Raises:
            ConnectionFailedError: Port or servos missing, or a servo of an unknown kind.
        """
        self.bus.start()
        try:
            self._sampler.begin(self.origin())
            self._state = None
            self._actuator.forget()
            self._current_unit = self._servos.find()
            self._actuator.switch_off()
            self._servos.prepare()
            if self._camera is not None:
                self._camera.start()
            self.read()
        except RobotError:
            self.close()
            raise

    def enable(self) -> None:
        """Recover servos that shut down, then hold every finger where it is; the valve is free."""
        self._reconnect()
        sample = self._fetch()
        dead = np.flatnonzero(sample['error'])
        for index in dead:
            self._servos.restart(ALL_IDS[index])
        if dead.size:
            self._sampler.last = None  # their clocks began anew
            sample = self._fetch()
        if sample['error'].any():
            raise MotorFaultError(fault_text(sample) + '; switch their power off and on')
        self._accept(sample)
        self.set_torque(range(len(MOTOR_IDS)), on=True)
        self.read()

    def limp(self) -> None:
        """Switch torque off everywhere and make sure of it, best effort."""
        self._actuator.limp()

    def close(self) -> None:
        """Go limp, then close bus and camera."""
        self.limp()
        self.bus.stop()
        if self._camera is not None:
            self._camera.close()

    # One cycle

    def read(self) -> RobotState:
        """Return the newest measurement; a lost one is the last again, with its old stamp."""
        try:
            sample = self._fetch()
        except StaleStateError as error:
            return self._stale_state(error)
        if self._actuator.goals is not None and self.clock == 'lockstep':
            sample = self._ensure_advance(sample)
        if self._actuator.torque.any() and sample['error'].any():
            self.limp()
            raise MotorFaultError(
                fault_text(sample) + '; free the joint, let it cool, then call ~/enable'
            )
        gone = self._actuator.torque & (sample['torque'] == 0)
        if gone.any():
            lost = [i for i, s in zip(ALL_IDS, gone, strict=True) if s]
            self.limp()
            raise MotorFaultError(
                f'motors {lost} lost their torque, as after a drop of the supply; check it, then '
                'call ~/enable'
            )
        reason = ''
        if self._actuator.armed and (sample['watchdog'] == table.WATCHDOG_TRIPPED).any():
            reason = self._actuator.rearm(sample)
        return self._accept(sample, reason)

    def _write(self, target: Array) -> None:
        if not self._actuator.torque[: len(JOINTS)].all():
            raise MotorFaultError('the fingers are limp; call ~/enable')
        self.move(np.concatenate([target, [np.nan]]))

    def move(self, goals: Array) -> None:
        """Send goals, shape (10,), rad, NaN: none; beyond the command limits, for resets.

        In lockstep this lets one control period pass.
        """
        self._actuator.move(goals)

    def set_torque(self, indices: Any, *, on: bool) -> None:
        """Switch servos, by index into NAMES; what comes on holds where it is."""
        chosen = [int(i) for i in indices if bool(self._actuator.torque[int(i)]) != on]
        if not chosen:
            return
        if on:
            self._actuator.aim_here(chosen, self._fetch())
        self._actuator.switch(chosen, on=on)

    def reset(self, goal: Mapping[str, float], timeout: float) -> Iterator[RobotState]:
        """Turn the valve and put the fingers back; see ``dclaw.reset``."""
        unknown = [name for name in goal if name not in NAMES]
        if unknown:
            raise ValueError(f'cannot reset {unknown}; the hand has {NAMES}')
        pose = np.array(
            [goal.get(name, rest) for name, rest in zip(JOINTS, REST_POSE, strict=True)]
        )
        if not ((pose >= self.spec.lower) & (pose <= self.spec.upper)).all():
            raise ValueError(f'start pose {pose} must lie within {self.spec.upper}')
        valve = goal.get(VALVE)
        if valve is not None and not np.isfinite(valve):
            raise ValueError(f'{VALVE} must be finite, got {valve}')
        return scripted_reset(self, pose, valve, timeout)

    def health(self) -> dict[str, Any]:
        """Return counters and readings for diagnostics."""
        report: dict[str, Any] = {f'bus {name}': n for name, n in sorted(self.bus.errors.items())}
        report |= dict(sorted(self.counts.items()))
        report['failed reads in a row'] = self._sampler.missed
        if (sample := self._sampler.last) is not None:
            report['supply [V]'] = round(float(sample['voltage'].min()) * table.VOLTAGE_UNIT, 1)
            report['hottest motor [deg C]'] = int(sample['temperature'].max())
            report['motor faults'] = fault_text(sample) if sample['error'].any() else 'none'
        return report

    # Reading

    def _fetch(self) -> Sample:
        """Return a plausible sample, shape (10,); restores servos that forgot their settings."""
        for _ in range(2):
            sample = self._sampler.take()
            blank = forgetful(sample)
            if not blank.size:
                return sample
            ids = [ALL_IDS[index] for index in blank]
            self.counts['servo restarts'] += len(ids)
            moving = bool(self._actuator.torque[blank].any())
            if moving:
                self.limp()
            for servo_id in ids:
                self._servos.restore(servo_id)
            self._sampler.last = None  # their clocks began anew
            if moving:
                raise MotorFaultError(
                    f'motors {ids} restarted while moving; check their supply, then call ~/enable'
                )
        raise StaleStateError('servos forget their settings at once; check the supply')

    def _accept(self, sample: Sample, reason: str = '') -> RobotState:
        self._state = RobotState(
            stamp=self._sampler.accept(sample),
            position=table.to_angle(sample['position'], OFFSET),
            velocity=sample['velocity'] * table.VELOCITY_UNIT,
            effort=sample['current'] * self._current_unit,
            image=self._picture(),
            interrupted=reason,
        )
        return self._state

    def _picture(self) -> Image | None:
        if self._camera is None:
            return None
        try:
            return self._camera.capture()
        except StaleStateError:
            self.counts['lost pictures'] += 1
            with suppress(ConnectionFailedError):
                self._camera.start()
            return None

    def _stale_state(self, error: StaleStateError) -> RobotState:
        self._sampler.missed += 1
        self.counts['stale reads'] += 1
        over = (
            self._sampler.missed >= self.config.stale_limit
            if self.clock == 'lockstep'
            else self._sampler.silence() > self.config.stale_timeout
        )
        if over or self._state is None:
            self.limp()
            raise StaleStateError(f'{error}; check cable and power, then call ~/enable') from error
        return self._state

    def _ensure_advance(self, sample: Sample) -> Sample:
        """Send goals again that got lost: in lockstep time shows it.

        All answers may be late ones, of a question before the command, on a busy machine. The
        registers asked for then give an answer of another length, which is no late one, and the
        answers after it are none either.
        """
        goals = self._actuator.goals
        assert goals is not None
        for _ in range(self.config.retries + 1):
            elapsed = self._sampler.since_last(sample)
            if elapsed is None or elapsed.any():
                break
            if self._sampler.stood_still():
                self.counts['lost commands'] += 1
                self.move(goals)
            else:
                self.counts['late answers'] += 1
            sample = self._fetch()
        self._actuator.goals = None
        period = round(self.spec.control_period * 1000)
        elapsed = self._sampler.since_last(sample)
        if elapsed is not None and (took := int(elapsed[0])) != period:
            self.limp()
            raise MotorFaultError(
                f'a command took {took} ms of simulated time, not {period}: give the emulator '
                "the driver's control_period (--period), and no second driver"
            )
        return sample

    def _reconnect(self) -> None:
        """Open the bus again if it went away."""
        try:
            self._fetch()
        except NotConnectedError:
            self.counts['reconnections'] += 1
            self.connect()
