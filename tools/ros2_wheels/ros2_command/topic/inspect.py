"""``ros2 topic list``, ``info``, ``type`` and ``find``."""

import argparse
from typing import Any

from rclpy.node import Node
from rclpy.topic_endpoint_info import TopicEndpointInfo

from ..errors import CommandError
from ..graph import absolute, add_spin_time, discover, hidden_node, is_hidden, wait_until
from .common import type_of


def configure(verbs: Any) -> None:
    """Describe the command lines."""
    verb = verbs.add_parser('list', help='list topics')
    verb.add_argument('-t', '--show-types', action='store_true')
    verb.add_argument('-c', '--count-topics', action='store_true', help='print their number only')
    verb.add_argument(
        '-v', '--verbose', action='store_true', help='with types, publishers and subscribers'
    )
    verb.add_argument('--include-hidden-topics', action='store_true')
    add_spin_time(verb)
    verb.set_defaults(function=list_topics)
    verb = verbs.add_parser('info', help='print who uses a topic')
    verb.add_argument('topic_name')
    verb.add_argument('-v', '--verbose', action='store_true', help='with nodes and QoS')
    add_spin_time(verb)
    verb.set_defaults(function=info)
    verb = verbs.add_parser('type', help='print the type of a topic')
    verb.add_argument('topic_name')
    add_spin_time(verb)
    verb.set_defaults(function=print_type)
    verb = verbs.add_parser('find', help='list the topics of a type')
    verb.add_argument('topic_type')
    add_spin_time(verb)
    verb.set_defaults(function=find)


def topics(node: Node, options: argparse.Namespace) -> list[tuple[str, list[str]]]:
    """Return names and types."""
    discover(node, options.spin_time)
    hidden = getattr(options, 'include_hidden_topics', False)
    return sorted(
        (name, types)
        for name, types in node.get_topic_names_and_types()
        if hidden or not is_hidden(name)
    )


def list_topics(options: argparse.Namespace) -> None:
    """Print the topics."""
    with hidden_node() as node:
        found = topics(node, options)
        if options.count_topics:
            print(len(found))
            return
        if not options.verbose:
            for name, types in found:
                print(f'{name} [{", ".join(types)}]' if options.show_types else name)
            return
        for title, noun, count in (
            ('Published', 'publisher', node.count_publishers),
            ('Subscribed', 'subscriber', node.count_subscribers),
        ):
            print(f'{title} topics:')
            for name, types in found:
                if number := count(name):
                    print(
                        f' * {name} [{", ".join(types)}] {number} '
                        f'{noun}{"s" if number > 1 else ""}'
                    )
            print()


def info(options: argparse.Namespace) -> None:
    """Print type and users of a topic.

    Raises:
        CommandError: Nobody uses it.
    """
    topic = absolute(options.topic_name)
    with hidden_node() as node:
        if wait_until(node, lambda: dict(node.get_topic_names_and_types()).get(topic)) is None:
            raise CommandError(f"Unknown topic '{topic}'")
        discover(node, options.spin_time)
        print(f'Type: {", ".join(dict(node.get_topic_names_and_types())[topic])}\n')
        for title, endpoints in (
            ('Publisher', node.get_publishers_info_by_topic(topic)),
            ('Subscription', node.get_subscriptions_info_by_topic(topic)),
        ):
            print(f'{title} count: {len(endpoints)}' + ('\n' if options.verbose else ''))
            if options.verbose:
                for endpoint in endpoints:
                    print(f'{_endpoint(endpoint)}\n')


def print_type(options: argparse.Namespace) -> None:
    """Print the type."""
    with hidden_node() as node:
        print(type_of(node, absolute(options.topic_name), None))


def find(options: argparse.Namespace) -> None:
    """Print the topics of a type."""
    with hidden_node() as node:
        for name, types in topics(node, options):
            if options.topic_type in types:
                print(name)


def _endpoint(endpoint: TopicEndpointInfo) -> str:
    profile = endpoint.qos_profile
    history = (
        f'{profile.history.name} ({profile.depth})' if profile.depth else profile.history.name
    )
    gid = '.'.join(f'{byte:02x}' for byte in endpoint.endpoint_gid)
    return '\n'.join(
        (
            f'Node name: {endpoint.node_name}',
            f'Node namespace: {endpoint.node_namespace}',
            f'Topic type: {endpoint.topic_type}',
            f'Topic type hash: {endpoint.topic_type_hash}',
            f'Endpoint type: {endpoint.endpoint_type.name}',
            f'GID: {gid}',
            'QoS profile:',
            f'  Reliability: {profile.reliability.name}',
            f'  History (Depth): {history}',
            f'  Durability: {profile.durability.name}',
            f'  Lifespan: {_duration(profile.lifespan.nanoseconds)}',
            f'  Deadline: {_duration(profile.deadline.nanoseconds)}',
            f'  Liveliness: {profile.liveliness.name}',
            '  Liveliness lease duration: '
            f'{_duration(profile.liveliness_lease_duration.nanoseconds)}',
        )
    )


def _duration(nanoseconds: int) -> str:
    return 'Infinite' if nanoseconds >= 2**63 - 1 else f'{nanoseconds} nanoseconds'
