"""Sensor messages in, complete samples out."""

from collections.abc import Callable, Mapping
from importlib import import_module
import time
from typing import Any

import numpy as np
from rclpy.node import Node

from sac_agent.config import RobotConfig
from sac_agent.errors import ConfigError, SensorError
from sac_agent.observation.image import decode, resize
from sac_agent.observation.pairing import Pairer, Reading
from sac_agent.observation.sensors import normalised, SensorReader, stamp_of
from sac_agent.records import Sample
from sac_core import qos


class SensorInput:
    """Subscribes every sensor, reads its messages and pairs them by stamp.

    Attributes:
        errors: Messages that could not be used.
        latest: Newest complete sample, or None.
    """

    def __init__(
        self,
        node: Node,
        config: RobotConfig,
        readers: Mapping[str, SensorReader],
        *,
        on_sample: Callable[[Sample], None],
    ) -> None:
        """Open the topics.

        Args:
            node: Owner.
            config: Of the robot.
            readers: Of numeric sensors, by name, in the order of the sample.
            on_sample: Called with every complete sample.

        Raises:
            ConfigError: A message type is not installed.
        """
        self._node, self._config, self._readers = node, config, readers
        self._on_sample = on_sample
        self._pairer = Pairer(config.sensors, config.timing.slop)
        self.errors = 0
        self.latest: Sample | None = None
        lockstep = config.trigger == 'observation'
        for name, sensor in config.sensors.items():
            node.create_subscription(
                message_type(sensor.type),
                sensor.topic,
                lambda message, name=name: self._on_message(name, message),
                qos.STATE_PUBLISHER if lockstep or sensor.reliable else qos.STATE,
            )

    def silent(self, now: float) -> list[str]:
        """Return the sensors that are stale at monotonic time `now` [s]."""
        return self._pairer.silent(now, self._config.timing.stale_timeout)

    def _on_message(self, name: str, message: Any) -> None:
        received = time.monotonic()
        stamp = stamp_of(message)
        if stamp is None:
            stamp = self._node.get_clock().now().nanoseconds
        try:
            reader = self._readers.get(name)
            value = reader.read(message) if reader else self._image(message)
        except (SensorError, AttributeError, TypeError, ValueError) as error:
            self.errors += 1
            self._node.get_logger().warning(
                f'message on {self._config.sensors[name].topic} is not used: {error}',
                throttle_duration_sec=5.0,
            )
            return
        found = self._pairer.add(name, Reading(stamp, received, value))
        if found is not None:
            self.latest = self._sample(found)
            self._on_sample(self.latest)

    def _image(self, message: Any) -> Any:
        image = self._config.image
        return resize(decode(message), image.size, image.crop)

    def _sample(self, readings: Mapping[str, Reading[Any]]) -> Sample:
        parts = [readings[name].value for name in self._readers]
        image = self._config.image.source
        return Sample(
            stamp=min(reading.stamp for reading in readings.values()),
            received=max(reading.received for reading in readings.values()),
            raw=np.concatenate(parts) if parts else np.zeros(0),
            image=readings[image].value if image else None,
        )


def message_type(name: str) -> type[Any]:
    """Return the class of a message type.

    Raises:
        ConfigError: It is not installed.
    """
    package, _, message = normalised(name).split('/')
    try:
        return getattr(import_module(f'{package}.msg'), message)  # type: ignore[no-any-return]
    except (ImportError, AttributeError) as error:
        raise ConfigError(f'message type {name!r} is not installed: {error}') from None
