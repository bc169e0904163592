"""The driver's health as a diagnostic message."""

from __future__ import annotations

from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from robot_drivers.driver import Driver
from robot_drivers.safety import Level


class Load:
    """Counts what the node does between two reports."""

    def __init__(self, now: float) -> None:
        """Start counting at monotonic time ``now`` [s]."""
        self.states = 0  # published
        self.busy = 0.0  # [s] in the robot's callbacks
        self.commanders: int | None = None  # alive; None where nobody watches them
        self._since = now

    def report(self, now: float) -> dict[str, str]:
        """Return rates since the last report, and start anew."""
        span = max(now - self._since, 1e-9)
        values = {
            'states published [1/s]': f'{self.states / span:.1f}',
            'busy': f'{100 * self.busy / span:.0f} %',
        }
        if self.commanders is not None:
            values['commanders alive'] = str(self.commanders)
        self.states, self.busy, self._since = 0, 0.0, now
        return values


def severity(driver: Driver) -> Any:
    """Return the level: error for faults and e-stop, warning for anything that is not active."""
    if driver.fault or driver.safety.level is Level.ESTOP:
        return DiagnosticStatus.ERROR
    if driver.safety.level is not Level.ACTIVE:
        return DiagnosticStatus.WARN
    return DiagnosticStatus.OK


def status(name: str, driver: Driver, load: dict[str, str]) -> DiagnosticStatus:
    """Return one status with everything that is counted, faults in words first."""
    values: dict[str, Any] = {
        'level': str(driver.safety.level),
        'fault': driver.fault or 'none',
        **load,
        **{f'safety: {check}': n for check, n in sorted(driver.safety.counts.items())},
        **dict(sorted(driver.counts.items())),
        **driver.robot.health(),
    }
    robot = driver.robot.spec.name
    return DiagnosticStatus(
        level=severity(driver),
        name=f'{name}: {robot}',
        message=driver.activity,
        hardware_id=robot,
        values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
    )
