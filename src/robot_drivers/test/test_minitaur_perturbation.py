"""The simulated Minitaur is another one, and is pushed, in every perturbed episode."""

import numpy as np
import pytest

from robot_drivers.minitaur import leg
from robot_drivers.minitaur.perturbation import Drawn, Perturbation, Ranges

pytest.importorskip('mujoco')

from robot_drivers.minitaur.simulation import Placement
from robot_drivers.minitaur.twin import MinitaurTwin


def perturbation(seed=0, growth=0.0, **ranges):
    return Perturbation(np.random.default_rng(seed), Ranges(growth=growth, **ranges))


def forces(perturbed, seconds, period=0.02):
    found = []
    for _ in range(round(seconds / period)):
        perturbed.advance(period)
        found.append(perturbed.force)
    return np.array(found)


def grow(twin):
    """Let the twin's perturbation have grown, as after 200 s of learning."""
    twin.plant.place(Placement(perturb=1.0))
    twin.plant._perturbation.advance(Ranges().growth)


def test_every_episode_is_another_robot_within_the_ranges():
    perturbed = perturbation()
    robots = [perturbed.begin(1.0) for _ in range(200)]
    for name, low, high in (('mass', 0.8, 1.2), ('strength', 0.8, 1.2), ('friction', 0.6, 1.0)):
        values = [getattr(robot, name) for robot in robots]
        assert low <= min(values) < low + 0.02
        assert high - 0.02 < max(values) <= high


def test_nothing_is_drawn_at_scale_0():
    perturbed, untouched = perturbation(), perturbation()
    assert perturbed.begin(0.0) == Drawn()
    assert not perturbed.active
    assert perturbed.begin(1.0) == untouched.begin(1.0)


def test_pushes_and_pauses_take_turns_after_the_robot_stands():
    perturbed = perturbation()
    perturbed.begin(1.0)
    assert not forces(perturbed, 0.98).any()
    pushes = forces(perturbed, 1000.0)
    strength = np.linalg.norm(pushes, axis=1)
    assert 19.0 < strength.max() <= 20.0
    assert 0.4 < (strength > 0.0).mean() < 0.6
    assert np.abs(pushes).max(axis=0).min() > 15.0  # in every direction
    assert np.abs(pushes.mean(axis=0)).max() < 1.0  # to and fro
    changes = np.flatnonzero(np.diff(strength > 0.0))
    assert np.diff(changes).min() * 0.02 >= 0.18
    assert np.diff(changes).max() * 0.02 <= 1.52


def test_push_off_the_middle_turns_the_body():
    simulation = MinitaurTwin().plant.simulation
    before = simulation.data.xfrc_applied.copy()
    simulation.push(np.array([0.0, 0.0, -10.0]), np.array([0.25, 0.0, 0.0]))
    after = simulation.data.xfrc_applied - before
    pushed = after[np.abs(after).any(axis=1)]
    np.testing.assert_allclose(pushed, [[0.0, 0.0, -10.0, 0.0, 2.5, 0.0]], atol=1e-12)  # nose down


def test_perturbation_grows_with_the_time_that_was_perturbed():
    perturbed = perturbation(growth=200.0)
    assert perturbed.begin(1.0) == Drawn()
    assert perturbed.active
    largest = []
    for _ in range(30):
        largest.append(np.linalg.norm(forces(perturbed, 10.0), axis=1).max())
        robot = perturbed.begin(1.0)
    assert largest[0] == 0.0
    assert 0.0 < max(largest[1:6]) <= 5.0
    assert 15.0 < max(largest[20:]) <= 20.0
    assert robot != Drawn()
    perturbed.begin(0.0)
    assert not perturbed.active


@pytest.mark.parametrize('scale', [-0.1, 2.1, np.nan])
def test_scale_out_of_range_is_refused(scale):
    with pytest.raises(ValueError, match=r'perturb must be in \[0, 2\.0\]'):
        perturbation().begin(scale)


def test_twin_is_changed_and_pushed_until_the_next_reset():
    twin = MinitaurTwin()
    grow(twin)
    model, data = twin.plant.simulation.model, twin.plant.simulation.data
    nominal = model.body_mass.sum(), model.geom_friction[:, 0].copy()
    twin.reset({'perturb': 1.0})
    assert model.body_mass.sum() != pytest.approx(nominal[0], abs=0.01)
    assert (model.geom_friction[:, 0] < nominal[1]).all()
    pushed = False
    for _ in range(150):
        twin.step(leg.NEUTRAL)
        pushed |= bool(data.xfrc_applied.any())
    assert pushed
    twin.reset()
    assert model.body_mass.sum() == pytest.approx(nominal[0])
    np.testing.assert_array_equal(model.geom_friction[:, 0], nominal[1])
    assert not data.xfrc_applied.any()


def test_perturbed_episodes_repeat_with_the_seed():
    def end(seed):
        twin = MinitaurTwin(seed=seed)
        grow(twin)
        for _ in range(2):
            twin.reset({'perturb': 1.0})
            for _ in range(100):
                sensors = twin.step(leg.NEUTRAL)
        return sensors['pose.position']

    np.testing.assert_array_equal(end(3), end(3))
    assert not np.allclose(end(3), end(4), atol=1e-6)
