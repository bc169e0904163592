"""What a D'Claw is: ids, joints, limits, calibration, and the parameters of its driver.

Sources: google-research/robel (ids, limits, calibration, poses); README.md of models/dclaw.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import pi

import numpy as np

from robot_drivers.robot import RobotSpec

JOINTS = ('FFJ10', 'FFJ11', 'FFJ12', 'MFJ20', 'MFJ21', 'MFJ22', 'THJ30', 'THJ31', 'THJ32')
VALVE = 'valve_joint'
MOTOR_IDS = (10, 11, 12, 20, 21, 22, 30, 31, 32)
VALVE_ID = 50
ALL_IDS = (*MOTOR_IDS, VALVE_ID)
NAMES = (*JOINTS, VALVE)

TOP, MIDDLE, BOTTOM = (0, 3, 6), (1, 4, 7), (2, 5, 8)  # indices into JOINTS, from the palm out

OFFSET = np.array([-pi / 2, -pi, -pi] * 3 + [-pi])  # [rad] angle at 0 ticks, order of NAMES
LIMIT = np.array([0.48, pi / 3, pi / 2] * 3)  # [rad] +-, order of JOINTS
MECHANICAL = np.array([[-1.4, -2.0, -2.0] * 3 + [-pi], [1.4, 2.0, 2.0] * 3 + [pi]])  # [rad]
REST_POSE = np.array([0.0, -pi / 3, pi / 3] * 3)  # [rad] tips clear of the valve
POLICY_SPEED = 2 * pi / 3  # [rad/s] the fastest a ROBEL policy may ask for
REACHED = np.deg2rad(5.0)  # [rad] a reset pose counts as reached within this


@dataclass(frozen=True)
class DclawConfig:
    """Parameters of the D'Claw driver."""

    control_period: float = field(
        default=0.1, metadata={'doc': 'Time of one command [s].', 'range': (0.01, 1.0)}
    )
    update_rate: float = field(
        default=100.0, metadata={'doc': 'Bus cycles in wall clock [Hz].', 'range': (1.0, 500.0)}
    )
    baud_rate: int = field(
        default=1000000, metadata={'doc': 'Bus speed [bit/s].', 'range': (9600, 4000000)}
    )
    velocity_limit: float = field(
        default=2 * pi,
        metadata={
            'doc': 'Rate limit of position targets [rad/s]. A policy limited to 2.09 rad/s from '
            'the measured position changes its target by at most three times that.',
            'range': (0.1, 10.0),
        },
    )
    effort_limit: float = field(
        default=3.0, metadata={'doc': 'Largest admitted effort [Nm].', 'range': (0.05, 5.0)}
    )
    position_gain: int = field(
        default=800,
        metadata={'doc': 'P gain of the servos, as in the table.', 'range': (50, 2000)},
    )
    watchdog: float = field(
        default=0.08,
        metadata={
            'doc': 'The servos stop by themselves after this long without a packet [s]; '
            'whole multiples of 0.02; 0: never.',
            'range': (0.0, 2.54),
        },
    )
    retries: int = field(
        default=2, metadata={'doc': 'Further attempts of a lost transfer.', 'range': (0, 5)}
    )
    stale_limit: int = field(
        default=5,
        metadata={
            'doc': 'Lockstep: failed reads before it goes limp.',
            'range': (1, 100),
        },
    )
    stale_timeout: float = field(
        default=0.05,
        metadata={
            'doc': 'Wall clock: time without a good read after which the hand goes limp [s].',
            'range': (0.01, 5.0),
        },
    )
    reboot_timeout: float = field(
        default=2.0, metadata={'doc': 'Longest reboot of a servo [s].', 'range': (0.1, 10.0)}
    )
    reset_speed: float = field(
        default=3.0, metadata={'doc': 'Speed of scripted motions [rad/s].', 'range': (0.1, 6.0)}
    )
    camera_name: str = field(
        default='top',
        metadata={'doc': 'Camera of the emulated scene.', 'choices': ('top', 'front', 'film')},
    )
    image_height: int = field(
        default=64, metadata={'doc': 'Rows of image_raw.', 'range': (8, 1080)}
    )
    image_width: int = field(
        default=64, metadata={'doc': 'Columns of image_raw.', 'range': (8, 1920)}
    )

    def spec(self) -> RobotSpec:
        """Return the robot's description with these parameters."""
        return RobotSpec(
            name='dclaw',
            joints=JOINTS,
            mode='position',
            lower=-LIMIT,
            upper=LIMIT,
            velocity_limit=np.asarray(self.velocity_limit),
            effort_limit=np.asarray(self.effort_limit),
            control_period=self.control_period,
            update_rate=self.update_rate,
            extra_joints=(VALVE,),
            frame_id='dclaw_mount',
        )
