"""Check a robot before its first step: ``preflight ROBOT.yaml [--yes] [--namespace NS]``.

Listens to every sensor topic, looks who listens to the commands, then (after a question, or with
--yes) moves each joint a little and watches what happens. Each problem is one line that begins
with its cause; exit code 1 if there is any, 2 if the file itself is wrong.
"""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
import sys
import time
from typing import Any, TextIO

import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSReliabilityPolicy

from sac_agent.action.mapper import position_source
from sac_agent.config import ActionConfig, from_file, nodes, RobotConfig, section
from sac_agent.errors import ConfigError
from sac_agent.observation.builder import spread
from sac_agent.observation.sensors import JOINT_STATE, normalised
from sac_agent.pilot import Pilot
from sac_agent.tasks.task import try_task
from sac_agent.tools import checks
from sac_agent.tools.checks import Array, Heard, Problem
from sac_agent.tools.motion_checks import check_nudge, check_position
from sac_agent.tools.nudge import Nudger, WARNING
from sac_core import qos

PROBLEMS, USAGE = 1, 2
DISCOVERY = 5.0  # [s] for topics to be found
LEARNER, CAPACITY = 'sac_learner', 1_000_000  # of the replay, unless the file says another one


class Preflight:
    """One robot under examination."""

    def __init__(self, node: Node, config: RobotConfig, duration: float) -> None:
        """Subscribe to all sensors.

        Raises:
            ConfigError: The configuration does not fit together.
        """
        self._node = node
        self._config = config
        self._duration = duration
        self._pilot = Pilot(config, now=0.0)
        self._heard = {name: Heard() for name in config.sensors}
        self._latest: dict[str, Any] = {}
        for name, sensor in config.sensors.items():
            node.create_subscription(
                message_type(sensor.type),
                sensor.topic,
                lambda message, name=name: self._on_message(name, message),
                qos.STATE_PUBLISHER
                if sensor.reliable or config.trigger == 'observation'
                else qos.STATE,
            )

    def sensors(self) -> list[Problem]:
        """Listen, and return what is wrong with the sensors."""
        self._spin(DISCOVERY, until=lambda: all(h.messages for h in self._heard.values()))
        for heard in self._heard.values():
            heard.messages.clear()
            heard.arrivals.clear()
        self._spin(self._duration)
        problems = []
        for name, heard in self._heard.items():
            topic = self._node.resolve_topic_name(self._config.sensors[name].topic)
            infos = self._node.get_publishers_info_by_topic(topic)
            heard.publishers = [info.topic_type for info in infos]
            heard.best_effort = any(
                info.qos_profile.reliability == QoSReliabilityPolicy.BEST_EFFORT for info in infos
            )
            problems += checks.check_sensor(
                name, self._config, heard, self._pilot.readers.get(name), self._duration
            )
        if not problems and self._config.trigger == 'timer':
            problems = checks.check_sets(
                self._heard,
                self._config.timing.slop,
                self._config.control_rate,
                self._duration,
            )
        return problems

    def commands(self) -> list[Problem]:
        """Return what is wrong with command topics and services."""
        problems = []
        for channel in self._config.actions.values():
            topic = self._node.resolve_topic_name(channel.topic)
            problems += checks.check_command_topic(
                channel.topic,
                channel.type,
                [info.topic_type for info in self._node.get_subscriptions_info_by_topic(topic)],
                [info.node_name for info in self._node.get_publishers_info_by_topic(topic)],
            )
        episode = self._config.episode
        if episode.reset_service:
            problems += checks.check_service(
                self._node.resolve_service_name(episode.reset_service),
                episode.reset_type,
                dict(self._node.get_service_names_and_types()),
            )
        return problems

    def limits(self) -> list[Problem]:
        """Return the joints that stand outside their limits."""
        problems = []
        for channel in self._config.actions.values():
            position = self._position(channel)
            if channel.mode == 'position' and position is not None:
                low, high = _limits(channel)
                problems += check_position(channel.names, position, low, high)
        return problems

    @property
    def movable(self) -> dict[str, ActionConfig]:
        """Channels whose joints can be watched while they move."""
        return {
            name: channel
            for name, channel in self._config.actions.items()
            if self._position(channel) is not None
        }

    def nudge(self) -> list[Problem]:
        """Move every joint that can be watched a little, and return what is wrong."""
        period = self._config.control_period
        nudger = Nudger(self._node, period, self._position, self._spin)
        problems = []
        for name, channel in self.movable.items():
            for answer in nudger.channel(name, channel, DISCOVERY):
                problems += check_nudge(channel.names, answer, period)
        return problems

    def resources(self, run_dir: Path, hours: float, capacity: int) -> list[Problem]:
        """Return whether disk and memory will do."""
        spec = self._pilot.spec
        size = checks.transition_bytes(
            self._config, spec.observation.vector_size, len(spec.sensor_names), spec.action_size
        )
        recorded = size * self._config.control_rate * 3600.0 * hours
        if self._config.journal.max_bytes:
            recorded = min(recorded, self._config.journal.max_bytes)
        kept = capacity * checks.replay_bytes(
            self._config, spec.observation.vector_size, spec.action_size
        )
        return [
            *checks.check_disk(run_dir, recorded, hours),
            *checks.check_memory(float(kept), checks.available_memory()),
        ]

    def _position(self, channel: ActionConfig) -> Array | None:
        name, _, field = position_source(channel, self._pilot.layout).partition('.')
        sensor = self._config.sensors.get(name)
        message = self._latest.get(name)
        if sensor is None or message is None or normalised(sensor.type) != JOINT_STATE:
            return None
        values = dict(zip(message.name, getattr(message, field), strict=False))
        if any(joint not in values for joint in channel.names):
            return None
        return np.array([values[joint] for joint in channel.names], dtype=np.float64)

    def _on_message(self, name: str, message: Any) -> None:
        self._heard[name].messages.append(message)
        self._heard[name].arrivals.append(self._node.get_clock().now().nanoseconds)
        self._latest[name] = message

    def _spin(self, duration: float, until: Any = None) -> None:
        end = time.monotonic() + duration
        while time.monotonic() < end and not (until is not None and until()):
            rclpy.spin_once(self._node, timeout_sec=max(0.0, min(0.05, end - time.monotonic())))


def message_type(name: str) -> Any:
    """Return the class of a message type.

    Raises:
        ConfigError: Its package is not installed or has no such message.
    """
    package, _, short = normalised(name).split('/')
    try:
        return getattr(import_module(f'{package}.msg'), short)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f'message type {name} cannot be imported: {error}') from error


def _limits(channel: ActionConfig) -> tuple[Array, Array]:
    size = len(channel.names)
    return spread(channel.low, size, 'low'), spread(channel.high, size, 'high')


def examine(
    node: Node, config: RobotConfig, options: argparse.Namespace, output: TextIO
) -> list[Problem]:
    """Run all checks, in the order in which one makes sense after the other."""
    preflight = Preflight(node, config, options.duration)
    problems = preflight.sensors()
    problems += preflight.commands()
    problems += preflight.limits()
    problems += preflight.resources(options.run_dir, options.hours, capacity(options))
    movable = preflight.movable
    if problems:
        output.write('joints are not moved, as something is wrong already\n')
    elif options.no_motion:
        output.write('joints are not moved, as asked\n')
    elif not movable:
        output.write('joints are not moved, as no sensor tells where they are (actions.*.state)\n')
    elif options.yes or _agreed(movable, output):
        problems += preflight.nudge()
    else:
        output.write('joints are not moved\n')
    return problems


def _agreed(movable: Mapping[str, ActionConfig], output: TextIO) -> bool:
    for channel in movable.values():
        output.write(f'{", ".join(channel.names)}: each {WARNING[channel.mode]}.\n')
    output.write('Is everybody clear of the robot? [y/N] ')
    output.flush()
    return sys.stdin.readline().strip().lower() in ('y', 'yes')


def capacity(options: argparse.Namespace) -> int:
    """Return how many transitions the replay will hold: as asked, or as the file says."""
    if options.capacity:
        return int(options.capacity)
    found = CAPACITY
    for file in (options.file, *options.others):
        if LEARNER in nodes(file):
            found = section(file, LEARNER).get('replay_capacity', found)
    return int(found)


def main(arguments: list[str] | None = None, output: TextIO = sys.stdout) -> int:
    """Check; return the exit code."""
    parser = argparse.ArgumentParser(prog='preflight', description=__doc__)
    parser.add_argument('file', type=Path, help='ROS parameter file with a sac_agent section')
    parser.add_argument('others', type=Path, nargs='*', help='further files, whose values win')
    parser.add_argument('--task', default='', help='task instead of the one in the file')
    parser.add_argument('--namespace', default='', help='of the robot')
    parser.add_argument('--yes', action='store_true', help='move the joints without asking')
    parser.add_argument('--no-motion', action='store_true', help='do not move the joints')
    parser.add_argument('--duration', type=float, default=3.0, help='time to listen [s]')
    parser.add_argument('--sim-time', action='store_true', help='the robot lives in /clock')
    parser.add_argument('--run-dir', type=Path, default=Path(), help='where the run will be')
    parser.add_argument('--hours', type=float, default=8.0, help='of recording')
    parser.add_argument(
        '--capacity',
        type=int,
        default=0,
        help='transitions of the replay; default: as in the file',
    )
    options = parser.parse_intermixed_args(arguments)
    try:
        config = from_file(options.file, *options.others)
        if options.task:
            config = replace(config, task=options.task)
        pilot = Pilot(config, now=0.0)
        try_task(pilot.task, pilot.mapper.size)
        for sensor in config.sensors.values():
            message_type(sensor.type)
    except ConfigError as error:
        sys.stderr.write(f'preflight: configuration: {" ".join(str(error).split())}\n')
        return USAGE
    with rclpy.init(args=[]):
        node = Node(
            'preflight',
            namespace=options.namespace,
            parameter_overrides=[Parameter('use_sim_time', value=options.sim_time)],
        )
        problems = examine(node, config, options, output)
        node.destroy_node()
    for problem in problems:
        output.write(f'{problem}\n')
    if not problems:
        output.write('no problem found\n')
    return PROBLEMS if problems else 0


def run() -> None:
    """Console script."""
    sys.exit(main())


if __name__ == '__main__':
    run()
