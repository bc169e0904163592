"""An emulated Minitaur with drivers on it, in lock-step or on the wall clock."""

import threading
import time

from robot_drivers.faults.rigs import WalkerRig
from robot_drivers.minitaur.config import MinitaurConfig
from robot_drivers.minitaur.emulator import Emulator
from robot_drivers.minitaur.plant import plant_config
from robot_drivers.minitaur.robot import MinitaurRobot
from robot_drivers.minitaur.stage import Stage
from robot_drivers.robot import Connection


class Rig:
    """An emulator with a clock, and drivers on it."""

    clock = 'lockstep'

    def __init__(self, **world):
        self.emulator = Emulator(plant_config(**world), clock='lockstep', robot_port=0)
        self._thread = threading.Thread(target=self.emulator.run)
        self._thread.start()
        self._meet(self.emulator.robot_port, self.emulator.stage_port)

    def _meet(self, robot_port, stage_port):
        self.robot_port, self.stage_port = robot_port, stage_port
        self.stage = Stage('127.0.0.1', stage_port)
        self.robots = []

    def robot(self, backend='sim', **config):
        config = {'stage_port': self.stage_port, 'reply_timeout': 0.1, **config}
        port = f'127.0.0.1:{self.robot_port}'
        robot = MinitaurRobot(MinitaurConfig(**config), Connection(port, backend, self.clock))
        self.robots.append(robot)
        return robot

    def standing(self, **config):
        robot = self.robot(**config)
        robot.connect()
        robot.enable()
        run(robot, robot.reset({}, 10.0))
        return robot

    def status(self):
        return self.stage.request('status')

    def wait_for(self, mode):
        begin = time.monotonic()
        while self.status()['mode'] != mode:
            assert time.monotonic() - begin < 2.0
            time.sleep(0.002)
        return time.monotonic() - begin

    def close(self):
        for robot in self.robots:
            robot.close()
        self._stop()

    def _stop(self):
        self.emulator.stop()
        self._thread.join()


class WallRig(Rig):
    """The emulator as a process, since time passes for it by itself."""

    clock = 'wall'

    def __init__(self):
        self._rig = WalkerRig('wall')
        self._meet(self._rig.robot_port, self._rig.stage_port)

    def _stop(self):
        self._rig.close()
        assert self._rig.process.returncode == 0


def run(robot, motion):
    """Carry out a reset as the node does; on the wall clock, one step per control period."""
    state = None
    for latest in motion:
        state = latest
        if robot._connection.clock == 'wall':
            due = time.monotonic() + robot.spec.control_period
            while time.monotonic() < due:
                robot.update()
                time.sleep(0.004)
    return state


def keep(robot, seconds):
    """Live as the node does on the wall clock; return the states."""
    states = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        robot.update()
        states.append(robot.read())
        time.sleep(0.005)
    return states
