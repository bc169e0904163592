"""``ros2 topic pub``: messages from the command line."""

import argparse
import time
from typing import Any

import rclpy
import yaml

from .. import messages, qos
from ..graph import absolute, add_spin_time, hidden_node


def configure(verbs: Any) -> None:
    """Describe the command line."""
    verb = verbs.add_parser('pub', help='publish messages')
    verb.add_argument('topic_name')
    verb.add_argument('message_type')
    verb.add_argument('values', nargs='?', default='{}', help='the fields as YAML')
    verb.add_argument('-r', '--rate', type=float, default=1.0, help='messages per second')
    verb.add_argument('-p', '--print', type=int, default=1, help='print every n-th message only')
    amount = verb.add_mutually_exclusive_group()
    amount.add_argument('-1', '--once', action='store_true', help='publish one message and end')
    amount.add_argument(
        '-t', '--times', type=int, default=0, help='publish so many messages and end'
    )
    verb.add_argument(
        '-w',
        '--wait-matching-subscriptions',
        type=int,
        help='wait for so many subscriptions; 1 with --once and --times, else 0',
    )
    verb.add_argument('--max-wait-time-secs', type=float, help='do not wait longer for them [s]')
    verb.add_argument(
        '--keep-alive', type=float, default=0.1, help='stay so long after the last message [s]'
    )
    verb.add_argument('-n', '--node-name')
    verb.add_argument('--use-sim-time', action='store_true')
    add_spin_time(verb)
    qos.add_options(verb)
    verb.set_defaults(function=run)


def run(options: argparse.Namespace) -> int:
    """Publish at the rate until there are enough."""
    message_type = messages.load(options.message_type)
    times = 1 if options.once else options.times
    wanted = options.wait_matching_subscriptions
    wanted = (1 if times else 0) if wanted is None else wanted
    message = message_type()
    messages.fill(message, yaml.safe_load(options.values) or {})
    with hidden_node(options) as node:
        publisher = node.create_publisher(
            message_type, absolute(options.topic_name), qos.for_publisher(options)
        )
        began = time.monotonic()
        while publisher.get_subscription_count() < wanted:
            waited = time.monotonic() - began
            if options.max_wait_time_secs is not None and waited > options.max_wait_time_secs:
                print('Timed out waiting for subscribers')
                return 1
            if waited < 0.1:
                print(f'Waiting for at least {wanted} matching subscription(s)...', flush=True)
            rclpy.spin_once(node, timeout_sec=0.1)
        print('publisher: beginning loop', flush=True)
        count, due = 0, time.monotonic()
        while rclpy.ok() and not (times and count >= times):
            count += 1
            if options.print and count % options.print == 0:
                print(f'publishing #{count}: {message!r}\n', flush=True)
            publisher.publish(message)
            due += 1.0 / options.rate
            if not (times and count >= times):
                time.sleep(max(0.0, due - time.monotonic()))
        if times:
            time.sleep(options.keep_alive)
    return 0
