"""Command ``dclaw_emulator``: a D'Claw for any machine, at the end of a serial device."""

from __future__ import annotations

import argparse
from collections.abc import Callable
import os
from pathlib import Path
import signal
import sys
import time

from robot_drivers.dclaw.emulator.bank import ServoBank
from robot_drivers.dclaw.emulator.bus import EmulatedBus
from robot_drivers.dclaw.emulator.server import Server
from robot_drivers.sim.dclaw_physics import DclawPhysics
from sac_core.realtime import prefer

PRIORITY = 20


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM, SIGINT or ``quit`` on the console; return the exit code."""
    parser = argparse.ArgumentParser(prog='dclaw_emulator', description=__doc__)
    parser.add_argument('--link', type=Path, default=Path('/tmp/dclaw'), help='serial device')
    parser.add_argument('--clock', choices=('lockstep', 'wall'), default='lockstep')
    parser.add_argument('--physics-step', type=float, default=0.005, help='[s]')
    parser.add_argument('--period', type=float, default=0.1, help='control period [s]')
    parser.add_argument('--seed', type=int, help="of the valve's first angle; else it is at 0")
    parser.add_argument('--appearance', type=int, help='seed of varied colours, light, camera')
    parser.add_argument('--viewer', action='store_true', help='show the scene in a window')
    options = parser.parse_args(_before_ros(arguments))
    try:
        physics = DclawPhysics(options.physics_step, options.seed)
        physics.vary_appearance(options.appearance)
        bank = ServoBank(physics, options.period)
        bus = EmulatedBus(bank, time.monotonic, lockstep=options.clock == 'lockstep')
        server = Server(bus, options.link, _window(physics) if options.viewer else None)
    except (OSError, ValueError) as error:
        print(f'dclaw_emulator: {error}', file=sys.stderr)  # noqa: T201
        return 2

    def stop(number: int, frame: object) -> None:
        del number, frame
        server.stop()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    if options.clock == 'wall':
        prefer(PRIORITY)  # a real servo is not slowed down by the computer's load either
    try:
        server.serve()
    finally:
        server.close()
    return 0


def _window(physics: DclawPhysics) -> Callable[[], None]:
    """Open a window and return what brings it up to date."""
    if not (os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')):
        raise ValueError('--viewer needs a display; DISPLAY is not set')
    import mujoco.viewer

    sync: Callable[[], None] = mujoco.viewer.launch_passive(physics.model, physics.data).sync
    return sync


def _before_ros(arguments: list[str] | None) -> list[str]:
    """Drop what a launch file's node adds for ROS, which this program does not use."""
    words = sys.argv[1:] if arguments is None else arguments
    return words[: words.index('--ros-args')] if '--ros-args' in words else words


if __name__ == '__main__':
    sys.exit(main())
