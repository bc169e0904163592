"""Where the D'Claw's fingertips are, from its joint angles.

Numbers: the hanging hand of google-research/robel-scenes; a test holds them to the model.
"""

from math import pi

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

JOINTS = ('FFJ10', 'FFJ11', 'FFJ12', 'MFJ20', 'MFJ21', 'MFJ22', 'THJ30', 'THJ31', 'THJ32')
BASE_ANGLES = np.array([pi / 3, -pi / 3, pi])  # [rad] of the three fingers around the valve
BASE_RADIUS = 0.06  # [m]
MOUNT, PROXIMAL, MIDDLE, DISTAL = 0.01725, 0.0675, 0.068, 0.076  # [m] along a finger


def fingertips(joints: Array) -> tuple[Array, Array, Array]:
    """Return where the fingertips are, in cylinder coordinates around the valve's axis.

    Args:
        joints: Joint angles (9,) [rad], finger by finger, from the palm out.

    Returns:
        Angles (3,) [rad], radii (3,) [m] and depths below the mount (3,) [m].
    """
    sweep, middle, distal = joints.reshape(3, 3).T
    outward = -MIDDLE * np.sin(middle) - DISTAL * np.sin(middle + distal)
    down = PROXIMAL + MIDDLE * np.cos(middle) + DISTAL * np.cos(middle + distal)
    tangential, radial = down * np.sin(sweep), BASE_RADIUS + outward
    return (
        BASE_ANGLES + np.arctan2(tangential, radial),
        np.hypot(tangential, radial),
        MOUNT + down * np.cos(sweep),
    )
