"""Parameters of the Minitaur driver, and what they make of the robot's description."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from robot_drivers.minitaur import leg
from robot_drivers.minitaur.pd import Gains
from robot_drivers.robot import RobotSpec


@dataclass(frozen=True)
class MinitaurConfig:
    """Parameters of the Minitaur driver; defaults fit the emulator."""

    control_period: float = field(
        default=0.02,
        metadata={
            'doc': 'Time of one command [s]; the motor controller damps after 0.1 s of silence.',
            'range': (0.002, 0.1),
        },
    )
    update_rate: float = field(
        default=200.0,
        metadata={
            'doc': 'Wall clock: reading states and repeating the command [Hz].',
            'range': (20.0, 500.0),
        },
    )
    kp: float = field(
        default=1.0,
        metadata={
            'doc': 'Stiffness, PWM duty per angle [1/rad]; 1 is 8.2 Nm/rad.',
            'range': (0, 3),
        },
    )
    kd: float = field(
        default=0.015,
        metadata={'doc': 'Damping, PWM duty per velocity [s/rad].', 'range': (0, 0.1)},
    )
    swing_limit: float = field(
        default=0.6, metadata={'doc': 'Largest swing, both ways [rad].', 'range': (0.1, 1.0)}
    )
    extension_lower: float = field(
        default=1.3, metadata={'doc': 'Shortest leg [rad].', 'range': (0.5, 1.55)}
    )
    extension_upper: float = field(
        default=2.7,
        metadata={
            'doc': 'Longest leg [rad]; straight at pi, where it cannot be bent any more.',
            'range': (2.1, 2.9),
        },
    )
    velocity_limit: float = field(
        default=60.0,
        metadata={
            'doc': 'Rate limit of swing and extension targets [rad/s]; 50 is 1 rad per 20 ms.',
            'range': (1.0, 200.0),
        },
    )
    fall_tilt: float = field(
        default=1.0,
        metadata={
            'doc': 'Roll or pitch beyond which the robot counts as fallen: the legs are damped '
            'until the next reset [rad].',
            'range': (0.2, 1.5),
        },
    )
    temperature_limit: float = field(
        default=70.0,
        metadata={
            'doc': 'Winding temperature above which no motion begins [Celsius]; the motor '
            'controller switches a motor off at 80 at any time.',
            'range': (30.0, 120.0),
        },
    )
    supply_lower: float = field(
        default=13.0,
        metadata={'doc': 'Lowest supply that may be enabled with [V].', 'range': (0.0, 30.0)},
    )
    supply_upper: float = field(
        default=18.0,
        metadata={'doc': 'Highest supply that may be enabled with [V].', 'range': (5.0, 60.0)},
    )
    host_port: int = field(
        default=0,
        metadata={
            'doc': 'UDP port the states come to; 0: any. A controller that sends to a fixed '
            'port needs that one, e.g. 15000.',
            'range': (0, 65535),
        },
    )
    stage_port: int = field(
        default=0,
        metadata={
            'doc': 'UDP port on which the emulator takes requests; 0: command port + 1.',
            'range': (0, 65535),
        },
    )
    reply_timeout: float = field(
        default=0.2,
        metadata={
            'doc': 'Lock-step: wait for a state before asking again [s].',
            'range': (0.005, 5.0),
        },
    )
    retries: int = field(
        default=10, metadata={'doc': 'Further attempts of a lost datagram.', 'range': (0, 100)}
    )
    state_timeout: float = field(
        default=0.08,
        metadata={
            'doc': 'Wall clock: age of the newest state beyond which the link counts as lost [s].',
            'range': (0.01, 1.0),
        },
    )
    motor_order: tuple[int, ...] = field(
        default=(0, 1, 2, 3, 4, 5, 6, 7),
        metadata={
            'doc': 'Index on the wire of each motor: front left L, R; back left; front right; '
            'back right.',
            'range': (0, 7),
        },
    )
    motor_direction: tuple[float, ...] = field(
        default=(1.0,) * 8,
        metadata={'doc': 'Sign of each motor on the wire, 1 or -1.', 'range': (-1, 1)},
    )
    motor_zero: tuple[float, ...] = field(
        default=(0.0,) * 8,
        metadata={
            'doc': 'Reading on the wire with the upper link straight up [rad].',
            'range': (-7, 7),
        },
    )

    def __post_init__(self) -> None:
        """Check what a single range cannot."""
        if sorted(self.motor_order) != list(range(8)):
            raise ValueError(f'motor_order must hold 0 to 7 once each, got {self.motor_order}')
        if len(self.motor_direction) != 8 or not set(self.motor_direction) <= {1.0, -1.0}:
            raise ValueError(
                f'motor_direction must be 8 times 1 or -1, got {self.motor_direction}'
            )
        if len(self.motor_zero) != 8:
            raise ValueError(f'motor_zero must hold 8 angles, got {self.motor_zero}')
        if self.supply_lower >= self.supply_upper:
            raise ValueError(
                f'supply_lower ({self.supply_lower} V) must be below supply_upper '
                f'({self.supply_upper} V)'
            )

    @property
    def gains(self) -> Gains:
        """Gains of the motor controller."""
        return Gains(self.kp, self.kd)

    def spec(self) -> RobotSpec:
        """Return the robot's description: commands in leg space, motor angles sensed as well."""
        return RobotSpec(
            name='minitaur',
            joints=leg.LEG_CHANNELS,
            mode='position',
            lower=np.array([-self.swing_limit] * 4 + [self.extension_lower] * 4),
            upper=np.array([self.swing_limit] * 4 + [self.extension_upper] * 4),
            velocity_limit=np.asarray(self.velocity_limit),
            effort_limit=np.asarray(7.0),  # two motors at 3.5 Nm; the overheat rule is the limit
            control_period=self.control_period,
            update_rate=self.update_rate,
            extra_joints=leg.MOTOR_JOINTS,
            frame_id='base_chassis_link',
        )


@dataclass(frozen=True)
class Wiring:
    """Between motor angles theta and what is on the wire: order, sign and zero of each motor."""

    order: tuple[int, ...]
    direction: tuple[float, ...]
    zero: tuple[float, ...]

    def to_wire(self, theta: leg.Array) -> leg.Array:
        """Return wire angles (8,) [rad] of motor angles (8,) [rad]."""
        wire = np.empty(8)
        wire[list(self.order)] = np.asarray(self.direction) * theta + np.asarray(self.zero)
        return wire

    def positions(self, wire: leg.Array) -> leg.Array:
        """Return motor angles (8,) [rad] of wire angles (8,) [rad]."""
        return np.asarray(self.rates(wire) - np.asarray(self.direction) * np.asarray(self.zero))

    def rates(self, wire: leg.Array) -> leg.Array:
        """Return velocities or torques (8,) of motors from those on the wire."""
        return np.asarray(np.asarray(self.direction) * wire[list(self.order)])
