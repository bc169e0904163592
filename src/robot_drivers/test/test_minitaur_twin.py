"""Body, terrain and twin of Minitaur."""

import numpy as np
import pytest

from robot_drivers.minitaur import leg

pytest.importorskip('mujoco')

from robot_drivers.minitaur.simulation import MinitaurSimulation, MODEL, Placement
from robot_drivers.minitaur.terrain import Terrain, TERRAINS
from robot_drivers.minitaur.twin import MinitaurTwin


@pytest.fixture
def twin():
    return MinitaurTwin()


def actions(count, seed=0, size=0.5):
    return leg.NEUTRAL + np.random.default_rng(seed).uniform(-size, size, (count, 8))


def test_model_has_the_mass_of_the_identified_robot():
    simulation = MinitaurSimulation()
    assert simulation.model.body_mass.sum() == pytest.approx(7.473)
    assert simulation.model.nv == 22


def test_robot_stands_at_its_height_and_level(twin):
    twin.reset()
    for _ in range(100):
        sensors = twin.step(leg.NEUTRAL)
    assert sensors['pose.position'][2] == pytest.approx(0.265, abs=0.02)
    assert np.abs(sensors['imu.orientation'][:2]).max() < 0.02
    assert np.abs(sensors['joint_states.velocity']).max() < 0.01


def test_imu_follows_rep_145_at_rest(twin):
    twin.reset()
    for _ in range(100):
        sensors = twin.step(leg.NEUTRAL)
    np.testing.assert_allclose(sensors['imu.linear_acceleration'], [0, 0, 9.81], atol=0.05)
    np.testing.assert_allclose(sensors['imu.angular_velocity'], 0, atol=0.01)
    assert np.linalg.norm(sensors['imu.orientation']) == pytest.approx(1.0)


@pytest.mark.parametrize('timestep', [0.001, 0.002])
def test_legs_stay_closed_to_a_millimetre(timestep):
    twin = MinitaurTwin(timestep=timestep)
    twin.reset()
    worst = 0.0
    for action in actions(150):
        twin.step(action)
        worst = max(worst, twin.plant.simulation.closure_error())
    assert worst < 1e-3


def test_simulated_linkage_agrees_with_the_kinematics():
    simulation = MinitaurSimulation()
    for pose in actions(20, size=0.4):
        theta = leg.motor_angles(pose)
        simulation.place(Placement(), theta)
        assert simulation.closure_error() < 1e-9
        data, model = simulation.data, simulation.model
        base = data.xpos[model.body('base_chassis_link').id]
        for i, name in enumerate(leg.LEGS):
            side = 'LR'[leg.OUTER[i] % 2]
            body = model.body(f'lower_leg_{name}{side}_link').id
            tip = data.xpos[body] + data.xmat[body].reshape(3, 3) @ [0, 0, leg.FOOT_LENGTH]
            np.testing.assert_allclose((tip - base)[[0, 2]], leg.feet(theta)[i][[0, 2]], atol=1e-9)


def test_positive_swing_of_all_legs_pushes_the_body_forward(twin):
    start = twin.reset()['pose.position'][0]
    for i in range(10):
        pose = leg.NEUTRAL.copy()
        pose[:4] = 0.03 * i
        sensors = twin.step(pose)
    assert sensors['pose.position'][0] > start + 0.02


def test_leaning_to_the_left_is_a_negative_roll(twin):
    twin.reset()
    pose = leg.NEUTRAL.copy()
    pose[[6, 7]] += 0.4  # right legs longer: the robot leans to the left
    rates = [twin.step(pose)['imu.angular_velocity'][0] for _ in range(5)]
    assert min(rates) < -0.2


def test_same_commands_give_the_same_trajectory():
    runs = []
    for _ in range(2):
        twin = MinitaurTwin(noise=1.0, seed=3)
        twin.reset({'base_yaw': 0.3, 'swing_0': 0.1})
        runs.append([twin.step(a)['joint_states.position'] for a in actions(30)])
    np.testing.assert_array_equal(runs[0], runs[1])


def test_reset_forgets_the_last_episode(twin):
    first = twin.reset()
    for action in actions(60):
        twin.step(action)
    second = twin.reset()
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name])


def test_reset_puts_the_robot_where_the_goal_says(twin):
    sensors = twin.reset({'base_x': 0.2, 'base_y': -0.1, 'base_yaw': 0.5, 'extension_1': 2.2})
    np.testing.assert_allclose(sensors['pose.position'][:2], [0.2, -0.1], atol=0.03)
    yaw = 2 * np.arctan2(sensors['pose.orientation'][2], sensors['pose.orientation'][3])
    assert yaw == pytest.approx(0.5, abs=0.05)
    theta = sensors['joint_states.position']
    assert leg.leg_angles(theta)[5] > leg.leg_angles(theta)[4] + 0.1


@pytest.mark.parametrize(
    ('goal', 'text'),
    [
        ({'valve_joint': 0.0}, "cannot reset 'valve_joint'"),
        ({'base_x': float('nan')}, 'base_x must be finite'),
        ({'swing_0': 1.0}, 'within 0.5 rad'),
    ],
)
def test_impossible_goal_is_refused(twin, goal, text):
    with pytest.raises(ValueError, match=text):
        twin.reset(goal)


def test_malformed_command_never_reaches_the_motors(twin):
    twin.reset()
    before = twin.time
    for bad in (np.zeros(7), np.full(8, np.nan)):
        with pytest.raises(ValueError, match='8'):
            twin.step(bad)
    assert twin.time == before


def test_one_step_is_one_control_period(twin):
    twin.reset()
    before = twin.time
    twin.step(leg.NEUTRAL)
    assert twin.time - before == pytest.approx(0.02)


def test_control_period_must_be_a_multiple():
    with pytest.raises(ValueError, match='must be a multiple'):
        MinitaurTwin(control_period=0.0205)


@pytest.mark.parametrize(
    ('argument', 'text'),
    [
        ({'terrain': 'lava'}, 'terrains are'),
        ({'friction': 0.0}, 'friction must be in'),
        ({'timestep': 0.004}, 'timestep must be in'),
        ({'gain': 0.0}, 'gain must be in'),
        ({'latency': 1.0}, 'latency must be in'),
    ],
)
def test_argument_out_of_range_is_refused(argument, text):
    with pytest.raises(ValueError, match=text):
        MinitaurTwin(**argument)


@pytest.mark.parametrize('terrain', TERRAINS)
def test_robot_stands_at_the_start_of_every_terrain(terrain):
    sensors = MinitaurTwin(terrain=terrain).reset()
    assert sensors['pose.position'][2] == pytest.approx(0.257, abs=0.005)
    assert np.abs(sensors['imu.orientation'][:2]).max() < 0.03


@pytest.mark.parametrize(
    ('terrain', 'height'),
    [('slope_up', 1.5 * np.tan(0.1)), ('slope_down', -1.5 * np.tan(0.1)), ('stairs_down', -0.15)],
)
def test_ground_is_where_the_terrain_says(terrain, height):
    import mujoco

    simulation = MinitaurSimulation(Terrain(terrain))
    hit = np.zeros(1, dtype=np.int32)
    distance = mujoco.mj_ray(
        simulation.model,
        simulation.data,
        np.array([2.0 - 0.02 * (terrain == 'stairs_down'), 1.0, 5.0]),
        np.array([0.0, 0.0, -1.0]),
        None,
        1,
        -1,
        hit,
        None,
    )
    assert 5.0 - distance == pytest.approx(height, abs=0.002)


def test_robot_can_push_loose_blocks_without_breaking_the_simulation():
    twin = MinitaurTwin(terrain='blocks')
    twin.reset({'base_x': 0.35})
    simulation = twin.plant.simulation
    blocks = [simulation.model.body(f'block_0_{i}').id for i in range(3)]
    before = simulation.data.xpos[blocks, 0].copy()
    for i in range(250):
        phase = 2 * np.pi * 2.0 * 0.02 * i + np.array([0.0, np.pi, np.pi, 0.0])
        swing, lift = -0.35 * np.sin(phase), -0.35 * np.maximum(0.0, np.cos(phase))
        twin.step(leg.NEUTRAL + np.concatenate([swing, lift]))
    assert (simulation.data.xpos[blocks, 0] - before).max() > 0.1
    assert not any(warning.number for warning in simulation.data.warning)


def test_latency_delays_the_sensors_by_whole_ticks():
    delayed, prompt = MinitaurTwin(latency=0.02), MinitaurTwin()
    delayed.reset()
    prompt.reset()
    last = None
    for action in actions(5):
        late, now = delayed.step(action), prompt.step(action)
        if last is not None:
            np.testing.assert_array_equal(late['joint_states.position'], last)
        last = now['joint_states.position']


def test_noise_and_gain_change_the_robot(twin):
    noisy, soft = MinitaurTwin(noise=1.0), MinitaurTwin(gain=0.5)
    standing = twin.reset()
    off = noisy.reset()['joint_states.position'] - standing['joint_states.position']
    assert 5e-4 < np.abs(off).max() < 0.03
    assert soft.reset()['pose.position'][2] < standing['pose.position'][2] - 0.01


def test_model_file_names_every_motor_in_order():
    import mujoco

    model = mujoco.MjModel.from_xml_path(str(MODEL))
    joints = [model.joint(model.actuator_trnid[i, 0]).name for i in range(model.nu)]
    assert tuple(joints) == leg.MOTOR_JOINTS


def test_twin_shows_itself_again_after_it_was_closed():
    twin = MinitaurTwin()
    for _ in range(2):
        assert twin.render(64, 36).shape == (36, 64, 3)
        twin.close()
    twin.close()
