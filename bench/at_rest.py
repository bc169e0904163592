"""When an emulated robot is at rest, as its wire sees it, for `outage.py`.

D'Claw: goals that stay or limp motors. Minitaur: damped or limp legs. Sawyer: position hold, or
braking, that is torques other than the policy's last ones that drive no joint any more and vanish
with the motion.
"""

from __future__ import annotations

import contextlib
import json
import math
import socket
import time

from chaos.rig import Rig
import numpy as np

HERE = 0.005  # [rad] between goal and position of a servo that begins to hold, three ticks
DRIVING = 0.05  # [W] from which torques drive an arm; old velocities make less of braking


def last_motion(rig: Rig, killed: float) -> float:
    """Return when the emulated robot got what makes it rest, from a second of looking.

    Args:
        rig: With the robot in motion.
        killed: When what commanded it ended, monotonic [s].

    Returns:
        Monotonic [s]; infinity if it did not rest.
    """
    look = {'dclaw': _dclaw, 'minitaur': _minitaur, 'sawyer': _sawyer}[rig.kind.name]
    with look(rig) as at_rest:
        rested = math.inf
        while time.monotonic() < killed + 1.0:
            if not at_rest():
                rested = math.inf
            elif rested == math.inf:
                rested = time.monotonic()
            time.sleep(0.001)
    return rested


@contextlib.contextmanager
def _dclaw(rig: Rig):  # type: ignore[no-untyped-def]
    from robot_drivers.dclaw.emulator.client import ConsoleClient

    client = ConsoleClient(str(rig.directory / 'bus'))
    goal: list[float] = []

    def at_rest() -> bool:
        """Whether the goals stay or are where the fingers are, or the motors are limp."""
        status = client.ask('status')
        before, goal[:] = goal[:], status['goal'][:9]
        # Servos that hear nothing for 80 ms, as when the machine stands still, hold there again.
        here = np.abs(np.subtract(goal, status['position'][:9])).max() < HERE
        return before == goal or here or not any(status['torque'][:9])

    yield at_rest
    client.close()


@contextlib.contextmanager
def _sawyer(rig: Rig):  # type: ignore[no-untyped-def]
    with socket.create_connection(('127.0.0.1', rig.control_port)) as link:
        lines = link.makefile()
        policy: list[float] = []

        def at_rest() -> bool:
            """Whether the arm holds or is off, or brakes instead of following the last torque."""
            link.sendall(b'{"do": "query"}\n')
            answer = json.loads(lines.readline())
            torque = answer['torque']
            if not policy:
                policy[:] = torque
            driving = np.dot(torque, answer['velocities']) > DRIVING
            return answer['mode'] != 'torque' or (torque != policy and not driving)

        yield at_rest


@contextlib.contextmanager
def _minitaur(rig: Rig):  # type: ignore[no-untyped-def]
    from robot_drivers.minitaur.link import MODE_DAMP, MODE_OFF
    from robot_drivers.minitaur.stage import Stage

    stage = Stage('127.0.0.1', rig.control_port)
    yield lambda: stage.request('status')['mode'] in (MODE_OFF, MODE_DAMP)
