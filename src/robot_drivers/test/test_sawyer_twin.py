"""The twin: what a task may rely on."""

import time

import numpy as np
import pytest

from robot_drivers.sawyer.description import (
    ABOVE,
    JOINT_NAMES,
    LEARNING_EFFORT,
    POSITION_UPPER,
    SEATED,
    START,
)
from robot_drivers.sawyer.kinematics import forward
from robot_drivers.sawyer.protection import Protection
from robot_drivers.sawyer.twin import SawyerTwin
from robot_drivers.sawyer.workspace import Workspace


def goal(positions: np.ndarray) -> dict[str, float]:
    return dict(zip(JOINT_NAMES, positions.tolist(), strict=True))


def noisy_start(seed: int) -> np.ndarray:
    return START + np.random.default_rng(seed).uniform(-0.03, 0.03, 7)


class ScriptedStacking:
    """Joint springs with an integral part down to the goal, then a push."""

    stiffness = np.array([80.0, 80.0, 60.0, 60.0, 8.0, 8.0, 6.0])
    damping = np.array([14.0, 14.0, 9.0, 9.0, 0.8, 0.8, 0.5])
    integral = np.array([60.0, 60.0, 40.0, 40.0, 10.0, 10.0, 8.0])

    def __init__(self) -> None:
        self._sum = np.zeros(7)
        self._step = 0

    def __call__(self, positions: np.ndarray, velocities: np.ndarray) -> np.ndarray:
        height = np.interp(self._step, [0, 30, 50], [0.03, 0.012, 0.0])
        push = 6.0 * np.clip((self._step - 40) / 10, 0.0, 1.0)
        self._step += 1
        error = SEATED + (START - SEATED) * height / 0.03 - positions
        self._sum += 0.05 * self.integral * np.clip(error, -0.02, 0.02)
        self._sum = np.clip(self._sum, -1.0, 1.0)
        spring = self.stiffness * np.clip(error, -0.2, 0.2) - self.damping * velocities
        down = forward(positions).jacobian()[:3].T @ np.array([0.0, 0.0, -push])
        return spring + self._sum + down


def corner_error(sensors: dict[str, np.ndarray]) -> float:
    apart = (sensors['brick.corners'] - sensors['brick.goal']).reshape(3, 3)
    return float(np.linalg.norm(apart, axis=1).mean())


def stack(twin: SawyerTwin, start: np.ndarray, steps: int = 100) -> float:
    sensors = twin.reset(goal(start))
    policy = ScriptedStacking()
    for _ in range(steps):
        torque = policy(sensors['joint_states.position'], sensors['joint_states.velocity'])
        sensors = twin.step(torque)
    return corner_error(sensors)


@pytest.mark.parametrize('seed', range(4))
def test_scripted_policy_seats_the_domed_brick(seed):
    assert stack(SawyerTwin(), noisy_start(seed)) < 0.0005


def test_plain_studs_are_harder_than_domed_ones():
    seeds = range(6)
    seated = {
        variant: sum(stack(SawyerTwin(variant=variant), noisy_start(s)) < 0.002 for s in seeds)
        for variant in ('domed', 'plain')
    }
    assert seated['domed'] == len(seeds)
    assert seated['plain'] < seated['domed']


def test_resting_on_the_studs_is_no_success():
    twin = SawyerTwin()
    sensors = twin.reset(goal(SEATED + 0.25 * (START - SEATED)))
    for _ in range(60):  # a gentle push
        positions = sensors['joint_states.position']
        down = forward(positions).jacobian()[:3].T @ np.array([0.0, 0.0, -2.5])
        springs = np.array([0.0, 0.0, 20.0, 0.0, 5.0, 5.0, 5.0]) * (SEATED - positions)
        sensors = twin.step(down + springs - 2.0 * sensors['joint_states.velocity'])
    assert corner_error(sensors) > 0.002


def test_sensors_have_the_promised_shapes_and_zero_error_at_the_goal():
    sensors = SawyerTwin().reset(goal(SEATED))
    shapes = {name: value.shape for name, value in sensors.items()}
    assert shapes == {
        'joint_states.position': (7,),
        'joint_states.velocity': (7,),
        'joint_states.effort': (7,),
        'wrench.force': (3,),
        'wrench.torque': (3,),
        'endpoint.position': (3,),
        'endpoint.orientation': (4,),
        'brick.corners': (9,),
        'brick.goal': (9,),
    }
    assert corner_error(sensors) < 1e-5


def test_reset_names_what_it_cannot_do():
    twin = SawyerTwin()
    with pytest.raises(ValueError, match=r'unknown joints .*elbow'):
        twin.reset({'elbow': 0.0})
    with pytest.raises(ValueError, match='outside the joint ranges'):
        twin.reset({'right_j0': 4.0})


@pytest.mark.parametrize('bad', [np.zeros(6), np.full(7, np.nan)])
def test_malformed_torque_is_refused(bad):
    with pytest.raises(ValueError, match='7 finite numbers'):
        SawyerTwin().step(bad)


def test_same_torques_give_the_same_trajectory():
    def run() -> np.ndarray:
        twin, rng = SawyerTwin(), np.random.default_rng(3)
        torques = rng.uniform(-1, 1, (40, 7)) * LEARNING_EFFORT
        return np.array([twin.step(torque)['joint_states.position'] for torque in torques])

    np.testing.assert_array_equal(run(), run())


def test_random_torques_stay_finite_for_a_long_time():
    twin, rng = SawyerTwin(), np.random.default_rng(0)
    for _ in range(2000):
        sensors = twin.step(rng.uniform(-1, 1, 7) * LEARNING_EFFORT)
    assert all(np.isfinite(value).all() for value in sensors.values())
    assert not twin.world.data.warning.number.any()


def test_arm_that_leaves_the_box_is_pushed_back():
    twin = SawyerTwin()
    twin.reset(goal(ABOVE))
    sideways = np.zeros(7)
    sideways[0] = LEARNING_EFFORT[0]
    furthest = max(float(twin.step(sideways)['endpoint.position'][1]) for _ in range(100))
    assert 0.4 < furthest < 0.55


def test_push_back_points_inwards_and_spares_the_wrist():
    workspace = Workspace(hand_upper=np.array([0.5, 0.4, 0.7]))
    torque = workspace.push_back(START, np.zeros(7))
    outside = workspace.outside(forward(START).positions)[-1]
    force = forward(START).jacobian()[:3] @ torque
    assert outside[0] == pytest.approx(0.05, abs=1e-3)
    assert force[0] < 0.0
    assert not torque[4:].any()
    assert Workspace().push_back(START, np.zeros(7)) is None


def test_push_back_grows_with_the_distance():
    near, far = (
        Workspace(hand_upper=np.array([x, 0.4, 0.7])).push_back(START, np.zeros(7))
        for x in (0.5, 0.4)
    )
    assert np.linalg.norm(far) > 1.5 * np.linalg.norm(near)


def test_joint_near_its_limit_springs_back():
    protection = Protection(Workspace(*(np.array([s] * 3) for s in (-9.0, 9.0, -9.0, 9.0))))
    positions = START.copy()
    positions[5] = POSITION_UPPER[5] - 0.01
    torque, reason = protection.torque(LEARNING_EFFORT, positions, np.zeros(7))
    assert torque[5] == pytest.approx(-0.8)
    assert 'near their limits' in reason


def test_fast_joint_is_not_accelerated_but_may_brake():
    velocities = np.array([2.0, 0, 0, 0, 0, 0, 0])
    pushed, reason = Protection().torque(LEARNING_EFFORT, START, velocities)
    braked, _ = Protection().torque(-LEARNING_EFFORT, START, velocities)
    assert pushed[0] == 0.0
    assert 'too fast' in reason
    assert braked[0] == -LEARNING_EFFORT[0]


@pytest.mark.slow
def test_twin_is_fast_enough_to_learn_in():
    twin, rng = SawyerTwin(), np.random.default_rng(0)
    torques = rng.uniform(-1, 1, (1000, 7)) * LEARNING_EFFORT
    begin = time.process_time()
    for index, torque in enumerate(torques):
        if index % 80 == 0:
            twin.reset({})
        twin.step(torque)
    rate = len(torques) / (time.process_time() - begin)
    assert rate > 500.0, f'{rate:.0f} steps/s'  # 2800 alone on one core; margin for busy machines


def test_twin_shows_itself_in_any_size_and_again_after_it_was_closed():
    twin = SawyerTwin()
    for _ in range(2):
        assert twin.render(64, 48).shape == (48, 64, 3)
        assert twin.render(32, 24).shape == (24, 32, 3)
        twin.close()
    twin.close()
