"""Parameters of the Sawyer driver; the arm itself is in ``description``."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from robot_drivers.robot import RobotSpec
from robot_drivers.sawyer.description import (
    Array,
    DRIVE_EFFORT,
    JOINT_NAMES,
    LEARNING_EFFORT,
    POSITION_LOWER,
    POSITION_UPPER,
    VELOCITY_LIMIT,
)
from robot_drivers.sawyer.protection import Protection
from robot_drivers.sawyer.workspace import Workspace


@dataclass(frozen=True)
class SawyerConfig:
    """How the arm is driven, and when the driver stops it."""

    control_period: float = field(
        default=0.05, metadata={'doc': 'Time of one policy torque [s].', 'range': (0.01, 1.0)}
    )
    publish_rate: float = field(
        default=100.0,
        metadata={
            'doc': 'Torques sent per second, the last one again or what protects the arm [Hz]; in '
            'lockstep the emulator must have the same rate.',
            'range': (20.0, 500.0),
        },
    )
    effort_limit: tuple[float, ...] = field(
        default=tuple(LEARNING_EFFORT.tolist()),
        metadata={
            'doc': 'Largest torques beyond gravity compensation, j0..j6 [Nm].',
            'range': (0.0, 80.0),
        },
    )
    velocity_limit: tuple[float, ...] = field(
        default=tuple(VELOCITY_LIMIT.tolist()),
        metadata={
            'doc': 'A joint as fast as this is not accelerated further, j0..j6 [rad/s].',
            'range': (0.0, 5.0),
        },
    )
    stop_velocity: float = field(
        default=5.0,
        metadata={
            'doc': 'A joint faster than this ends the motion [rad/s].',
            'range': (0.1, 10.0),
        },
    )
    wrench_limit: float = field(
        default=60.0,
        metadata={'doc': 'A larger force at the hand ends the motion [N].', 'range': (1.0, 500.0)},
    )
    robot_timeout: float = field(
        default=0.06,
        metadata={
            'doc': 'Silence after which the robot itself holds its position [s].',
            'range': (0.01, 1.0),
        },
    )
    policy_timeout: float = field(
        default=0.09,
        metadata={
            'doc': 'Wall clock: silence of the policy after which the driver brakes [s].',
            'range': (0.01, 10.0),
        },
    )
    damping_time: float = field(
        default=0.2,
        metadata={
            'doc': 'Braking by damping before it holds its position [s].',
            'range': (0.0, 5.0),
        },
    )
    damping: float = field(
        default=4.0,
        metadata={
            'doc': 'Damping while braking, the wrist a quarter [Nm s/rad].',
            'range': (0.0, 20.0),
        },
    )
    stale_timeout: float = field(
        default=0.08,
        metadata={
            'doc': 'Wall clock: states older than this end the motion [s].',
            'range': (0.02, 5.0),
        },
    )
    answer_timeout: float = field(
        default=2.0,
        metadata={'doc': 'Lockstep: longest wait for a state [s].', 'range': (0.1, 60.0)},
    )
    connect_timeout: float = field(
        default=5.0, metadata={'doc': 'Longest wait for all topics [s].', 'range': (0.1, 60.0)}
    )
    enable_timeout: float = field(
        default=5.0, metadata={'doc': 'Longest wait for the motors [s].', 'range': (0.1, 60.0)}
    )
    receive_priority: int = field(
        default=15,
        metadata={
            'doc': 'Wall clock: SCHED_FIFO priority of the thread that receives states, where '
            'permitted; above realtime_priority, so that a state counts when it comes; 0: none.',
            'range': (0, 99),
        },
    )
    host: str = field(
        default='',
        metadata={'doc': 'Our address as the robot sees it; empty: found by routing.'},
    )
    position_margin: float = field(
        default=0.05,
        metadata={
            'doc': 'Spring-back begins so far inside the joint limits [rad].',
            'range': (0.0, 1.0),
        },
    )
    hand_lower: tuple[float, ...] = field(
        default=(0.3, -0.4, 0.2),
        metadata={'doc': 'Box of the hand, lower x y z [m].', 'range': (-2.0, 2.0)},
    )
    hand_upper: tuple[float, ...] = field(
        default=(0.7, 0.4, 0.7),
        metadata={'doc': 'Box of the hand, upper x y z [m].', 'range': (-2.0, 2.0)},
    )
    link_lower: tuple[float, ...] = field(
        default=(-0.2, -0.6, 0.2),
        metadata={'doc': 'Box of links l3..l6, lower x y z [m].', 'range': (-2.0, 2.0)},
    )
    link_upper: tuple[float, ...] = field(
        default=(0.9, 0.4, 1.0),
        metadata={'doc': 'Box of links l3..l6, upper x y z [m].', 'range': (-2.0, 2.0)},
    )
    reset_stiffness: float = field(
        default=20.0,
        metadata={'doc': 'Of the reset, the wrist half [Nm/rad].', 'range': (1.0, 100.0)},
    )
    reset_damping: float = field(
        default=4.0,
        metadata={'doc': 'Of the reset, the wrist a quarter [Nm s/rad].', 'range': (0.1, 20.0)},
    )
    reset_effort: float = field(
        default=5.0,
        metadata={'doc': 'Largest torque of the reset, the wrist 40 % [Nm].', 'range': (0.5, 9.0)},
    )
    reset_tolerance: float = field(
        default=0.01,
        metadata={'doc': 'The start pose is reached within this [rad].', 'range': (0.001, 0.2)},
    )
    reset_rest_tolerance: float = field(
        default=0.03,
        metadata={
            'doc': 'An arm that friction stopped this near has reached it as well [rad].',
            'range': (0.001, 0.5),
        },
    )
    reset_velocity: float = field(
        default=0.05,
        metadata={'doc': 'The start pose is reached below this [rad/s].', 'range': (0.001, 1.0)},
    )

    def __post_init__(self) -> None:
        """Check lengths and the order of the time-outs."""
        for name, size in (
            ('effort_limit', 7),
            ('velocity_limit', 7),
            ('hand_lower', 3),
            ('hand_upper', 3),
            ('link_lower', 3),
            ('link_upper', 3),
        ):
            values = getattr(self, name)
            if len(values) != size or not np.isfinite(values).all():
                raise ValueError(f'{name} must be {size} finite numbers, got {values}')
        effort, speed = np.array(self.effort_limit), np.array(self.velocity_limit)
        if (effort <= 0).any() or (effort > DRIVE_EFFORT).any():
            raise ValueError(f'effort_limit {effort} must be within 0..{DRIVE_EFFORT} Nm')
        if (speed <= 0).any() or (speed > VELOCITY_LIMIT).any():
            raise ValueError(f'velocity_limit {speed} must be within 0..{VELOCITY_LIMIT} rad/s')
        if self.robot_timeout < 2.0 / self.publish_rate:
            raise ValueError(
                f'robot_timeout ({self.robot_timeout} s) must span two torques at publish_rate '
                f'({self.publish_rate} Hz)'
            )
        if self.policy_timeout <= self.control_period:
            raise ValueError(
                f'policy_timeout ({self.policy_timeout} s) must be longer than control_period '
                f'({self.control_period} s)'
            )
        self.protection()

    @property
    def substeps(self) -> int:
        """Torques sent per control period in lockstep.

        Raises:
            ValueError: It is no whole number.
        """
        substeps = self.control_period * self.publish_rate
        if abs(substeps - round(substeps)) > 1e-6 or substeps < 1:
            raise ValueError(
                f'in lockstep, control_period ({self.control_period} s) must be a multiple of '
                f'1 / publish_rate ({self.publish_rate} Hz)'
            )
        return round(substeps)

    def protection(self) -> Protection:
        """Return the limits between two policy torques.

        Raises:
            ValueError: A box is none.
        """
        workspace = Workspace(
            np.array(self.hand_lower),
            np.array(self.hand_upper),
            np.array(self.link_lower),
            np.array(self.link_upper),
        )
        return Protection(
            workspace,
            np.array(self.effort_limit),
            np.array(self.velocity_limit),
            self.position_margin,
        )

    def spec(self) -> RobotSpec:
        """Return what node and safety layer need to know."""
        return RobotSpec(
            name='sawyer',
            joints=JOINT_NAMES,
            mode='effort',
            lower=POSITION_LOWER,
            upper=POSITION_UPPER,
            velocity_limit=np.array(self.velocity_limit),
            effort_limit=np.array(self.effort_limit),
            control_period=self.control_period,
            update_rate=self.publish_rate,
            frame_id='base',
        )

    def gains(self) -> tuple[Array, Array, Array]:
        """Return stiffness and damping of the reset and damping of braking, shape (7,) each."""
        arm, wrist = np.array([1.0] * 4 + [0.0] * 3), np.array([0.0] * 4 + [1.0] * 3)
        return (
            self.reset_stiffness * (arm + 0.5 * wrist),
            self.reset_damping * (arm + 0.25 * wrist),
            self.damping * (arm + 0.25 * wrist),
        )
