"""Nothing outside the limits leaves the safety layer, and nothing enables itself."""

from dataclasses import replace

import numpy as np
import pytest

from robot_drivers.errors import EstopError, NotEnabledError
from robot_drivers.robot import RobotSpec, RobotState
from robot_drivers.safety import CHECKS, Level, Response, SafetyConfig, SafetyLayer

JOINTS = ('a', 'b', 'c')
PERIOD = 0.1
COMMANDS = 100_000


def spec(mode: str = 'position') -> RobotSpec:
    return RobotSpec(
        name='test',
        joints=JOINTS,
        mode=mode,
        lower=[-1, -2, -0.5],
        upper=[1, 0.5, 0.5],
        velocity_limit=2.0,
        effort_limit=[4, 3, 2],
        effort_rate_limit=100.0,
        control_period=PERIOD,
        extra_joints=('free',),
    )


def state(position=(0, 0, 0, 9), velocity=(0, 0, 0, 0), effort=(0, 0, 0, 0)) -> RobotState:
    arrays = (np.array(values, dtype=float) for values in (position, velocity, effort))
    return RobotState(0.0, *arrays)


def layer(mode: str = 'position', workspace=None, **config) -> SafetyLayer:
    safety = SafetyLayer(spec(mode), SafetyConfig(**config), workspace)
    safety.enable(state(), 0.0)
    return safety


def check(safety: SafetyLayer, values, now: float = 0.1, **options):
    options = {'state': state(), 'now': now} | options
    return safety.check(options.pop('names', JOINTS), values, **options)


@pytest.mark.parametrize('mode', ['position', 'velocity', 'effort'])
def test_random_commands_never_leave_the_limits(mode):
    """1e5 commands with NaN, infinity, wrong names and stale stamps."""
    rng = np.random.default_rng(1)
    safety = layer(mode)
    limits = safety.spec
    now, last_time, sent_before, sent_count = 0.0, -PERIOD, safety.last_sent, 0
    for _ in range(COMMANDS):
        elapsed = rng.choice([0.0, 0.01, PERIOD, 1.0])
        now += elapsed
        values = rng.normal(0, 10, rng.choice([3, 3, 3, 3, 2]))
        if rng.random() < 0.2:
            values[rng.integers(len(values))] = rng.choice([np.nan, np.inf, -np.inf, 1e308])
        names = list(JOINTS[: len(values)])
        if rng.random() < 0.1:
            names[0] = rng.choice(['b', 'x', ''])
        rng.shuffle(names)
        verdict = safety.check(
            names,
            values,
            state=state(rng.normal(0, 1, 4), rng.normal(0, 2, 4), rng.normal(0, 2, 4)),
            now=now,
            age=rng.choice([0.0, 0.0, 0.0, 10.0, -10.0, np.nan]),
            mode=mode,
        )
        if verdict.target is None:
            assert (safety.last_sent == sent_before).all()
            continue
        sent_count += 1
        target = verdict.target
        assert np.isfinite(target).all()
        assert (target >= limits.command_lower).all()
        assert (target <= limits.command_upper).all()
        if mode == 'position':
            step = 2.0 * min(now - last_time, PERIOD)
            assert (np.abs(target - sent_before) <= step + 1e-9).all()
        sent_before, last_time = target, now
    assert sent_count > COMMANDS / 4
    assert safety.level is not Level.ESTOP


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_command_that_is_not_finite_is_dropped_whole(bad):
    safety = layer()
    verdict = check(safety, [0.1, bad, 0.1])
    assert verdict.target is None
    assert 'finite' in verdict.reasons[0]
    assert safety.counts['finite'] == 1


@pytest.mark.parametrize('response', ['off', 'warn', 'clip', 'stop'])
def test_malformed_command_is_dropped_whatever_the_response(response):
    safety = layer(check_finite=response, check_names=response, check_shape=response)
    assert check(safety, [np.nan] * 3).target is None
    assert (safety.level is Level.ESTOP) == (response == 'stop')


def test_names_may_come_in_any_order():
    verdict = check(layer(), [0.1, -0.1, 0.05], names=('c', 'a', 'b'))
    np.testing.assert_allclose(verdict.target, [-0.1, 0.05, 0.1])


@pytest.mark.parametrize('names', [('a', 'b', 'x'), ('a', 'a', 'b'), ('a', 'b', 'c', 'd')])
def test_wrong_names_are_refused_with_the_right_ones(names):
    verdict = check(layer(), [0.0] * len(names), names=names)
    assert verdict.target is None
    assert "need each of ['a', 'b', 'c'] once" in verdict.reasons[0]


def test_command_in_another_unit_is_refused():
    verdict = check(layer(), [0.0] * 3, mode='effort')
    assert verdict.target is None
    assert 'effort' in verdict.reasons[0]


@pytest.mark.parametrize('age', [0.6, -0.6, float('nan')])
def test_old_command_is_refused(age):
    assert check(layer(), [0.0] * 3, age=age).target is None


@pytest.mark.parametrize(
    ('response', 'target', 'level'),
    [
        ('off', 1.0, 'active'),
        ('warn', 1.0, 'active'),
        ('clip', 0.2, 'active'),
        ('stop', None, 'estop'),
    ],
)
def test_each_response_to_a_fast_command(response, target, level):
    safety = layer(check_velocity=response)
    verdict = check(safety, [1.0, 0.0, 0.0], now=0.0)
    assert (None if verdict.target is None else verdict.target[0]) == target
    assert safety.level == level
    assert bool(verdict.reasons) == (response != 'off')


def test_burst_of_commands_gains_no_speed():
    safety = layer()
    for now in np.linspace(0.0, 0.1, 11):
        target = check(safety, [1.0, 0.0, 0.0], now=now).target
    assert target[0] <= 2.0 * (0.1 + 0.1) + 1e-9


def test_first_command_starts_from_the_measured_state():
    safety = SafetyLayer(spec(), SafetyConfig())
    safety.enable(state(position=(0.9, -1.0, 0.0, 0.0)), 5.0)
    target = check(safety, [-1.0, 0.5, 0.0], now=5.0).target
    np.testing.assert_allclose(target, [0.7, -0.8, 0.0])


def test_effort_rate_and_speeding_joint_are_limited():
    safety = layer('effort')
    np.testing.assert_allclose(check(safety, [9, 9, 9]).target, [4, 3, 2])
    fast = state(velocity=(3, -3, 0, 0))
    np.testing.assert_allclose(check(safety, [1, 1, 1], now=0.2, state=fast).target, [0, 1, 1])


def test_joint_beyond_its_limit_is_not_pushed_further():
    safety = layer('effort')
    out = state(position=(1.1, -2.1, 0, 0))
    np.testing.assert_allclose(check(safety, [1, -1, 1], state=out).target, [0, 0, 1])


def test_workspace_has_the_last_word():
    safety = layer(workspace=lambda target, state: (target * 0, 'too low'))
    verdict = check(safety, [0.1, 0.1, 0.1])
    assert (verdict.target == 0).all()
    assert verdict.reasons == ('workspace: too low',)


def test_workspace_that_returns_nan_stops_the_robot():
    safety = layer(workspace=lambda target, state: (target * np.nan, 'broken'))
    assert check(safety, [0.1, 0.1, 0.1]).stop


def test_silence_holds_then_goes_limp_and_stays_so():
    safety = layer(command_timeout=0.2, limp_timeout=1.0)
    assert safety.watch(100.0) is Level.ACTIVE  # nobody has commanded yet: it holds anyway
    check(safety, [0.0] * 3, now=100.1)
    assert safety.watch(100.2) is Level.ACTIVE
    assert safety.watch(100.4) is Level.HOLD
    assert check(safety, [0.0] * 3, now=100.5).target is not None
    assert safety.watch(100.6) is Level.ACTIVE
    assert safety.watch(101.6) is Level.LIMP
    assert check(safety, [0.0] * 3, now=101.7).target is None
    assert safety.watch(101.8) is Level.LIMP


def test_held_robot_still_goes_limp():
    safety = layer(command_timeout=0.2, limp_timeout=1.0)
    check(safety, [0.0] * 3, now=0.1)
    assert safety.watch(0.5) is Level.HOLD
    safety.held(state(), 0.5)
    assert safety.watch(1.2) is Level.LIMP


def test_estop_is_latched_and_clearing_it_does_not_enable():
    safety = layer()
    safety.estop('button')
    safety.disable('deactivated')
    assert safety.level is Level.ESTOP
    with pytest.raises(EstopError, match='button'):
        safety.enable(state(), 1.0)
    safety.clear_estop()
    assert safety.level is Level.LIMP
    assert check(safety, [0.0] * 3).target is None
    safety.enable(state(), 1.0)
    assert safety.level is Level.ACTIVE


def test_unknown_state_does_not_enable():
    with pytest.raises(NotEnabledError, match='not finite'):
        layer().enable(state(position=(np.nan, 0, 0, 0)), 0.0)


def test_limp_before_hold_is_refused():
    with pytest.raises(ValueError, match='limp_timeout'):
        SafetyConfig(command_timeout=2.0, limp_timeout=1.0)


def test_every_check_has_a_parameter_with_all_responses():
    metadata = {
        name: SafetyConfig.__dataclass_fields__[f'check_{name}'].metadata for name in CHECKS
    }
    assert all(set(item['choices']) == {str(r) for r in Response} for item in metadata.values())


def test_a_joint_without_a_rate_limit_leaves_the_others_theirs():
    limits = replace(spec('effort'), effort_rate_limit=np.array([np.inf, 10.0, 10.0]))
    safety = SafetyLayer(limits, SafetyConfig())
    safety.enable(state(), 0.0)
    verdict = safety.check(JOINTS, [3.0, 3.0, -2.0], state=state(), now=0.1)
    np.testing.assert_allclose(verdict.target, [3.0, 1.0, -1.0])  # 10 Nm/s for a period
    assert list(verdict.clipped) == [False, True, True]
