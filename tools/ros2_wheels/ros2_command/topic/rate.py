"""``ros2 topic hz`` and ``bw``: how often messages come, and how large they are."""

import argparse
from collections import deque
import itertools
import math
import time
from typing import Any

from .. import messages, qos
from ..graph import absolute, add_spin_time, hidden_node
from .common import publishers_of, spin_until, type_of

DEPTH = 1000  # deep enough that a busy machine loses no message, which would falsify the rate


class Arrivals:
    """When the newest messages came, and their sizes."""

    def __init__(self, window: int) -> None:
        """Keep the newest ``window`` of them."""
        self._times: deque[float] = deque(maxlen=window)
        self._sizes: deque[int] = deque(maxlen=window)
        self.total = 0

    def add(self, now: float, size: int) -> None:
        """Note one message that came at the time ``now`` [s] with ``size`` bytes."""
        self._times.append(now)
        self._sizes.append(size)
        self.total += 1

    def rate_report(self) -> str | None:
        """Return the lines of ``hz``, or None before the second message."""
        times = list(self._times)
        if len(times) < 2:
            return None
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        mean = sum(gaps) / len(gaps)
        deviation = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
        return (
            f'average rate: {1.0 / mean if mean > 0 else math.inf:.3f}\n'
            f'\tmin: {min(gaps):.3f}s max: {max(gaps):.3f}s std dev: {deviation:.5f}s '
            f'window: {len(gaps)}'
        )

    def bandwidth_report(self, now: float) -> str | None:
        """Return the lines of ``bw``, or None before the second message."""
        if len(self._times) < 2:
            return None
        sizes = list(self._sizes)
        rate = sum(sizes) / (now - self._times[0])
        mean, low, high = sum(sizes) / len(sizes), min(sizes), max(sizes)
        return (
            f'{_bytes(rate)}/s from {len(sizes)} messages\n'
            f'\tMessage size mean: {_bytes(mean)} min: {_bytes(low)} max: {_bytes(high)}'
        )


def configure(verbs: Any) -> None:
    """Describe the command line."""
    for name, summary in (
        ('hz', 'print the rate of a topic'),
        ('bw', 'print the bandwidth of a topic'),
    ):
        verb = verbs.add_parser(name, help=summary)
        verb.add_argument('topic_name')
        verb.add_argument(
            '-w', '--window', type=int, default=10000, help='messages to average over'
        )
        verb.add_argument('--wall-time', action='store_true', help='is always so here')
        add_spin_time(verb)
        qos.add_options(verb)
        verb.set_defaults(function=run, verb=name)


def run(options: argparse.Namespace) -> None:
    """Print a report every second until interrupted."""
    topic = absolute(options.topic_name)
    arrivals = Arrivals(max(2, options.window))
    reported, reported_total = time.monotonic(), 0

    def on_message(raw: bytes) -> None:
        arrivals.add(time.monotonic(), len(raw))

    def report() -> bool:
        nonlocal reported, reported_total
        now = time.monotonic()
        if now - reported < 1.0:
            return False
        if arrivals.total == reported_total:
            if arrivals.total:
                print('no new messages', flush=True)
        else:
            text = (
                arrivals.rate_report() if options.verb == 'hz' else arrivals.bandwidth_report(now)
            )
            if text:
                print(text, flush=True)
        reported, reported_total = now, arrivals.total
        return False

    with hidden_node(options) as node:
        message_type = messages.load(type_of(node, topic, None, patient=True))
        # Volatile, since kept messages would come in one burst.
        options.qos_durability = options.qos_durability or 'volatile'
        profile = qos.for_subscription(options, publishers_of(node, topic), depth=DEPTH)
        node.create_subscription(message_type, topic, on_message, profile, raw=True)
        spin_until(node, report)


def _bytes(count: float) -> str:
    for unit in ('B', 'KB', 'MB'):
        if count < 1000:
            return f'{count:.2f} {unit}'
        count /= 1000
    return f'{count:.2f} GB'
