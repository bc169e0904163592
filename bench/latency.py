"""From observation to command: the agent node at 100 Hz, alone and beside a learner at full load.

    ./ros2w exec python bench/latency.py

A robot that is nothing but topics shows its state a hundred times a second and waits for the
answer. Two times are taken of every step: `agent`, the agent's own account from sensor message to
command (command_latency of the transition), and `robot`, from the state that was published to the
command that arrived, with the middleware both ways. The agent journals. The learner makes
updates with as many threads as there are processors; conditions take turns, so that drift of the
machine meets all.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
import subprocess
import sys
import tempfile
import time

from ament_index_python.packages import get_package_prefix, get_package_share_directory
import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from sac_msgs.msg import AgentSpec, JointCommand, LearnerStatus, PolicyWeights, Transition
from sac_msgs.srv import ResetRobot
from sensor_msgs.msg import JointState

from sac_core import qos
from sac_core.convert import floats64, octets, time_msg
from sac_core.policy_format import Architecture, checksum, layout, pack

JOINTS = [f'{f}{n}' for f, k in (('FFJ', 10), ('MFJ', 20), ('THJ', 30)) for n in range(k, k + 3)]
RATE = 100.0  # [Hz]
DOMAIN = '95'
LEARN = """
from itertools import cycle
import sys, time
import numpy as np
from sac_learner.node.priority import give_way
from sac_learner.sac import Batch, Sac, SacConfig
from sac_learner.sac.batch import READ
give_way(int(sys.argv[1]))
n = 256
rng = np.random.default_rng(0)
f = lambda *shape: rng.standard_normal(shape, dtype=np.float32)
learner = Sac(43, None, 9, SacConfig(), seed=0, threads=int(sys.argv[2]))
batches = cycle([
    Batch(vector=f(n, 43), action=np.tanh(f(n, 9)), reward=f(n), next_vector=f(n, 43),
          discount=np.full(n, 0.99, np.float32))
    for _ in range(READ + 1)
])
while True:
    learner.update(batches.__next__, 8)
"""


class Robot:
    """State out, command in, at the pace of a clock; and a learner that allows everything."""

    def __init__(self) -> None:
        """Open the topics."""
        self.node = rclpy.create_node('robot')
        self.round_trips: list[float] = []
        self.agent: list[float] = []
        self._time = 0
        self._sent = self._due = 0.0
        self._waiting = False
        self._position = np.zeros(10)
        create = self.node.create_publisher
        self._states = create(JointState, '/dclaw/joint_states', qos.STATE_PUBLISHER)
        self._status = create(LearnerStatus, '/learner_status', qos.STATUS)
        self._policy = create(PolicyWeights, '/policy', qos.LATCHED)
        listen = self.node.create_subscription
        listen(JointCommand, '/dclaw/joint_command', self._on_command, qos.COMMAND)
        listen(Transition, '/transition', self._on_transition, qos.EXPERIENCE)
        listen(AgentSpec, '/agent_spec', self._on_spec, qos.LATCHED)
        self.node.create_service(ResetRobot, '/dclaw/driver/reset', self._on_reset)
        self.node.create_timer(0.05, self._tell)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)

    def spin(self, seconds: float) -> None:
        """Live for some time."""
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            wait = self._due - now if self._waiting else 0.05
            if self._waiting and wait <= 0.0:
                self._waiting = False
                self._show()
            else:
                self._executor.spin_once(timeout_sec=min(max(wait, 0.0), end - now))

    def _show(self) -> None:
        self._time += round(1e9 / RATE)
        message = JointState(
            name=[*JOINTS, 'valve_joint'],
            position=floats64(self._position),
            velocity=floats64(np.zeros(10)),
        )
        message.header.stamp = time_msg(self._time)
        self._sent = time.monotonic()
        self._states.publish(message)

    def _on_command(self, message: JointCommand) -> None:
        now = time.monotonic()
        self.round_trips.append(now - self._sent)
        self._position[:9] = message.values
        self._due = max(self._due + 1.0 / RATE, now)
        self._waiting = True

    def _on_transition(self, message: Transition) -> None:
        if self._acknowledge and message.sequence <= self._acknowledge[2]:
            return  # sent again
        if message.policy_version:
            self.agent.append(message.command_latency)
        self._acknowledge = (message.agent_id, message.stream_id, message.sequence)

    _acknowledge: tuple[str, str, int] | None = None

    def _on_reset(
        self, request: ResetRobot.Request, response: ResetRobot.Response
    ) -> ResetRobot.Response:
        del request
        self._show()
        response.success = True
        return response

    def _on_spec(self, message: AgentSpec) -> None:
        size = len(message.observation_names)
        architecture = Architecture(
            vector_size=size, image_shape=None, action_size=len(message.action_names)
        )
        rng = np.random.default_rng(0)
        arrays = {n: 0.05 * rng.standard_normal(s) for n, s in layout(architecture)}
        arrays['observation.std'] = np.ones(size)
        data = pack(arrays, architecture)
        self._policy.publish(
            PolicyWeights(
                learner_id='bench',
                version=1,
                spec_hash=message.spec_hash,
                architecture=architecture.to_json(),
                crc32=checksum(data),
                data=octets(data),
            )
        )

    def _tell(self) -> None:
        from sac_msgs.msg import TransitionAck

        status = LearnerStatus(learner_id='bench', state=2, transition_budget=2**62)
        if self._acknowledge:
            agent, stream, number = self._acknowledge
            ack = TransitionAck(agent_id=agent, stream_id=stream, received=number, durable=number)
            status.acks = [ack]
        self._status.publish(status)


def start_agent(directory: Path) -> subprocess.Popen[bytes]:
    """Start the agent node as a launch file does."""
    config = Path(get_package_share_directory('sac_agent')) / 'config' / 'dclaw_valve.yaml'
    program = Path(get_package_prefix('sac_agent')) / 'lib' / 'sac_agent' / 'sac_agent'
    parameters = [
        f'run_dir:={directory / "run"}', 'trigger:=observation', f'control_rate:={RATE}',
        'warmup.steps:=50', 'episode.time_limit:=100000', 'evaluation.every:=0',
    ]  # fmt: skip
    topics = ('transition', 'agent_spec', 'agent_status', 'episode', 'policy', 'learner_status')
    return subprocess.Popen(
        [
            str(program), '--ros-args', '-r', '__ns:=/dclaw', '--params-file', str(config),
            *(word for value in parameters for word in ('-p', value)),
            *(word for topic in topics for word in ('-r', f'{topic}:=/{topic}')),
        ],
        stdin=subprocess.DEVNULL,
        stdout=(directory / 'agent.log').open('ab'),
        stderr=subprocess.STDOUT,
    )  # fmt: skip


def main() -> int:
    """Measure, print one table, return 0 if the bounds hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n')[0])
    parser.add_argument('--seconds', type=float, default=10.0, help='of each slice')
    parser.add_argument('--slices', type=int, default=3, help='of each condition')
    parser.add_argument('--nice', nargs='+', type=int, default=[0, 5], help='of the learner')
    parser.add_argument('--threads', type=int, default=os.cpu_count(), help='of the learner')
    options = parser.parse_args()
    os.environ |= {'ROS_DOMAIN_ID': DOMAIN, 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'}
    os.environ.pop('OMP_NUM_THREADS', None)
    rclpy.init()
    print(f'load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, {RATE:g} Hz')
    conditions: list[int | None] = [None, *options.nice]
    agent: dict[int | None, list[float]] = {c: [] for c in conditions}
    trips: dict[int | None, list[float]] = {c: [] for c in conditions}
    with tempfile.TemporaryDirectory(prefix='latency-') as directory:
        process = start_agent(Path(directory))
        try:
            robot = Robot()
            robot.spin(8.0)
            for _ in range(options.slices):
                for condition in conditions:
                    learner = _learner(condition, options.threads)
                    robot.spin(3.0)
                    robot.agent.clear()
                    robot.round_trips.clear()
                    robot.spin(options.seconds)
                    agent[condition] += robot.agent
                    trips[condition] += robot.round_trips
                    if learner:
                        learner.kill()
                        learner.wait()
        finally:
            process.terminate()
            process.wait()
    return _print(agent, trips)


def _learner(nice: int | None, threads: int) -> subprocess.Popen[bytes] | None:
    if nice is None:
        return None
    return subprocess.Popen([sys.executable, '-c', LEARN, str(nice), str(threads)])


def _print(agent: dict[int | None, list[float]], trips: dict[int | None, list[float]]) -> int:
    print(f'{"learner":16} {"steps":>6}  {"agent p50, p99, max [ms]":26} robot p50, p99, max [ms]')
    p99 = {}
    for condition, latencies in agent.items():
        columns = []
        for values in (latencies, trips[condition]):
            milliseconds = 1e3 * np.asarray(values or [np.nan])
            middle, high = np.percentile(milliseconds, [50, 99])
            columns.append(f'{middle:6.2f} {high:7.2f} {milliseconds.max():7.2f}')
            if values is latencies:
                p99[condition] = high
        name = 'none' if condition is None else f'nice {condition}'
        print(f'{name:16} {len(latencies):6}  {columns[0]:26} {columns[1]}')
    last = list(p99.values())[-1]
    bound = 0.1 * 1e3 / RATE
    good = last <= 2.0 * p99[None] and last <= bound
    print(
        f'p99 beside the learner {last:.2f} ms: {last / p99[None]:.2f} x idle (at most 2), '
        f'{100 * last * RATE / 1e3:.1f} % of the period (at most 10)'
    )
    return 0 if good else 1


if __name__ == '__main__':
    sys.exit(main())
