"""Which steps count as late."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip('rclpy')

from sac_agent.config import from_file
from sac_agent.episode.machine import Event
from sac_agent.node.control_loop import ControlLoop
from sac_agent.pilot import Pilot
from sac_agent.records import Sample

CONFIG = Path(__file__).resolve().parents[3] / 'config' / 'dclaw_valve.yaml'
PERIOD = 0.1  # [s]


class Run:
    """A control loop in an episode, with clocks that a test sets."""

    def __init__(self, monkeypatch, *, lockstep=False):
        clock = SimpleNamespace(monotonic=lambda: self.steady)
        monkeypatch.setattr('sac_agent.node.control_loop.time', clock)
        trigger = 'observation' if lockstep else 'timer'
        self.pilot = Pilot(replace(from_file(CONFIG), trigger=trigger), now=0.0)
        self.steady = self.wall = 0.0
        self.late = []  # of each step
        self._raw = np.zeros(self.pilot.layout.size)
        now = SimpleNamespace(nanoseconds=0)
        self.loop = ControlLoop(
            self.pilot,
            SimpleNamespace(send=lambda channels, stamp: None),
            SimpleNamespace(now=lambda: now),
            lockstep=lockstep,
            held_back=lambda unsent: False,
            on_outcome=lambda outcome: self.late.append(outcome.record.deadline_missed),
        )
        self.pilot.machine.on(Event.READY, 0.0)
        self.pilot.machine.on(Event.RESET_DONE, 0.0)
        self.pilot.next_goal()
        self.news()
        self.loop.begin()

    def news(self, age=0.0):
        sample = Sample(round(1e9 * (self.wall - age)), self.steady, self._raw.copy())
        self.loop.note(sample)
        return sample

    def wait(self, seconds):
        self.steady += seconds
        self.wall += seconds

    def step(self):
        self.wait(0.9 * PERIOD)
        self.news()
        self.wait(0.1 * PERIOD)
        self.loop.tick()


@pytest.fixture
def run(monkeypatch):
    return Run(monkeypatch)


def test_steps_of_a_period_are_in_time(run):
    for _ in range(4):
        run.step()
    assert run.late == [False] * 4
    assert run.pilot.deadline_misses == 0


def test_a_sensor_that_is_hardly_faster_than_control_makes_no_step_late(run):
    ticks, states = np.arange(1, 60) * PERIOD, np.arange(1, 80) * 0.083
    for time, is_tick in sorted([(t, True) for t in ticks] + [(t, False) for t in states]):
        run.steady = run.wall = time
        if is_tick:
            run.loop.tick()
        else:
            run.news()
    assert not any(run.late)


def test_the_step_that_spans_a_pause_is_late_and_not_the_next_one(run):
    run.step()
    run.wait(0.4)  # stopped with the command just sent
    run.news()
    run.loop.tick()
    run.step()
    assert run.late == [False, True, False]
    assert run.pilot.deadline_misses == 1


def test_so_it_is_when_the_tick_comes_before_the_news(run):
    run.step()
    run.wait(0.4)
    run.loop.tick()  # no news
    run.step()
    run.step()
    assert run.late == [False, True, False]


def test_a_command_on_news_from_before_the_pause_is_late(run):
    run.step()
    run.wait(0.9 * PERIOD)
    run.news()
    run.wait(0.4)  # stopped before the tick
    run.loop.tick()
    run.step()
    run.step()
    assert run.late == [False, True, True, False]


def test_messages_that_waited_during_a_pause_do_not_hide_it(run):
    run.step()
    run.wait(0.4)
    run.news(age=0.39)  # taken now, measured at the beginning of the pause
    run.loop.tick()
    run.step()
    run.step()
    assert run.late == [False, True, True, False]


def test_a_sleeping_computer_is_late_by_its_wall_clock(run):
    run.step()
    run.wall += 3600.0
    run.step()
    run.step()
    assert run.late == [False, True, False]


def test_in_lockstep_nothing_is_late(monkeypatch):
    run = Run(monkeypatch, lockstep=True)
    for pause in (0.0, 0.4, 3600.0):
        run.steady += pause  # simulated time stands still meanwhile
        run.wall += PERIOD
        run.loop.answer(run.news())
    assert run.late == [False] * 3
