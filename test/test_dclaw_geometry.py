"""The geometry the task knows is that of the model."""

import numpy as np
import pytest

from robot_drivers.sim.dclaw_physics import DclawPhysics
from sac_agent.tasks.dclaw_geometry import fingertips

HEIGHT = 0.335  # [m] of the mount over the floor


@pytest.mark.parametrize('seed', range(5))
def test_fingertips_are_where_the_model_has_them(seed):
    import mujoco

    physics = DclawPhysics()
    joints = np.random.default_rng(seed).uniform(-0.45, 0.45, 9)
    physics.data.qpos[:9] = joints
    mujoco.mj_kinematics(physics.model, physics.data)
    tips = np.array([physics.data.site(f'{f}_tip').xpos for f in ('FF', 'MF', 'TH')])
    angles, radii, depths = fingertips(joints)
    assert np.column_stack([radii * np.cos(angles), radii * np.sin(angles), HEIGHT - depths]) == (
        pytest.approx(tips, abs=1e-5)
    )
