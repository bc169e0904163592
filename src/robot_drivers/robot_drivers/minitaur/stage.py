"""What a person does with the robot, for the emulated one: picking it up, pushing it, breaking it.

A request is one UDP datagram of JSON, ``{"op": "place", "x": 0.0, "yaw": 0.1}``; the answer is
``{"ok": true, ...}`` or ``{"ok": false, "error": "..."}``. This is no part of the robot's link.

    place     x, y [m], yaw [rad], perturb   set the robot down, limp, legs at pi/2
    tip       roll [rad]                     lay the robot on its side
    push      velocity: 3 numbers [m/s]      add to the velocity of the base
    disturb   lose, corrupt, delay, jitter   see disturbance.py; missing ones become 0
    overheat  motors: list of indices        switch these motors off, as after overheating
    supply    volts                          what the controller reports as its supply
    silence   seconds                        send nothing for so long; commands are still obeyed
    freeze    seconds                        a stopped controller: no receiving, no sending
    restart                                  a power cycle of the controller; its clock starts at 0
    status                                   time, mode, faults, position of the base
    quit                                     end the emulator
"""

from __future__ import annotations

import json
import socket
from typing import Any

from robot_drivers.errors import RobotError


class StageError(RobotError):
    """The emulator did not answer, or could not do it."""


class Stage:
    """Sends requests to an emulator."""

    def __init__(self, host: str, port: int, timeout: float = 0.5) -> None:
        """Remember where the emulator listens; opens nothing."""
        self._address = (host, port)
        self._timeout = timeout

    def request(self, op: str, **arguments: Any) -> dict[str, Any]:
        """Send one request and return the answer.

        Raises:
            StageError: No answer, or the emulator refused.
        """
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
            channel.settimeout(self._timeout)
            try:
                channel.sendto(json.dumps({'op': op, **arguments}).encode(), self._address)
                answer: dict[str, Any] = json.loads(channel.recv(65536))
            except (OSError, ValueError) as error:
                host, port = self._address
                raise StageError(
                    f'emulator at {host}:{port} did not answer {op!r} ({error}); start '
                    'minitaur_emulator, or check stage_port'
                ) from error
        if not answer.get('ok'):
            raise StageError(f'emulator refused {op!r}: {answer.get("error")}')
        return answer
