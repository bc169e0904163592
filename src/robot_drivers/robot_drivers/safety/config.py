"""How strict the last hop is."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

CHECKS = ('finite', 'shape', 'names', 'mode', 'age', 'position', 'velocity', 'effort', 'workspace')


class Response(StrEnum):
    """What to do when a check fails.

    A malformed or old command (finite, shape, names, mode, age) cannot be repaired: ``clip`` drops
    it whole and the robot holds its last target. Malformed ones are dropped with ``off`` and
    ``warn`` too, since there is nothing sensible to send.
    """

    OFF = 'off'
    WARN = 'warn'
    CLIP = 'clip'
    STOP = 'stop'


def _choice(default: str, doc: str) -> Any:
    choices = tuple(str(item) for item in Response)
    return field(default=default, metadata={'doc': doc, 'choices': choices, 'live': True})


@dataclass(frozen=True)
class SafetyConfig:
    """How strict the last hop is. Each check: off, warn, clip or stop."""

    check_finite: str = _choice('clip', 'Command holds NaN or infinity: always dropped.')
    check_shape: str = _choice('clip', 'Not one value per name: always dropped.')
    check_names: str = _choice('clip', 'Joint missing, unknown or twice: always dropped.')
    check_mode: str = _choice('clip', 'Command in another unit: always dropped.')
    check_age: str = _choice('clip', 'Command older than max_command_age.')
    check_position: str = _choice('clip', 'Beyond the joint limits.')
    check_velocity: str = _choice('clip', 'Faster than the velocity limit since the last sent.')
    check_effort: str = _choice('clip', 'Beyond the effort limit.')
    check_workspace: str = _choice('clip', 'Outside the workspace or about to fall.')
    max_command_age: float = field(
        default=0.5,
        metadata={
            'doc': 'Oldest command that is still carried out [s].',
            'range': (0.001, 60.0),
            'live': True,
        },
    )
    command_timeout: float = field(
        default=0.0,
        metadata={
            'doc': 'Silence after which the robot holds still [s]; 0: 1.5 control periods.',
            'range': (0.0, 60.0),
            'live': True,
        },
    )
    limp_timeout: float = field(
        default=10.0,
        metadata={
            'doc': 'Silence after which the motors go limp until enabled again [s]; 0: never.',
            'range': (0.0, 3600.0),
            'live': True,
        },
    )

    def __post_init__(self) -> None:
        """Check the order of the time-outs."""
        if 0.0 < self.limp_timeout <= self.command_timeout:
            raise ValueError(
                f'limp_timeout ({self.limp_timeout} s) must be longer than command_timeout '
                f'({self.command_timeout} s), or 0 for never'
            )

    def response(self, check: str) -> str:
        """Return the configured response to a failed check."""
        value: str = getattr(self, f'check_{check}')
        return value
