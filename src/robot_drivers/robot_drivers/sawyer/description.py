"""The Sawyer arm in numbers: geometry, inertia and limits, one row per joint.

Every other part reads this table: the kinematics, the emulated robot, the driver, and the tests
that hold the MJCF to it. Lengths in m, angles in rad, masses in kg, inertias in kg m^2 about the
centre of mass. Source: RethinkRobotics/sawyer_robot, sawyer_base.urdf.xacro, unless said.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Vector3 = tuple[float, float, float]


@dataclass(frozen=True)
class Joint:
    """One revolute joint about its own z axis and the link it carries."""

    name: str
    link: str
    origin: Vector3
    """Position in the parent link [m]."""
    rpy: Vector3
    """Orientation in the parent link, fixed-axis roll, pitch, yaw [rad]."""
    lower: float
    upper: float
    velocity: float
    """Largest speed [rad/s]."""
    effort: float
    """Largest torque of the drive [Nm]."""
    mass: float
    centre: Vector3
    """Centre of mass in the link [m]."""
    inertia: tuple[float, float, float, float, float, float]
    """xx, yy, zz, xy, xz, yz [kg m^2]."""


_QUARTER = 1.57079632679

JOINTS: tuple[Joint, ...] = (
    Joint(
        'right_j0', 'right_l0', (0.0, 0.0, 0.08), (0.0, 0.0, 0.0),
        -3.0503, 3.0503, 1.74, 80.0, 5.3213, (0.024366, 0.010969, 0.14363),
        (0.053314, 0.057902, 0.023659, 0.0047093, 0.011734, 0.0080179),
    ),
    Joint(
        'right_j1', 'right_l1', (0.081, 0.05, 0.237), (-_QUARTER, _QUARTER, 0.0),
        -3.8095, 2.2736, 1.328, 80.0, 4.505, (-0.0030849, -0.026811, 0.092521),
        (0.022398, 0.014613, 0.017295, -0.00023986, -0.00029362, -0.0060875),
    ),
    Joint(
        'right_j2', 'right_l2', (0.0, -0.14, 0.1425), (_QUARTER, 0.0, 0.0),
        -3.0426, 3.0426, 1.957, 40.0, 1.745, (-0.00016044, -0.014967, 0.13582),
        (0.025506, 0.0253, 0.0034179, 4.4101e-06, 1.4955e-05, -0.0033204),
    ),
    Joint(
        'right_j3', 'right_l3', (0.0, -0.042, 0.26), (-_QUARTER, 0.0, 0.0),
        -3.0439, 3.0439, 1.957, 40.0, 2.5097, (-0.0048135, -0.0281, -0.084154),
        (0.01016, 0.0065685, 0.0069078, -9.7452e-06, 0.00026624, 0.0030316),
    ),
    Joint(
        'right_j4', 'right_l4', (0.0, -0.125, -0.1265), (_QUARTER, 0.0, 0.0),
        -2.9761, 2.9761, 3.485, 9.0, 1.1136, (-0.0018844, 0.0069001, 0.1341),
        (0.013557, 0.013555, 0.0013658, 1.8109e-05, 0.00013523, 0.0010561),
    ),
    Joint(
        'right_j5', 'right_l5', (0.0, 0.031, 0.275), (-_QUARTER, 0.0, 0.0),
        -2.9761, 2.9761, 3.485, 9.0, 1.5625, (0.0061133, -0.023697, 0.076416),
        (0.0047328, 0.0029676, 0.0031762, 0.00011526, 4.6269e-05, -0.0011557),
    ),
    Joint(
        'right_j6', 'right_l6', (0.0, -0.11, 0.1053), (-_QUARTER, -0.17453, 3.1416),
        -4.7124, 4.7124, 4.545, 9.0, 0.3292, (-8.0726e-06, 0.0085838, -0.0049566),
        (0.00031105, 0.00021549, 0.00035976, 1.4771e-06, -3.7074e-07, -8.4533e-06),
    ),
)  # fmt: skip

JOINT_NAMES: tuple[str, ...] = tuple(joint.name for joint in JOINTS)
LINK_NAMES: tuple[str, ...] = tuple(joint.link for joint in JOINTS)

POSITION_LOWER: Array = np.array([joint.lower for joint in JOINTS])
POSITION_UPPER: Array = np.array([joint.upper for joint in JOINTS])
VELOCITY_LIMIT: Array = np.array([joint.velocity for joint in JOINTS])
DRIVE_EFFORT: Array = np.array([joint.effort for joint in JOINTS])

LEARNING_EFFORT: Array = 0.5 * np.array([8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0])
"""Torque range of a policy [Nm]: half of what mihdalal/sawyer_control allows its controllers."""

HAND_ORIGIN: Vector3 = (0.0, 0.0, 0.0245)
HAND_RPY: Vector3 = (0.0, 0.0, 1.570796)
"""Pose of right_hand in right_l6, a fixed joint."""

NEUTRAL: Array = np.array([0.0, -1.18, 0.0, 2.18, 0.0, 0.57, 3.3161])
"""The vendor's named pose [rad] (sawyer_robot, named_poses.yaml)."""

# The stacking cell: ours, all in the frame of the arm's base.

BRICK_HEIGHT = 0.0192
BRICK_HALF_WIDTH = 0.0159
STUD_PITCH = 0.016
STUD_HEIGHT = 0.0045
STUD_RADIUS = 0.004675
"""A two by two brick of twice the usual size [m]; stud from memory, rest from kapycad.com."""

HAND_TO_BRICK = 0.06
"""From right_hand to the held brick's top along the hand's z axis [m]."""

TABLE_HEIGHT = 0.2
"""Top of the table [m]."""

GOAL_POSITION: Vector3 = (0.55, 0.16, TABLE_HEIGHT + 2 * BRICK_HEIGHT + HAND_TO_BRICK)
"""Where right_hand is when the held brick is seated [m]."""

CORNERS: Array = np.array(
    [
        [BRICK_HALF_WIDTH, BRICK_HALF_WIDTH, HAND_TO_BRICK + BRICK_HEIGHT],
        [-BRICK_HALF_WIDTH, BRICK_HALF_WIDTH, HAND_TO_BRICK + BRICK_HEIGHT],
        [-BRICK_HALF_WIDTH, -BRICK_HALF_WIDTH, HAND_TO_BRICK + BRICK_HEIGHT],
    ]
)
"""Three lower corners of the held brick in right_hand [m], shape (3, 3)."""

GOAL_CORNERS: Array = np.array(
    [
        [GOAL_POSITION[0] + BRICK_HALF_WIDTH, GOAL_POSITION[1] + BRICK_HALF_WIDTH, 0.2192],
        [GOAL_POSITION[0] + BRICK_HALF_WIDTH, GOAL_POSITION[1] - BRICK_HALF_WIDTH, 0.2192],
        [GOAL_POSITION[0] - BRICK_HALF_WIDTH, GOAL_POSITION[1] - BRICK_HALF_WIDTH, 0.2192],
    ]
)
"""Where the corners belong: on top of the fixed brick [m], shape (3, 3)."""

SEATED: Array = np.array([-0.01068, -1.16928, 0.01448, 1.84874, -0.00727, 0.89138, 3.32334])
"""Joint positions with the brick seated [rad], shape (7,); hand straight down, within 2 um."""

START: Array = np.array([-0.00717, -1.2145, 0.00939, 1.82232, -0.00399, 0.96299, 3.32004])
"""Start pose: the same, 30 mm higher [rad], shape (7,)."""

ABOVE: Array = np.array([-0.00403, -1.30256, 0.00486, 1.74037, -0.00142, 1.13299, 3.31738])
"""Clear of the studs, 100 mm higher [rad], shape (7,)."""
