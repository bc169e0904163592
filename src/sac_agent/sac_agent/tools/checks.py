"""What can be wrong with a robot before its first step, free of ROS: samples in, problems out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
import os
from pathlib import Path
import shutil
from typing import Any

import numpy as np
import numpy.typing as npt

from sac_agent.config import RobotConfig
from sac_agent.errors import SensorError
from sac_agent.observation.image import decode
from sac_agent.observation.pairing import Pairer, Reading
from sac_agent.observation.sensors import normalised, SensorReader, stamp_of

Array = npt.NDArray[np.float64]

CLOCK_LIMIT = 1.0  # [s] beyond this an age is a wrong clock, not a slow robot
FUTURE_LIMIT = 0.01  # [s] clocks of two computers may differ by this
RATE_MARGIN = 0.9
TRANSITION_OVERHEAD = 700  # [bytes] of a transition besides its arrays


@dataclass(frozen=True)
class Problem:
    """One named cause.

    Attributes:
        cause: Short name, the same for the same fault, e.g. ``clock-offset``.
        text: What was found, what is expected, what to do.
    """

    cause: str
    text: str

    def __str__(self) -> str:
        """Return one line."""
        return f'{self.cause}: {self.text}'


@dataclass
class Heard:
    """What was heard on one sensor topic.

    Attributes:
        publishers: Message types of its publishers.
        best_effort: Whether a publisher is best effort.
        messages: Messages in order of arrival.
        arrivals: Arrival of each on the robot's clock [ns].
    """

    publishers: list[str] = field(default_factory=list)
    best_effort: bool = False
    messages: list[Any] = field(default_factory=list)
    arrivals: list[int] = field(default_factory=list)


def check_sensor(
    name: str, config: RobotConfig, heard: Heard, reader: SensorReader | None, duration: float
) -> list[Problem]:
    """Return the problems of one sensor that was heard for `duration` [s]."""
    sensor = config.sensors[name]
    topic = sensor.topic
    if not heard.publishers:
        return [
            Problem('topic-missing', f'nobody publishes {topic}; start the driver, check the name')
        ]
    wrong = [kind for kind in heard.publishers if normalised(kind) != normalised(sensor.type)]
    if wrong:
        return [
            Problem('type', f'{topic} is published as {wrong[0]}, the file says {sensor.type}')
        ]
    if (sensor.reliable or config.trigger == 'observation') and heard.best_effort:
        return [
            Problem(
                'qos', f'{topic} is published best effort, but asked for reliably: nothing arrives'
            )
        ]
    if not heard.messages:
        return [
            Problem('silent', f'{topic} has a publisher, but no message came in {duration:g} s')
        ]
    return [
        *_content(topic, heard, reader),
        *_rate(topic, config, heard, duration),
        *_stamps(topic, config, heard),
    ]


def _content(topic: str, heard: Heard, reader: SensorReader | None) -> list[Problem]:
    read: Callable[[Any], Any] = reader.read if reader else decode  # without a reader: an image
    for message in heard.messages:
        try:
            read(message)
        except (SensorError, AttributeError, TypeError, ValueError) as error:
            return [Problem('content', f'{topic}: {error}')]
    return []


def _rate(topic: str, config: RobotConfig, heard: Heard, duration: float) -> list[Problem]:
    if config.trigger == 'observation':
        return []  # a robot in lock-step waits for commands
    rate = len(heard.messages) / duration
    if rate < RATE_MARGIN * config.control_rate:
        return [
            Problem(
                'rate',
                f'{topic} comes at {rate:.1f} Hz, control_rate is {config.control_rate:g} Hz; '
                'raise the one or lower the other',
            )
        ]
    return []


def _stamps(topic: str, config: RobotConfig, heard: Heard) -> list[Problem]:
    if not hasattr(heard.messages[0], 'header'):
        return []
    stamps = [stamp_of(message) for message in heard.messages]
    if any(stamp is None for stamp in stamps):
        return [
            Problem('stamp-zero', f'{topic} has stamp 0; the driver has to stamp the measurement')
        ]
    known = np.array(stamps, dtype=np.int64)
    if (np.diff(known) < 0).any():
        return [Problem('stamp-order', f'{topic} has stamps that go back')]
    ages = (np.array(heard.arrivals, dtype=np.int64) - known) / 1e9
    age = float(np.median(ages))
    if age < -FUTURE_LIMIT or age > CLOCK_LIMIT:
        return [
            Problem(
                'clock-offset',
                f'{topic} is stamped {abs(age):.3f} s in the {"past" if age > 0 else "future"}; '
                'synchronise the clocks (chrony), or set use_sim_time alike everywhere',
            )
        ]
    if age > config.control_period:
        return [
            Problem(
                'latency',
                f'{topic} is {1e3 * age:.1f} ms old on arrival, a control period is '
                f'{1e3 * config.control_period:.1f} ms',
            )
        ]
    return []


def check_command_topic(
    topic: str, type_name: str, subscribers: Sequence[str], publishers: Sequence[str]
) -> list[Problem]:
    """Return the problems of a command topic.

    Args:
        topic: Its name.
        type_name: Message type that will be sent.
        subscribers: Types that are subscribed.
        publishers: Nodes that publish on it already.
    """
    problems = []
    if not subscribers:
        problems.append(
            Problem(
                'command-missing', f'nobody listens to {topic}; start the driver, check the name'
            )
        )
    wrong = [kind for kind in subscribers if normalised(kind) != normalised(type_name)]
    if wrong:
        problems.append(
            Problem(
                'command-type', f'{topic} is expected as {wrong[0]}, the file says {type_name}'
            )
        )
    if publishers:
        problems.append(
            Problem(
                'command-conflict',
                f'{", ".join(sorted(set(publishers)))} already commands {topic}; stop it first',
            )
        )
    return problems


def check_sets(
    sensors: Mapping[str, Heard], slop: float, rate: float, duration: float
) -> list[Problem]:
    """Return whether messages of all sensors come close enough together to be used as a set.

    Args:
        sensors: What was heard, by name.
        slop: Largest spread of the stamps in a set [s].
        rate: Sets that are needed per second.
        duration: Of listening [s].
    """
    if len(sensors) < 2:
        return []
    pairer = Pairer(sensors, slop)
    arrived = sorted(
        (arrival, name, stamp_of(message) or arrival)
        for name, heard in sensors.items()
        for message, arrival in zip(heard.messages, heard.arrivals, strict=True)
    )
    sets = sum(
        pairer.add(name, Reading(stamp, 1e-9 * arrival, None)) is not None
        for arrival, name, stamp in arrived
    )
    if sets >= RATE_MARGIN * rate * duration:
        return []
    return [
        Problem(
            'sets',
            f'{", ".join(sensors)} come within {slop:g} s of each other {sets / duration:.1f} '
            f'times a second, control_rate is {rate:g} Hz; raise timing.slop, or the rate of the '
            'slowest',
        )
    ]


def check_service(name: str, wanted: str, offered: Mapping[str, Sequence[str]]) -> list[Problem]:
    """Return what is wrong with a service.

    Args:
        name: Its name.
        wanted: Type that will be called.
        offered: Types of all services by name.
    """
    if name not in offered:
        return [
            Problem(
                'service-missing',
                f'nobody offers {name}; start the driver, or set episode.reset_service to ""',
            )
        ]
    if wanted not in offered[name]:
        return [
            Problem(
                'service-type',
                f'{name} is a {", ".join(offered[name])}, the file says {wanted}; see '
                'episode.reset_type',
            )
        ]
    return []


def transition_bytes(config: RobotConfig, vector: int, sensors: int, actions: int) -> int:
    """Return about how large a transition is in the bag."""
    image = 3 * config.image.size**2 if config.image.source else 0
    return TRANSITION_OVERHEAD + 2 * (4 * vector + 8 * sensors) + image + 30 * actions


def replay_bytes(config: RobotConfig, vector: int, actions: int) -> int:
    """Return about how large a transition is in a replay that stores every frame once."""
    image = 3 * config.image.size**2 if config.image.source else 0
    return 40 + 4 * (vector + actions) + image


def check_disk(path: Path, needed: float, hours: float) -> list[Problem]:
    """Return whether `needed` bytes of `hours` fit on the disk under `path`."""
    existing = path
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    if needed > free:
        return [
            Problem(
                'disk',
                f'{hours:g} h record about {needed / 1e9:.1f} GB, {path} has room for '
                f'{free / 1e9:.1f} GB; make room, or set journal.max_bytes',
            )
        ]
    if not os.access(existing, os.W_OK):
        return [Problem('disk', f'{existing} cannot be written')]
    return []


def check_memory(needed: float, available: float) -> list[Problem]:
    """Return whether the learner's replay fits into the memory of this computer [bytes]."""
    if needed > available:
        return [
            Problem(
                'memory',
                f'a full replay takes about {needed / 1e9:.1f} GB, {available / 1e9:.1f} GB are '
                'available; lower its capacity or the image size',
            )
        ]
    return []


def available_memory() -> float:
    """Return the memory that can be had without swapping [bytes]."""
    for line in Path('/proc/meminfo').read_text(encoding='ascii').splitlines():
        if line.startswith('MemAvailable:'):
            return 1024.0 * int(line.split()[1])
    return float('inf')
