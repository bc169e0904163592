"""What can be wrong with a robot before its first step, free of ROS: samples in, problems out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
import os
from pathlib import Path
import shutil
from typing import Any

import numpy as np
import numpy.typing as npt

from sac_agent.config import RobotConfig
from sac_agent.errors import SensorError
from sac_agent.sensors import normalised, SensorReader, stamp_of

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
    if reader is None:
        return []
    for message in heard.messages:
        try:
            reader.read(message)
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


def check_position(
    names: Sequence[str], position: Array, low: Array, high: Array, slack: float = 0.05
) -> list[Problem]:
    """Return the joints that stand outside their limits by more than `slack` of the range."""
    problems = []
    margin = slack * (high - low)
    for i, name in enumerate(names):
        if not low[i] - margin[i] <= position[i] <= high[i] + margin[i]:
            problems.append(
                Problem(
                    'limit',
                    f'{name} stands at {position[i]:.3f}, outside its limits [{low[i]:.3f}, '
                    f'{high[i]:.3f}]; check zero, unit and sign, or move it by hand',
                )
            )
    return problems


@dataclass(frozen=True)
class Nudge:
    """What one joint did when it was asked to move a little.

    Attributes:
        joint: Index of the joint.
        asked: Change of its target.
        moved: Change of every joint's position, (J,).
        delay: Command to first visible motion [s], NaN if none was seen.
    """

    joint: int
    asked: float
    moved: Array
    delay: float


def check_nudge(names: Sequence[str], nudge: Nudge, period: float) -> list[Problem]:
    """Return what was wrong with the answer of a joint."""
    name, asked = names[nudge.joint], nudge.asked
    moved = nudge.moved[nudge.joint]
    others = np.abs(np.delete(nudge.moved, nudge.joint))
    if abs(moved) < 0.2 * abs(asked):
        if others.size and others.max() > 0.5 * abs(asked):
            index = int(np.argmax(np.where(np.arange(len(names)) == nudge.joint, 0.0,
                                           np.abs(nudge.moved))))  # fmt: skip
            return [
                Problem(
                    'joint-swapped', f'{name} was commanded, {names[index]} moved; check the order'
                )
            ]
        return [
            Problem(
                'no-motion',
                f'{name} was asked to move by {asked:.4f} and moved by {moved:.4f}; is the driver '
                'active, are the motors on, is it blocked?',
            )
        ]
    if moved * asked < 0:
        return [
            Problem(
                'sign',
                f'{name} was asked to move by {asked:.4f} and moved by {moved:.4f}: the wrong way',
            )
        ]
    if abs(moved) > 2.5 * abs(asked):
        return [
            Problem(
                'gain',
                f'{name} was asked to move by {asked:.4f} and moved by {moved:.4f}; check '
                'the unit',
            )
        ]
    if nudge.delay > 3 * period:
        return [
            Problem(
                'latency',
                f'{name} began to move {1e3 * nudge.delay:.0f} ms after the command, more than '
                f'three control periods ({1e3 * period:.0f} ms)',
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
