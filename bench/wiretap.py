"""Emulated robots in this process that note what arrives on their wire, for `fuzz.py`.

Each is a context manager that yields the port of its driver; in lock-step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
import contextlib
from pathlib import Path
import tempfile
import threading
import time
from typing import Any

import numpy as np

from robot_drivers.robot import Array


@contextlib.contextmanager
def emulate_dclaw(arrived: list[Array]) -> Iterator[str]:
    """Run a servo bus; note every goal that a finger's register takes."""
    from robot_drivers.dclaw.emulator.bank import ServoBank
    from robot_drivers.dclaw.emulator.bus import EmulatedBus
    from robot_drivers.dclaw.emulator.server import Server
    from robot_drivers.sim.dclaw_physics import DclawPhysics

    bank = ServoBank(DclawPhysics(0.005, 0), 0.1)
    changed = bank.changed

    def note() -> None:
        changed()
        arrived.append(bank.goals()[:9])

    bank.changed = note  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory(prefix='fuzz') as directory:
        link = Path(directory) / 'bus'
        server = Server(EmulatedBus(bank, time.monotonic, lockstep=True), link)
        with _thread(server.serve):
            yield str(link)
            server.running = False
        server.close()


@contextlib.contextmanager
def emulate_sawyer(arrived: list[Array]) -> Iterator[str]:
    """Run a robot behind its ROS 1 protocol; note every torque that comes."""
    from robot_drivers.sawyer.emulated_robot import EmulatedSawyer
    from robot_drivers.sawyer.emulator import SawyerEmulator
    from robot_drivers.sawyer.messages import JointCommand

    robot = EmulatedSawyer('domed')
    carry_out = robot.command

    def note(message: Any) -> None:
        if message.mode == JointCommand.TORQUE:
            arrived.append(np.asarray(message.effort, dtype=float))
        carry_out(message)

    robot.command = note  # type: ignore[method-assign]
    emulator = SawyerEmulator(robot, lockstep=True)
    emulator.start()
    try:
        yield emulator.master.uri
    finally:
        emulator.close()


@contextlib.contextmanager
def emulate_minitaur(arrived: list[Array]) -> Iterator[str]:
    """Run a motor controller; note every set of motor targets that comes."""
    from robot_drivers.minitaur import leg
    from robot_drivers.minitaur.emulator import Emulator
    from robot_drivers.minitaur.link import MODE_POSITION
    from robot_drivers.minitaur.plant import PlantConfig

    emulator = Emulator(PlantConfig(), robot_port=0)
    accept = emulator.robot.plant.accept

    def note(message: Any, sequence: int) -> None:
        if message.mode == MODE_POSITION:
            arrived.append(leg.leg_angles(message.target))
        accept(message, sequence)

    emulator.robot.plant.accept = note  # type: ignore[method-assign]
    with _thread(emulator.run):
        yield f'127.0.0.1:{emulator.robot_port}'
        emulator.stop()


@contextlib.contextmanager
def _thread(target: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    yield
    thread.join(5.0)


EMULATORS = {'dclaw': emulate_dclaw, 'minitaur': emulate_minitaur, 'sawyer': emulate_sawyer}
