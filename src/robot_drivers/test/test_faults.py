"""Every fault of the table leads to its state in time; bench/faults.py prints the same table."""

from __future__ import annotations

import pytest

pytest.importorskip('mujoco')

from robot_drivers.faults.fault import Fault, LIMIT, Outcome, run
from robot_drivers.faults.table import FAULTS

ATTEMPTS = 5  # a loaded machine may be late; a driver that is late is so every time


@pytest.mark.parametrize('fault', FAULTS, ids=lambda fault: fault.id)
def test_fault_leads_to_its_state_in_time(fault: Fault, report_fault):
    for _ in range(ATTEMPTS):
        outcome = run(fault)
        if outcome.passed:
            break
    report_fault(f'{fault.robot}: {fault.name}', fault.state, outcome.seconds or float('inf'))
    assert outcome.passed, outcome


def test_longer_limits_have_their_reason():
    assert all(fault.why for fault in FAULTS if fault.limit > LIMIT)
    assert len({fault.id for fault in FAULTS}) == len(FAULTS)


def test_late_state_and_broken_promise_do_not_pass():
    fault = FAULTS[0]
    assert Outcome(fault, 0.05).passed
    assert not Outcome(fault, 0.2).passed
    assert not Outcome(fault, None).passed
    assert not Outcome(fault, 0.05, 'left the fault by itself').passed
