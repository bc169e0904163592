"""A driver in motion in a process of its own, to be killed: ``python -m ... ROBOT PORT [K=V]``."""

from __future__ import annotations

import sys
import time

from robot_drivers.faults.scene import make_driver, Policy, PRIORITY, switch_on
from sac_core.realtime import prefer


def main() -> None:
    """Move an emulated robot for ever; say so once it moves."""
    robot, port, *words = sys.argv[1:]
    options = {name: int(value) for name, value in (word.split('=') for word in words)}
    prefer(PRIORITY)
    driver = make_driver(robot, port, **options)
    switch_on(driver)
    policy, told = Policy(robot, driver), time.monotonic() + 0.5
    while True:
        policy.turn()
        if told and time.monotonic() > told:
            told = 0.0
            sys.stdout.write('moving\n')
            sys.stdout.flush()


if __name__ == '__main__':
    main()
