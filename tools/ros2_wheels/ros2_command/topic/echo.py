"""``ros2 topic echo``: the messages of a topic as YAML."""

import argparse
import time
from typing import Any

from .. import messages, qos
from ..errors import CommandError
from ..graph import absolute, add_spin_time, hidden_node
from .common import publishers_of, spin_until, type_of

TRUNCATE = 128


def configure(verbs: Any) -> None:
    """Describe the command line."""
    verb = verbs.add_parser('echo', help='print the messages of a topic')
    verb.add_argument('topic_name')
    verb.add_argument('message_type', nargs='?', help='its type, if nobody publishes it yet')
    verb.add_argument('--once', action='store_true', help='print one message and end')
    verb.add_argument('--timeout', type=float, help='end without a message after this time [s]')
    verb.add_argument('--field', help='print one field only, e.g. header.stamp or position[0]')
    verb.add_argument('-f', '--full-length', action='store_true', help='do not shorten anything')
    verb.add_argument(
        '-l', '--truncate-length', type=int, default=TRUNCATE, help='elements to print'
    )
    verb.add_argument('--no-arr', action='store_true', help='do not print arrays')
    verb.add_argument('--no-str', action='store_true', help='do not print texts')
    verb.add_argument('--csv', action='store_true', help='print one line of values per message')
    add_spin_time(verb)
    qos.add_options(verb)
    verb.set_defaults(function=run)


def run(options: argparse.Namespace) -> None:
    """Print messages until there are enough.

    Raises:
        CommandError: None came in time.
    """
    topic = absolute(options.topic_name)
    shortening = {
        'truncate': None if options.full_length else options.truncate_length,
        'no_arr': options.no_arr,
        'no_str': options.no_str,
    }
    seen = 0

    def show(message: Any) -> None:
        nonlocal seen
        if options.once and seen:
            return
        seen += 1
        value = (
            messages.field(message, options.field, **shortening)
            if options.field
            else messages.to_dict(message, **shortening)
        )
        if options.csv:
            print(','.join(str(item) for item in _leaves(value)), flush=True)
        else:
            text = messages.to_yaml(value) if isinstance(value, dict | list) else value
            print(f'{text}\n---', flush=True)

    with hidden_node(options) as node:
        message_type = messages.load(type_of(node, topic, options.message_type))
        profile = qos.for_subscription(options, publishers_of(node, topic))
        node.create_subscription(message_type, topic, show, profile)
        end = time.monotonic() + (options.timeout or float('inf'))
        spin_until(
            node, lambda: (options.once and seen > 0) or (not seen and time.monotonic() > end)
        )
    if options.timeout and not seen:
        raise CommandError(f'no message on {topic} within {options.timeout} s')


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value]
