"""Make transitions from a bag of raw topics: ``convert_bag ROBOT.yaml --bag BAG --output BAG``.

The agent's own observation, action and task code runs over the recorded sensor messages, as if a
person had sent the recorded commands. A command of type JointCommand names the measurement it
answers, so observation, reward and end come out as they would have live; for other command types
the newest measurement before the command is taken.
"""

import argparse
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
import shutil
import sys
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt

from sac_agent.config import from_file, RobotConfig, TWIST_TYPES
from sac_agent.episode.machine import Event
from sac_agent.errors import ConfigError, SensorError
from sac_agent.journal import Journal, JournalError
from sac_agent.observation.image import decode, resize
from sac_agent.observation.pairing import Pairer, Reading
from sac_agent.observation.sensors import stamp_of
from sac_agent.pilot import Pilot
from sac_agent.records import Observed, Outcome, Sample, StepRecord, Truncation
from sac_core.bag import BagError, BagReader, Definitions, RawMessage
from sac_core.bag.transitions import AGENT_SPEC, JOINT_COMMAND, TRANSITION

Array = npt.NDArray[np.float64]
USAGE = 2
KEPT = 256  # samples; a command answers one of the newest


@dataclass(frozen=True)
class Decision:
    """Command values by channel, and the sensor values they answer."""

    sample: Sample
    commands: dict[str, Array]


@dataclass
class RawBag:
    """Sensor samples and decisions in the order of a bag.

    Attributes:
        refused: Sensor messages that could not be used, and why the last one could not.
    """

    pilot: Pilot
    reader: BagReader
    namespace: str = ''
    refused: int = 0
    refusal: str = ''
    _names: dict[str, str] = field(default_factory=dict)

    def events(self) -> Iterator[Sample | Decision]:
        """Yield what happened.

        Raises:
            BagError: The bag is damaged, or a topic of the robot stands for two of the bag.
            ConfigError: A command does not fit the configuration.
        """
        config = self.pilot.config
        pairer = Pairer(config.sensors, config.timing.slop)
        samples: deque[Sample] = deque(maxlen=KEPT)
        waiting: dict[int, dict[str, Array]] = {}
        for raw in self.reader.messages():
            for name, sensor in config.sensors.items():
                if self._is(raw.topic, sensor.topic):
                    sample = self._sensor(name, raw, pairer)
                    if sample is not None:
                        samples.append(sample)
                        yield sample
            for name, channel in config.actions.items():
                if not self._is(raw.topic, channel.topic):
                    continue
                stamp, values = self._command(name, self.reader.decode(raw), raw, samples)
                commands = waiting.setdefault(stamp, {})
                commands[name] = values
                if len(commands) == len(config.actions):
                    del waiting[stamp]
                    found = [sample for sample in samples if sample.stamp == stamp]
                    if found:
                        yield Decision(found[-1], commands)

    def _is(self, topic: str, relative: str) -> bool:
        if relative.startswith('/') or self.namespace:
            wanted = relative if relative[0] == '/' else f'/{self.namespace.strip("/")}/{relative}'
            return topic == wanted
        if topic != f'/{relative}' and not topic.endswith(f'/{relative}'):
            return False
        if self._names.setdefault(relative, topic) != topic:
            raise BagError(
                f'{relative} may be {topic} or {self._names[relative]}; choose with --namespace'
            )
        return True

    def _sensor(self, name: str, raw: RawMessage, pairer: Pairer) -> Sample | None:
        message = self.reader.decode(raw)
        reader = self.pilot.readers.get(name)
        try:
            image = self.pilot.config.image
            value: Any = (
                reader.read(message) if reader else resize(decode(message), image.size, image.crop)
            )
        except (SensorError, AttributeError, TypeError, ValueError) as error:
            self.refused += 1
            self.refusal = str(error)
            return None
        stamp = stamp_of(message)
        reading = Reading(raw.stamp if stamp is None else stamp, 1e-9 * raw.stamp, value)
        found = pairer.add(name, reading)
        return None if found is None else self._sample(found)

    def _sample(self, found: Mapping[str, Reading[Any]]) -> Sample:
        parts = [found[name].value for name in self.pilot.readers]
        source = self.pilot.config.image.source
        return Sample(
            stamp=min(reading.stamp for reading in found.values()),
            received=max(reading.received for reading in found.values()),
            raw=np.concatenate(parts) if parts else np.zeros(0),
            image=found[source].value if source else None,
        )

    def _command(
        self, channel: str, message: Any, raw: RawMessage, samples: deque[Sample]
    ) -> tuple[int, Array]:
        config = self.pilot.config.actions[channel]
        newest = samples[-1].stamp if samples else 0
        if raw.type == JOINT_COMMAND:
            stamp = message.observation_stamp
            nanoseconds = int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)
            values = self.pilot.mapper.ordered(channel, message.names, message.values)
            return nanoseconds or newest, values
        if raw.type == 'trajectory_msgs/msg/JointTrajectory':
            point = message.points[-1]
            plural = {'position': 'positions', 'velocity': 'velocities', 'effort': 'effort'}
            numbers = getattr(point, plural[config.mode])
            return newest, self.pilot.mapper.ordered(channel, message.joint_names, numbers)
        if raw.type in TWIST_TYPES:
            twist = getattr(message, 'twist', message)
            parts = [name.split('.') for name in config.names]
            return newest, np.array([getattr(getattr(twist, a), b) for a, b in parts])
        values = np.array(message.data, dtype=np.float64)
        if values.size != len(config.names):
            raise ConfigError(
                f'{raw.topic} holds {values.size} values, actions.{channel} names '
                f'{len(config.names)}'
            )
        return newest, values


def records(pilot: Pilot, bag: RawBag) -> Iterator[StepRecord]:
    """Yield the steps of a raw bag.

    Raises:
        BagError: The bag is damaged, or a topic of the robot stands for two of the bag.
        ConfigError: A command does not fit the configuration.
    """
    period = round(1e9 * pilot.config.control_period)
    pilot.machine.on(Event.HUMAN_ON, 0.0)
    acted = 0  # stamp of the sample that the last command answered
    last: Sample | None = None  # nearest to one period after it

    def cut() -> Outcome:
        if last is None:
            return pilot.interrupt(Truncation.OPERATOR)
        if pilot.step + 1 < pilot.config.episode.time_limit:
            pilot.stop_after_step(Truncation.OPERATOR)
        return pilot.observe(last)

    for event in bag.events():
        if isinstance(event, Sample):
            late = event.stamp - acted
            if pilot.in_episode and period // 2 <= late:
                if last is None or abs(late - period) < abs(last.stamp - acted - period):
                    last = event
                if late > 3 * period // 2:
                    yield from _recorded(cut())
            continue
        if pilot.in_episode and event.sample.stamp > acted:
            if event.sample.stamp - acted <= 3 * period // 2:
                yield from _recorded(pilot.observe(event.sample))
            else:
                yield from _recorded(cut())
        if not pilot.in_episode:
            pilot.begin(event.sample)
        if pilot.wants_action:
            pilot.human(event.commands)
            pilot.act()
            acted, last = event.sample.stamp, None
    if pilot.in_episode:
        yield from _recorded(cut())


def _recorded(outcome: Outcome) -> Iterator[StepRecord]:
    if outcome.record is not None:
        yield outcome.record


def convert(config: RobotConfig, bags: list[Path], output: Path, namespace: str = '') -> int:
    """Write the transitions of raw bags into a new bag; return how many.

    Raises:
        BagError: A bag is damaged or holds no step, or the output exists.
        JournalError: The output cannot be a journal.
        ConfigError: Configuration and bag do not fit together.
    """
    if output.exists():
        raise BagError(f'{output} exists already; choose another output')
    bag = RawBag(Pilot(config, now=0.0), BagReader(bags), namespace)
    try:
        return _convert(bag, output)
    except BaseException:
        shutil.rmtree(output, ignore_errors=True)
        raise


def _convert(bag: RawBag, output: Path) -> int:
    pilot = bag.pilot
    agent_id = pilot.spec.agent_id
    journal = Journal(output, agent_id, replace(pilot.config.journal, sync=False))
    definitions = journal.definitions
    stamp = 0
    for record in records(pilot, bag):
        stamp = max(stamp, record.next_observation.stamp)
        if not journal.last_sequence:
            spec = definitions.new(AGENT_SPEC, **spec_fields(pilot, journal.stream_id))
            journal.write('/agent_spec', stamp, definitions.encode(spec, AGENT_SPEC))
        message = definitions.new(
            TRANSITION,
            **transition_fields(definitions, record),
            agent_id=agent_id,
            stream_id=journal.stream_id,
            sequence=journal.last_sequence + 1,
        )
        journal.write_transition(stamp, definitions.encode(message, TRANSITION))
        if journal.last_sequence % 64 == 0:
            journal.commit()
    journal.close()
    if not journal.last_sequence:
        raise BagError(
            'the bag holds no step: no command answers a complete set of sensor values'
            + (f' ({bag.refused} messages unusable: {bag.refusal})' if bag.refused else '')
        )
    return journal.last_sequence


def spec_fields(pilot: Pilot, stream_id: str) -> dict[str, Any]:
    """Return the fields of AgentSpec.msg."""
    spec = pilot.spec
    return {
        'agent_id': spec.agent_id,
        'stream_id': stream_id,
        'task': spec.task,
        'spec_hash': spec.spec_hash(),
        'control_period': spec.control_period,
        'observation_names': list(spec.observation.names),
        'image_shape': np.array(spec.observation.image_shape or (0, 0, 0), dtype=np.uint32),
        'action_names': list(spec.action_names),
        'sensor_names': list(spec.sensor_names),
        'reward_names': list(spec.reward_names),
        'config': spec.config,
    }


def transition_fields(definitions: Definitions, record: StepRecord) -> dict[str, Any]:
    """Return the fields of Transition.msg that a record knows."""
    same = (
        'episode step segment_start action sampled_action latent clipped policy_version command '
        'reward reward_terms terminated truncated evaluation observation_age command_latency '
        'deadline_missed'
    )
    first = record.segment_start
    return {
        **{name: getattr(record, name) for name in same.split()},
        'header': _header(definitions, record.next_observation.stamp),
        'source': int(record.source),
        'truncation_reason': int(record.truncation_reason),
        'observation': _observation(definitions, record.observation, with_image=first),
        'next_observation': _observation(definitions, record.next_observation, with_image=True),
    }


def _observation(definitions: Definitions, observed: Observed, *, with_image: bool) -> Any:
    image = observed.image if with_image else None
    return definitions.new(
        'sac_msgs/msg/Observation',
        stamp=_time(definitions, observed.stamp),
        vector=observed.vector,
        sensors=observed.sensors,
        image=np.zeros(0, np.uint8) if image is None else image.ravel(),
    )


def _header(definitions: Definitions, stamp: int) -> Any:
    return definitions.new('std_msgs/msg/Header', stamp=_time(definitions, stamp))


def _time(definitions: Definitions, stamp: int) -> Any:
    seconds, nanoseconds = divmod(stamp, 1_000_000_000)
    return definitions.new('builtin_interfaces/msg/Time', sec=seconds, nanosec=nanoseconds)


def main(arguments: list[str] | None = None, output: TextIO = sys.stdout) -> int:
    """Convert; return the exit code."""
    parser = argparse.ArgumentParser(prog='convert_bag', description=__doc__)
    parser.add_argument('file', type=Path, help='ROS parameter file with a sac_agent section')
    parser.add_argument('--bag', type=Path, action='append', required=True, help='may be repeated')
    parser.add_argument('--output', type=Path, required=True, help='directory of the new bag')
    parser.add_argument('--namespace', default='', help='of the robot in the bag')
    options = parser.parse_args(arguments)
    try:
        config = from_file(options.file)
        count = convert(config, options.bag, options.output, options.namespace)
    except (BagError, ConfigError, JournalError, OSError) as error:
        sys.stderr.write(f'convert_bag: {" ".join(str(error).split())}\n')
        return USAGE
    output.write(f'{count} transitions in {options.output}\n')
    return 0


def run() -> None:
    """Console script."""
    sys.exit(main())


if __name__ == '__main__':
    run()
