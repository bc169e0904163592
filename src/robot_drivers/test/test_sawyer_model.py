"""The arm's table, its kinematics and the MJCF agree; the brick is a press fit."""

import mujoco
import numpy as np
import pytest

from robot_drivers.sawyer.description import (
    ABOVE,
    GOAL_CORNERS,
    GOAL_POSITION,
    JOINTS,
    NEUTRAL,
    POSITION_LOWER,
    POSITION_UPPER,
    SEATED,
    START,
)
from robot_drivers.sawyer.kinematics import forward, solve
from robot_drivers.sawyer.quaternion import quaternion
from robot_drivers.sawyer.world import SawyerWorld

VARIANTS = ('domed', 'plain')


@pytest.fixture(params=VARIANTS)
def world(request) -> SawyerWorld:
    return SawyerWorld(request.param)


def random_positions(count: int = 50) -> np.ndarray:
    return np.random.default_rng(0).uniform(POSITION_LOWER, POSITION_UPPER, (count, 7))


def test_kinematics_agree_with_the_simulator(world):
    data = world.data
    for positions in random_positions():
        data.qpos[:] = positions
        mujoco.mj_kinematics(world.model, data)
        pose = forward(positions)
        np.testing.assert_allclose(pose.positions, world.link_origins, atol=1e-6)
        hand = data.body('right_hand')
        np.testing.assert_allclose(pose.hand, hand.xmat.reshape(3, 3), atol=1e-6)
        turned = np.zeros(9)
        x, y, z, w = quaternion(pose.hand)
        mujoco.mju_quat2Mat(turned, np.array([w, x, y, z]))
        np.testing.assert_allclose(turned, pose.hand.ravel(), atol=1e-9)
        corners = [data.site(f'corner_{k}').xpos for k in range(3)]
        np.testing.assert_allclose(pose.corners(), corners, atol=1e-6)


@pytest.mark.parametrize('link', [3, 5, 7])
def test_jacobian_is_the_derivative_of_the_pose(link):
    for positions in random_positions(10):
        change = np.empty((3, 7))
        for joint in range(7):
            step = np.zeros(7)
            step[joint] = 1e-6
            after, before = forward(positions + step), forward(positions - step)
            change[:, joint] = (after.positions[link] - before.positions[link]) / 2e-6
        np.testing.assert_allclose(forward(positions).jacobian(link)[:3], change, atol=1e-8)


def test_model_holds_the_numbers_of_the_table(world):
    model = world.model
    for joint in JOINTS:
        body, hinge = model.body(joint.link), model.joint(joint.name)
        np.testing.assert_allclose(body.pos, joint.origin, atol=1e-9)
        np.testing.assert_allclose(hinge.range, (joint.lower, joint.upper), atol=1e-9)
        np.testing.assert_allclose(body.mass, joint.mass, atol=1e-9)
        np.testing.assert_allclose(body.ipos, joint.centre, atol=1e-9)
        xx, yy, zz, xy, xz, yz = joint.inertia
        wanted = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
        turn = np.zeros(9)
        mujoco.mju_quat2Mat(turn, body.iquat)
        turn = turn.reshape(3, 3)
        np.testing.assert_allclose(turn @ np.diag(body.inertia) @ turn.T, wanted, atol=1e-7)
        limits = model.actuator(joint.name).ctrlrange
        np.testing.assert_allclose(limits, (-joint.effort, joint.effort))


def test_named_poses_are_where_they_say():
    for positions, height in ((SEATED, 0.0), (START, 0.03), (ABOVE, 0.1)):
        pose = forward(positions)
        np.testing.assert_allclose(
            pose.hand_position, np.add(GOAL_POSITION, (0, 0, height)), atol=1e-5
        )
        np.testing.assert_allclose(pose.hand[2, 2], -1.0, atol=1e-6)
    np.testing.assert_allclose(forward(SEATED).corners(), GOAL_CORNERS, atol=1e-5)


def test_inverse_kinematics_finds_the_pose_or_says_so():
    pose = forward(SEATED)
    found = solve(pose.hand_position, pose.hand, NEUTRAL)
    np.testing.assert_allclose(forward(found).hand_position, pose.hand_position, atol=1e-6)
    with pytest.raises(ValueError, match='no joint positions found'):
        solve(np.array([3.0, 0.0, 0.0]), pose.hand, NEUTRAL)


def test_zero_torque_holds_the_arm(world):
    world.place(START)
    world.step(np.zeros(7), 500)
    np.testing.assert_allclose(world.positions, START, atol=1e-6)
    np.testing.assert_allclose(world.wrench, 0.0, atol=1e-6)


def press(world: SawyerWorld, force: float, begin: np.ndarray) -> float:
    """Push along z with a force [N], softly guided; return the gap to the seated height [m]."""
    world.model.dof_frictionloss[:] = 0.0  # so that the whole force arrives at the brick
    world.place(begin)
    upright = forward(SEATED).hand
    for _ in range(1000):
        pose = forward(world.positions)
        matrix = pose.jacobian()
        velocity = matrix @ world.velocities
        pull = np.concatenate(
            [800.0 * (np.array(GOAL_POSITION) - pose.hand_position), np.zeros(3)]
        )
        pull[3:] = 15.0 * np.cross(pose.hand, upright, axis=0).sum(axis=1)
        pull -= np.array([80.0] * 3 + [1.0] * 3) * velocity
        pull[2] = force - 80.0 * velocity[2]
        world.step(matrix.T @ pull)
    return float(forward(world.positions).hand_position[2] - GOAL_POSITION[2])


def just_above() -> np.ndarray:
    return SEATED + 0.2 * (START - SEATED)


def test_three_newton_leave_the_brick_on_the_studs(world):
    assert press(world, -3.0, just_above()) > 0.002


def test_ten_newton_seat_the_brick(world):
    assert abs(press(world, -10.0, just_above())) < 0.0002


def test_seated_brick_holds_against_one_newton_and_comes_off_with_twelve(world):
    assert press(world, 1.0, SEATED) < 0.001
    assert press(world, 12.0, SEATED) > 0.01


def test_pushing_shows_in_the_wrench(world):
    press(world, -10.0, just_above())
    np.testing.assert_allclose(world.wrench[:3], (0, 0, 10.0), atol=0.5)
