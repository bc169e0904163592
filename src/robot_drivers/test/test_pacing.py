"""The pace of a lock-step robot that is slowed down to a multiple of real time."""

from __future__ import annotations

import pytest

from robot_drivers.node.pacing import Pacer


@pytest.mark.parametrize('delay', [0.0, 0.01, 0.04])
def test_pace_does_not_drift(delay):
    pacer, now, begins = Pacer(0.1), 0.0, []
    for _ in range(100):
        now += pacer.wait(now, 2.0)
        pacer.begin(now, 2.0)
        begins.append(now)
        now += delay
    assert (begins[-1] - begins[0]) / 99 == pytest.approx(0.05)


def test_pace_does_not_catch_up_after_a_pause():
    pacer = Pacer(0.1)
    pacer.begin(0.0, 1.0)
    pacer.begin(10.0, 1.0)
    assert pacer.wait(10.0, 1.0) == pytest.approx(0.1)
    assert pacer.wait(10.0, 0.0) == 0.0
