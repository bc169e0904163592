"""Sensor samples and commands in a bag of raw topics, in their order."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sac_agent.config import TWIST_TYPES
from sac_agent.errors import ConfigError, SensorError
from sac_agent.observation.image import decode, resize
from sac_agent.observation.pairing import Pairer, Reading
from sac_agent.observation.sensors import stamp_of
from sac_agent.pilot import Pilot
from sac_agent.records import Sample
from sac_core.bag import BagError, BagReader, RawMessage
from sac_core.bag.transitions import JOINT_COMMAND

Array = npt.NDArray[np.float64]
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
