"""The emulated robot as a process: a ROS 1 master and a Sawyer behind the robot's own protocol.

Run as ``sawyer_emulator``. Two clocks: ``wall`` runs physics in real time and publishes like the
robot; in ``lockstep`` each joint command advances the robot by one period of its publish rate, and
is answered by the states after it. Faults are injected through a control socket, one JSON object a
line, such as ``{"do": "press_estop"}``; every answer holds the robot's condition.
"""

import argparse
from collections.abc import Callable, Sequence
import json
import signal
import socketserver
import sys
import threading
import time
from typing import Any

import numpy as np

from robot_drivers.sawyer import topics
from robot_drivers.sawyer.description import START
from robot_drivers.sawyer.emulated_robot import EmulatedSawyer, Noise
from robot_drivers.sawyer.messages import EndpointState, JointCommand, RobotAssemblyState
from robot_drivers.sawyer.ros1.master import Master
from robot_drivers.sawyer.ros1.messages import Bool, Empty, Float64, JointState, UInt16
from robot_drivers.sawyer.ros1.node import Node
from sac_core.realtime import prefer

_PRIORITY = 20  # SCHED_FIFO: a real arm is not slowed down by the computer's load either
_TICK = 0.004  # wall clock physics granularity [s], two physics steps
_RATES = (10, 800)  # admissible publish rates [Hz]


class SawyerEmulator:
    """Master, robot and physics of one emulated Sawyer."""

    def __init__(
        self,
        robot: EmulatedSawyer,
        *,
        lockstep: bool,
        host: str = '127.0.0.1',
        master_port: int = 0,
        control_port: int = 0,
        rate: int = 100,
    ) -> None:
        """Open all ports; 0 takes a free one. ``start`` lets the robot live.

        Args:
            robot: The robot behind the wire.
            lockstep: Time passes with joint commands instead of with the wall clock.
            host: Address to listen on.
            master_port: Of the ROS 1 master.
            control_port: Of the fault injection.
            rate: States per second of robot time [Hz].
        """
        self.robot = robot
        self.master = Master(host, master_port)
        self.muted: set[str] = set()
        self.dropping = 0
        self.delay = 0.0
        self._lockstep = lockstep
        self._epoch = 0.0 if lockstep else time.time()
        self._period = 1.0 / rate
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._frozen = False
        self._commands = 0
        self._last_state: RobotAssemblyState | None = None
        self._state_due = 0.0
        self._control = _ControlServer((host, control_port), self.control)
        self.control_port = int(self._control.server_address[1])
        self.master.start()
        priority = 0 if lockstep else _PRIORITY
        self._node = Node('/realtime_loop', self.master.uri, host, priority=priority)
        advertise = self._node.advertise
        self._states = advertise(topics.JOINT_STATES, JointState, latched=lockstep)
        self._endpoint = advertise(topics.ENDPOINT_STATE, EndpointState, latched=lockstep)
        self._assembly = advertise(topics.ROBOT_STATE, RobotAssemblyState, latched=lockstep)
        subscribe = self._node.subscribe
        subscribe(topics.JOINT_COMMAND, JointCommand, self._on_command)
        subscribe(topics.ENABLE, Bool, self._acting(lambda m: robot.enable(m.data)))
        subscribe(topics.RESET, Empty, self._acting(lambda m: robot.reset()))
        subscribe(topics.STOP, Empty, self._acting(lambda m: robot.stop()))
        subscribe(
            topics.JOINT_COMMAND_TIMEOUT,
            Float64,
            self._acting(lambda m: robot.set_command_timeout(m.data)),
        )
        subscribe(
            topics.SPEED_RATIO, Float64, self._acting(lambda m: robot.set_speed_ratio(m.data))
        )
        subscribe(topics.STATE_RATE, UInt16, self._acting(lambda m: self._set_rate(m.data)))
        self._thread = threading.Thread(target=self._run, name='physics', daemon=True)

    @property
    def now(self) -> float:
        """The robot's own time [s]."""
        return self._epoch + self.robot.world.time

    def start(self) -> None:
        """Publish from now on, and let time pass."""
        with self._lock:
            self._publish()
        self._control.start()
        if not self._lockstep:
            self._thread.start()

    def close(self) -> None:
        """End everything."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join(2.0)
        self._control.stop()
        self._node.close()
        self.master.stop()

    def control(self, request: dict[str, Any]) -> dict[str, Any]:
        """Inject a fault or look at the robot; see docs/robots/sawyer.md for the requests.

        Raises:
            ValueError: The request is unknown.
        """
        robot = self.robot
        actions: dict[str, Callable[[], object]] = {
            'query': lambda: None,
            'press_estop': robot.press_estop,
            'release_estop': robot.release_estop,
            'fail_joint': robot.fail_joint,
            'disable': lambda: robot.enable(False),
            'mute': lambda: self.muted.update(request['topics']),
            'unmute': self.muted.clear,
            'drop_commands': lambda: setattr(self, 'dropping', int(request['count'])),
            'delay_states': lambda: setattr(self, 'delay', float(request['seconds'])),
            'freeze': lambda: setattr(self, '_frozen', True),
            'thaw': lambda: setattr(self, '_frozen', False),
            'invalid_wrench': lambda: setattr(robot, 'wrench_valid', False),
            'push': lambda: robot.push(np.array(request['force']), float(request['seconds'])),
            'place': lambda: robot.place(np.array(request.get('positions', START.tolist()))),
        }
        name = str(request.get('do'))
        if name not in actions:
            raise ValueError(f'cannot do {name!r}; there are {sorted(actions)}')
        with self._lock:
            actions[name]()
            self._publish_assembly()
            if self._lockstep and name == 'place':
                self._publish()
            return {
                'mode': robot.mode,
                'torque': robot.applied_torque.tolist(),
                'positions': robot.world.positions.tolist(),
                'velocities': robot.world.velocities.tolist(),
                'enabled': robot.assembly.enabled,
                'stopped': robot.assembly.stopped,
                'command_timeout': robot.command_timeout,
                'commands': self._commands,
                'reverts': robot.reverts,
                'time': self.now,
            }

    def _acting(self, act: Callable[[Any], None]) -> Callable[[Any], None]:
        def callback(message: Any) -> None:
            with self._lock:
                act(message)
                self._publish_assembly()

        return callback

    def _set_rate(self, rate: int) -> None:
        low, high = _RATES
        self._period = 1.0 / min(max(rate, low), high)

    def _on_command(self, message: JointCommand) -> None:
        with self._lock:
            self._commands += 1
            if self.dropping > 0:
                self.dropping -= 1
            else:
                self.robot.command(message)
            if self._lockstep and not self._frozen:
                self.robot.advance(self._period)
                self._publish()

    def _publish(self) -> None:
        if self.delay:
            time.sleep(self.delay)
        stamp = self.now
        state = self.robot.joint_state(stamp)
        if self.now >= self._state_due or self.robot.assembly != self._last_state:
            self._state_due = self.now + (10 * self._period if self._lockstep else 0.0)
            self._publish_assembly(force=True)
        if topics.ENDPOINT_STATE not in self.muted:
            self._endpoint.publish(self.robot.endpoint_state(stamp))
        if topics.JOINT_STATES not in self.muted:
            self._states.publish(state)

    def _publish_assembly(self, force: bool = False) -> None:
        """Publish ``/robot/state`` if it changed; the robot repeats it with its other states."""
        changed = self.robot.assembly != self._last_state
        if (force or changed) and topics.ROBOT_STATE not in self.muted and not self._frozen:
            self._last_state = self.robot.assembly
            self._assembly.publish(self.robot.assembly)

    def _run(self) -> None:
        """Let the robot's time follow the wall clock."""
        prefer(_PRIORITY)
        start = time.monotonic()
        begin = self.robot.world.time
        due = start
        while not self._closed.wait(max(0.0, _TICK - (time.monotonic() - start) % _TICK)):
            now = time.monotonic()
            with self._lock:
                behind = now - start - (self.robot.world.time - begin)
                if behind > 0.5 or self._frozen:  # a stalled machine: do not rush through it
                    start += behind
                    continue
                ticks = int(behind / _TICK)
                for _ in range(ticks):
                    self.robot.advance(_TICK)
                if now >= due:
                    due = max(due + self._period, now - self._period)
                    self._publish()


class _ControlServer(socketserver.ThreadingTCPServer):
    """Answers one JSON object per line."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(
        self, address: tuple[str, int], answer: Callable[[dict[str, Any]], dict[str, Any]]
    ) -> None:
        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                for line in self.rfile:
                    try:
                        reply = {'ok': True, **answer(json.loads(line))}
                    except (ValueError, KeyError, TypeError) as error:
                        reply = {'ok': False, 'error': str(error)}
                    self.wfile.write(json.dumps(reply).encode() + b'\n')

        super().__init__(address, Handler)
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={'poll_interval': 0.05}, daemon=True
        )

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        if self._thread.is_alive():
            self.shutdown()
        self.server_close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='sawyer_emulator', description=__doc__)
    parser.add_argument('--host', default='127.0.0.1', help='address to listen on')
    parser.add_argument('--master-port', type=int, default=11311, help='0 takes a free one')
    parser.add_argument('--control-port', type=int, default=0, help='fault injection')
    parser.add_argument('--clock', choices=('lockstep', 'wall'), default='wall')
    parser.add_argument('--variant', choices=('domed', 'plain'), default='domed')
    parser.add_argument('--rate', type=int, default=100, help='states per second [Hz]')
    parser.add_argument('--seed', type=int, default=0, help='of the measurement noise')
    parser.add_argument('--position-noise', type=float, default=0.0, help='[rad]')
    parser.add_argument('--velocity-noise', type=float, default=0.0, help='[rad/s]')
    parser.add_argument('--force-noise', type=float, default=0.0, help='[N]')
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the emulated robot until it is interrupted."""
    options, _ = _parser().parse_known_args(arguments)  # ros2 run appends --ros-args
    noise = Noise(options.position_noise, options.velocity_noise, options.force_noise)
    emulator = SawyerEmulator(
        EmulatedSawyer(options.variant, seed=options.seed, noise=noise),
        lockstep=options.clock == 'lockstep',
        host=options.host,
        master_port=options.master_port,
        control_port=options.control_port,
        rate=options.rate,
    )
    emulator.start()
    sys.stdout.write(f'ready {emulator.master.uri} control {emulator.control_port}\n')
    sys.stdout.flush()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    while not ended.wait(0.2):  # a signal that another thread received wakes nobody here
        pass
    emulator.close()


if __name__ == '__main__':
    main()
