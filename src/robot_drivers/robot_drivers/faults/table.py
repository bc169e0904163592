"""Every fault that is injected, the state that must follow, and within which time."""

from __future__ import annotations

from collections.abc import Callable
import os
import signal
import subprocess
import sys
import time

import numpy as np

from robot_drivers.faults.fault import Fault
from robot_drivers.faults.rigs import environment
from robot_drivers.faults.scene import NotMovingError, Scene
from robot_drivers.minitaur.link import MODE_DAMP, MODE_OFF, MODE_POSITION
from robot_drivers.safety import Level
from robot_drivers.sawyer import topics

PERIODS = 'silence is 1.5 control periods of 0.1 s; a dead agent is noticed sooner'
SILENCE = 'the controller damps 0.1 s after the last command'
SERVOS = {10, 11, 12, 20, 21, 22, 30, 31, 32}

# What the robots are seen to do


def _limp(scene: Scene) -> bool:
    return scene.limp


def _next_state(scene: Scene) -> bool:
    """Whether a newer measurement than before the fault is there, and the robot goes on."""
    before, now = scene.marks['state'], scene.driver.state
    newer = before is not None and now is not None and now.stamp > before.stamp
    return newer and scene.level is Level.ACTIVE


def _servos_limp(scene: Scene) -> bool:
    return scene.limp and not any(scene.do('status')['torque'])


def _servos_stopped(scene: Scene) -> bool:
    """Whether the servos' own watchdog stopped all fingers; they hold where they are."""
    tripped = scene.marks.setdefault('tripped', set())
    tripped |= {servo for servo, _ in scene.do('status')['tripped']}
    return bool(tripped >= SERVOS)


def _mode(*modes: int) -> Callable[[Scene], bool]:
    return lambda scene: scene.do('status')['mode'] in modes


def _arm_quiet(scene: Scene) -> bool:
    """Whether the driver let go and the arm feels no torque of the policy."""
    return scene.limp and not np.any(scene.do('query')['torque'])


def _arm_holds(scene: Scene) -> bool:
    return bool(scene.do('query')['mode'] == 'position')


def _gone(scene: Scene) -> bool:
    return scene.limp and 'hung up' in scene.driver.fault


IN_MOTION: dict[str, Callable[[Scene], bool]] = {
    'dclaw': lambda scene: sum(scene.do('status')['torque']) == len(SERVOS),
    'minitaur': _mode(MODE_POSITION),
    'sawyer': lambda scene: scene.do('query')['mode'] == 'torque',
}

# What is done to them


def _do(name: str, *values: object, **arguments: object) -> Callable[[Scene], object]:
    return lambda scene: scene.do(name, *values, **arguments)


def _nothing(scene: Scene) -> None:
    """Do nothing: the driver is what stops."""


def _silence(scene: Scene) -> None:
    scene.policy.commanding = False


def _estop(scene: Scene) -> None:
    scene.driver.estop('pressed')


def _kill_emulator(scene: Scene) -> None:
    scene.rig.process.kill()


def _driver_process(number: int) -> Callable[[Scene], None]:
    """Let a driver in a process of its own move the robot, and send it a signal."""

    def inject(scene: Scene) -> None:
        scene.driver.close()
        options = [f'{name}={value}' for name, value in scene.rig.driver_options().items()]
        victim = subprocess.Popen(
            [
                *(sys.executable, '-m', 'robot_drivers.faults.victim'),
                *(scene.robot, scene.rig.port, *options),
            ],
            env=environment(),
            stdout=subprocess.PIPE,
        )
        scene.marks['victim'] = victim
        assert victim.stdout is not None
        if victim.stdout.readline() != b'moving\n':
            raise NotMovingError('the driver in its own process does not move the robot')
        if not IN_MOTION[scene.robot](scene):  # also forgets watchdogs that tripped before
            raise NotMovingError('the driver in its own process let the robot go limp')
        scene.marks['sent'] = time.monotonic()
        os.kill(victim.pid, number)

    return inject


def _plug(scene: Scene) -> None:
    scene.do('plug')


SIGNALS = (('killed', signal.SIGKILL), ('stopped', signal.SIGSTOP))
FAULTS: tuple[Fault, ...] = (
    Fault('dclaw', 'answer lost', 'goes on after a retry', _do('drop', 11, 1), _next_state),
    Fault('dclaw', 'answer damaged', 'goes on after a retry', _do('corrupt', 30, 1), _next_state),
    Fault('dclaw', 'answer late', 'discarded, goes on', _do('late', 21, 1), _next_state),
    Fault('dclaw', 'command lost', 'sent again, goes on', _do('lose', 1), _next_state),
    Fault(
        'dclaw', 'servo silent', 'all limp', _do('offline', 20), _limp,
        says='check cable', recovers=_do('online', 20),
    ),
    Fault(
        'dclaw', 'overload, alert bit', 'all limp', _do('alert', 11, 32), _servos_limp,
        says='11: overload', recovers=_nothing,
    ),
    Fault(
        'dclaw', 'supply voltage alert', 'all limp', _do('alert', 12, 1), _servos_limp,
        says='input voltage', recovers=_nothing,
    ),
    Fault('dclaw', 'servo restarted', 'all limp', _do('reboot', 31), _limp, recovers=_nothing),
    Fault(
        'dclaw', 'USB unplugged', 'servos hold by their watchdog', _do('unplug'),
        lambda scene: _servos_stopped(scene) and scene.limp, says='plug it in', recovers=_plug,
    ),
    Fault(
        'dclaw', 'driver busy', 'servos hold by their watchdog', _nothing, _servos_stopped,
        driving=False,
    ),
    *(
        Fault(
            'dclaw', f'driver {word}', 'servos hold by their watchdog', _driver_process(number),
            _servos_stopped, driving=False,
        )
        for word, number in SIGNALS
    ),
    Fault(
        'dclaw', 'agent silent', 'holds', _silence, lambda scene: scene.level is Level.HOLD,
        limit=0.17, why=PERIODS,
    ),
    Fault(
        'dclaw', 'e-stop', 'all limp, latched', _estop,
        lambda scene: not any(scene.do('status')['torque']),
    ),
    Fault(
        'minitaur', 'datagrams lost', 'goes on', _do('disturb', lose=0.2, corrupt=0.1),
        _next_state,
    ),
    Fault(
        'minitaur', 'datagrams late', 'goes on', _do('disturb', delay=0.005, jitter=0.02),
        _next_state,
    ),
    Fault(
        'minitaur', 'controller silent', 'limp', _do('silence', seconds=0.5),
        lambda scene: scene.limp and _mode(MODE_OFF)(scene), says='ms old', recovers=_nothing,
    ),
    Fault(
        'minitaur', 'controller stopped', 'limp', _do('freeze', seconds=0.5), _limp,
        says='ms old',
    ),
    Fault(
        'minitaur', 'controller restarted', 'limp', _do('restart'),
        lambda scene: scene.limp and _mode(MODE_OFF)(scene), recovers=_nothing,
    ),
    Fault(
        'minitaur', 'motor overheated', 'named, the others go on', _do('overheat', motors=[2]),
        lambda scene: (
            scene.driver.robot.health().get('motors switched off') == 'motor_back_leftL_joint'
            and _mode(MODE_POSITION)(scene)
        ),
    ),
    Fault('minitaur', 'fallen', 'legs damped', _do('tip', roll=1.4), _mode(MODE_DAMP, MODE_OFF)),
    Fault('minitaur', 'robot gone', 'limp', _kill_emulator, _limp),
    Fault(
        'minitaur', 'driver busy', 'legs damped by the controller', _nothing,
        _mode(MODE_DAMP), limit=0.13, why=SILENCE, driving=False,
    ),
    *(
        Fault(
            'minitaur', f'driver {word}', 'legs damped by the controller',
            _driver_process(number), _mode(MODE_DAMP), limit=0.13, why=SILENCE, driving=False,
        )
        for word, number in SIGNALS
    ),
    Fault(
        'minitaur', 'agent silent', 'holds or damps', _silence,
        lambda scene: scene.level is Level.HOLD,
    ),
    Fault('minitaur', 'e-stop', 'limp, latched', _estop, _mode(MODE_OFF)),
    Fault(
        'sawyer', 'red button pressed', 'stopped, nothing sent', _do('press_estop'), _arm_quiet,
        says='user', recovers=_do('release_estop'),
    ),
    Fault(
        'sawyer', 'joint fault', 'stopped, nothing sent', _do('fail_joint'), _arm_quiet,
        says='joint fault', recovers=_nothing,
    ),
    Fault(
        'sawyer', 'robot disabled', 'nothing sent', _do('disable'), _arm_quiet,
        says='disabled', recovers=_nothing,
    ),
    Fault(
        'sawyer', 'robot frozen', 'nothing sent', _do('freeze'), _limp, says='old',
        recovers=_do('thaw'),
    ),
    *(
        Fault(
            'sawyer', f'{name} silent', 'nothing sent', _do('mute', topics=[topic]), _limp,
            recovers=_do('unmute'),
        )
        for name, topic in (
            ('joint states', topics.JOINT_STATES),
            ('endpoint state', topics.ENDPOINT_STATE),
            ('robot state', topics.ROBOT_STATE),
        )
    ),
    Fault(
        'sawyer', '15 commands lost', 'robot holds position', _do('drop_commands', count=15),
        _arm_holds,
    ),
    Fault('sawyer', 'robot gone', 'limp', _kill_emulator, _gone),
    Fault('sawyer', 'driver busy', 'robot holds position', _nothing, _arm_holds, driving=False),
    *(
        Fault(
            'sawyer', f'driver {word}', 'robot holds position', _driver_process(number),
            _arm_holds, driving=False,
        )
        for word, number in SIGNALS
    ),
    Fault(
        'sawyer', 'agent silent', 'damping, then holds', _silence,
        lambda scene: scene.driver.robot.health()['activity'] == 'damping',
    ),
    Fault(
        'sawyer', 'e-stop', 'disabled, latched', _estop,
        lambda scene: not scene.do('query')['enabled'],
    ),
)  # fmt: skip
