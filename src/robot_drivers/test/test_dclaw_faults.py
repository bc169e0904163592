"""What can go wrong on a servo bus, and where the hand is a moment later.

The real driver and the real SDK against the emulated bus in its own process. How soon each fault
leads to its state is in test_faults.py; here is what goes beyond that table.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from robot_drivers.dclaw import control_table as table
from robot_drivers.dclaw import ROBOT
from robot_drivers.dclaw.claw import DynamixelClaw
from robot_drivers.dclaw.config import ALL_IDS, DclawConfig, JOINTS, LIMIT, REST_POSE
from robot_drivers.dclaw.emulator.bank import ServoBank
from robot_drivers.dclaw.sample import BLOCK
from robot_drivers.driver import Driver
from robot_drivers.errors import ConnectionFailedError
from robot_drivers.robot import Connection, Robot
from robot_drivers.safety import Level, SafetyConfig
from robot_drivers.sim.dclaw import DclawTwin, DirectBus
from robot_drivers.sim.dclaw_physics import DclawPhysics
from sac_core.realtime import prefer

QUICK = 0.1  # [s] within this the specified state must be reached


def create(hand, clock='wall', **config) -> Robot:
    return ROBOT.create(DclawConfig(**config), Connection(hand.port, 'sim', clock))


def start(hand, clock: str = 'wall', **config) -> Driver:
    driver = Driver(create(hand, clock, **config), SafetyConfig(), clock)
    driver.connect()
    driver.enable()
    return driver


@pytest.fixture
def realtime() -> Iterator[None]:
    """Measure the driver, not the load of the machine, as far as that is permitted."""
    prefer(10)
    yield
    prefer(0)


@pytest.fixture
def driver(wall_hand, realtime) -> Iterator[Driver]:
    driver = start(wall_hand)
    yield driver
    driver.close()


@pytest.fixture
def stepped(lockstep_hand) -> Iterator[Driver]:
    driver = start(lockstep_hand, 'lockstep')
    yield driver
    driver.close()


def cycle_until(driver: Driver, condition, timeout: float = 5.0) -> float:
    """Run bus cycles until `condition`; return the seconds it took."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < timeout, f'{driver.activity}, {driver.robot.health()}'
        driver.cycle()
    return time.monotonic() - begin


def command(driver: Driver, target) -> np.ndarray | None:
    return driver.command(JOINTS, target, 'position', 0.0).sent


def test_state_is_held_and_called_stale_while_answers_fail(stepped, lockstep_hand):
    before = stepped.state
    lockstep_hand.ask('drop 10 3')
    stepped.cycle()
    assert stepped.state is before
    assert stepped.robot.health()['failed reads in a row'] == 1
    stepped.cycle()
    assert stepped.robot.health()['failed reads in a row'] == 0
    assert stepped.safety.level is Level.ACTIVE


def test_late_answer_is_never_taken_for_a_new_one(stepped, lockstep_hand, report_fault):
    """An answer of the previous exchange comes first in this one; its clock gives it away."""
    rng, truth = np.random.default_rng(0), None
    begin = time.monotonic()
    for i in range(30):
        lockstep_hand.ask(f'late {(10, 21, 32, 50)[i % 4]} 1')
        before = stepped.state.stamp
        target = np.clip(stepped.state.position[:9] + rng.uniform(-0.2, 0.2, 9), -LIMIT, LIMIT)
        assert command(stepped, target) is not None
        assert stepped.state.stamp - before == pytest.approx(0.1)
        truth = np.array(lockstep_hand.ask('status')['position'])
        assert np.abs(stepped.state.position[:9] - truth[:9]).max() < 2 * table.RADIANS_PER_TICK
    report_fault('stale answer', 'discarded, goes on', (time.monotonic() - begin) / 30)


class BusyBus(DirectBus):
    """A bus on a machine so busy that answers queue up: a question gets the oldest answer.

    As on the real one, answers of another length than the question's are passed over.
    """

    def __init__(self, bank) -> None:
        super().__init__(bank)
        self.lost = 0  # commands that never arrive
        self.commands = 0  # that arrived
        self.answers: list[np.ndarray] = []

    def sync_read(self, ids, address, size):
        self.ask(ids, address, size)
        while self.answers[0].shape[1] != size:
            self.answers.pop(0)
        return self.answers.pop(0)

    def ask(self, ids, address, size):
        self.answers.append(super().sync_read(ids, address, size).copy())

    def sync_write(self, ids, register, values):
        if register is table.GOAL_POSITION:
            if self.lost:
                self.lost -= 1
                return
            self.commands += 1
        super().sync_write(ids, register, values)


@pytest.mark.parametrize('late', [0, 1, 2])
@pytest.mark.parametrize('lost', [0, 1])
def test_command_is_sent_again_if_it_was_lost_but_not_if_its_answer_is_late(late, lost):
    bus = BusyBus(ServoBank(DclawPhysics(), 0.1))
    claw = DynamixelClaw(bus, DclawConfig(control_period=0.1), 'lockstep')
    claw.connect()
    claw.enable()
    before = claw.read().stamp
    bus.lost, bus.commands = lost, 0
    for _ in range(late):
        bus.ask(ALL_IDS, table.INDIRECT_DATA, BLOCK.itemsize)
    claw.command(REST_POSE)
    assert claw.read().stamp - before == pytest.approx(0.1)
    assert bus.commands == 1
    assert claw.counts['lost commands'] == lost
    claw.close()


def test_lost_command_is_sent_again(stepped, lockstep_hand, report_fault):
    for lost in range(3):
        lockstep_hand.ask(f'lose {1 if lost else 2}')
        before, begin = stepped.state.stamp, time.monotonic()
        assert command(stepped, REST_POSE) is not None
        assert stepped.state.stamp - before == pytest.approx(0.1)
    report_fault('command lost', 'sent again', time.monotonic() - begin)


def test_silent_driver_trips_the_watchdog_and_goes_on_where_it_is(driver, wall_hand, report_fault):
    begin = time.monotonic()
    while not (tripped := wall_hand.ask('status')['tripped']):
        assert time.monotonic() - begin < 5.0
    status = wall_hand.ask('status')
    assert {servo for servo, _ in tripped} == {10, 11, 12, 20, 21, 22, 30, 31, 32}
    np.testing.assert_allclose(status['goal'][:9], status['position'][:9], atol=0.02)
    report_fault('driver silent (in a callback)', 'servos hold', tripped[0][1] - begin)
    assert tripped[0][1] - begin < QUICK
    took = cycle_until(driver, lambda: driver.counts['interruptions'])
    assert driver.safety.level is Level.ACTIVE
    report_fault('watchdog tripped', 'armed again, holds', took)
    target = driver.state.position[:9]
    assert command(driver, np.clip(target, -LIMIT, LIMIT)) is not None


def test_goal_beyond_the_limits_never_reaches_the_wire(driver, wall_hand):
    for sign in (1, -1):
        driver.robot.command(np.full(9, sign * 100.0))
        goals = np.array(wall_hand.ask('status')['goal'][:9])
        assert (np.abs(goals) <= LIMIT + table.RADIANS_PER_TICK).all()


@pytest.mark.parametrize('seed', [0, 1])
def test_random_commands_never_leave_the_limits_on_the_wire(seed):
    """NaN, infinity, wrong names, stale stamps: what is in the goal registers stays admissible."""
    rng, twin = np.random.default_rng(seed), DclawTwin()
    driver = Driver(twin.robot, SafetyConfig(), 'lockstep')
    driver.state = twin.state
    driver.safety.enable(twin.state, 0.0)
    bank, step = twin.robot.bus.bank, twin.robot.config.velocity_limit * twin.period
    before = bank.goals()[:9]
    for _ in range(5000):
        values = rng.normal(0, rng.choice([0.3, 3.0, 1e9]), 9)
        if rng.random() < 0.2:
            values[rng.integers(9)] = rng.choice([np.nan, np.inf, -np.inf])
        names = list(JOINTS)
        if rng.random() < 0.1:
            names[rng.integers(9)] = rng.choice(['FFJ11', 'valve_joint', ''])
        age = rng.choice([0.0, 0.0, 0.0, 5.0, np.nan])
        mode = rng.choice(['position', 'position', 'position', 'effort'])
        driver.command(names, values, mode, age)
        goals = bank.goals()[:9]
        assert (np.abs(goals) <= LIMIT + table.RADIANS_PER_TICK).all()
        assert (np.abs(goals - before) <= step + 2 * table.RADIANS_PER_TICK).all()
        before = goals
    assert driver.safety.level is Level.ACTIVE


def test_finger_turned_by_hand_is_read_within_one_turn(driver, wall_hand):
    driver.disable('a person turns the valve')
    wall_hand.ask(f'push valve_joint {4 * np.pi + 0.5}')
    stamp = driver.state.stamp
    cycle_until(driver, lambda: driver.state.stamp > stamp + 0.01)
    assert driver.state.position[9] == pytest.approx(0.5, abs=0.01)


def test_torque_stays_off_without_a_good_first_read(wall_hand):
    wall_hand.ask('offline 50')
    with pytest.raises(ConnectionFailedError, match=r'motors \[50\] did not answer; check'):
        create(wall_hand).connect()
    assert wall_hand.ask('status')['torque'] == [0] * 10


def test_occupied_port_is_refused(driver, wall_hand):
    with pytest.raises(ConnectionFailedError, match='another program'):
        create(wall_hand).connect()
    driver.cycle()
    assert driver.safety.level is Level.ACTIVE


def test_emulator_cleans_up_and_names_what_is_wrong(wall_hand):
    assert Path(wall_hand.port).is_symlink()
    with pytest.raises(ValueError, match='unknown command'):
        wall_hand.ask('nonsense')
    with pytest.raises(ValueError, match='no servo'):
        wall_hand.ask('drop 99')
    wall_hand.ask('quit')
    assert wall_hand.process.wait(timeout=10) == 0
    assert list(Path(wall_hand.port).parent.iterdir()) == []


def test_emulator_refuses_what_it_does_not_know(child_environment, tmp_path):
    def run(*options):
        command = [sys.executable, '-m', 'robot_drivers.dclaw.emulator.main', *options]
        return subprocess.run(
            command, env=child_environment, capture_output=True, text=True, timeout=30
        )

    assert 'unrecognized arguments: --sped' in run('--sped', '2').stderr
    assert 'whole physics steps' in run('--period', '0.0123').stderr
    occupied = tmp_path / 'file'
    occupied.touch()
    result = run('--link', str(occupied))
    assert result.returncode == 2
    assert 'exists and is no link' in result.stderr


def test_emulator_outlives_the_driver_that_ends_with_it(wall_hand, realtime):
    driver = start(wall_hand)
    wall_hand.process.send_signal(signal.SIGINT)
    for _ in range(20):
        driver.cycle()
    assert driver.safety.level is Level.ACTIVE
    driver.close()
    assert wall_hand.process.wait(timeout=10) == 0
