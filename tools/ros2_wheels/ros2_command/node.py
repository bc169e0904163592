"""``ros2 node``: nodes and what they offer."""

import argparse
from collections.abc import Iterable

from .graph import add_spin_time, discover, find_node, hidden_node, is_hidden, node_names


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    verbs = parser.add_subparsers(metavar='VERB', required=True)
    verb = verbs.add_parser('list', help='list nodes')
    verb.add_argument('-a', '--all', action='store_true', help='with hidden ones')
    verb.add_argument('-c', '--count-nodes', action='store_true', help='print their number only')
    add_spin_time(verb)
    verb.set_defaults(function=list_nodes)
    verb = verbs.add_parser('info', help='print topics and services of a node')
    verb.add_argument('node_name')
    verb.add_argument('--include-hidden', action='store_true')
    add_spin_time(verb)
    verb.set_defaults(function=info)


def list_nodes(options: argparse.Namespace) -> None:
    """Print the nodes."""
    with hidden_node() as node:
        discover(node, options.spin_time)
        names = node_names(node, options.all)
    if options.count_nodes:
        print(len(names))
    elif names:
        print('\n'.join(names))


def info(options: argparse.Namespace) -> None:
    """Print what a node subscribes to, publishes, serves and calls."""
    with hidden_node() as node:
        name, namespace = find_node(node, options.node_name)
        discover(node, options.spin_time)
        subscribers = node.get_subscriber_names_and_types_by_node(name, namespace)
        publishers = node.get_publisher_names_and_types_by_node(name, namespace)
        servers = node.get_service_names_and_types_by_node(name, namespace)
        clients = node.get_client_names_and_types_by_node(name, namespace)
    print(f'{namespace.rstrip("/")}/{name}')
    hidden = options.include_hidden
    _show('Subscribers', subscribers, hidden)
    _show('Publishers', publishers, hidden)
    _show('Service Servers', _without_actions(servers), hidden)
    _show('Service Clients', _without_actions(clients), hidden)
    _show('Action Servers', _actions(servers), hidden)
    _show('Action Clients', _actions(clients), hidden)
    print()


def _show(title: str, entries: Iterable[tuple[str, list[str]]], hidden: bool) -> None:
    print(f'  {title}:')
    for name, types in sorted(entries):
        if hidden or not is_hidden(name):
            print(f'    {name}: {", ".join(types)}')


def _without_actions(entries: Iterable[tuple[str, list[str]]]) -> list[tuple[str, list[str]]]:
    return [(name, types) for name, types in entries if '/_action/' not in name]


def _actions(entries: Iterable[tuple[str, list[str]]]) -> list[tuple[str, list[str]]]:
    mark, suffix = '/_action/send_goal', '_SendGoal'
    return [
        (name.removesuffix(mark), [kind.removesuffix(suffix) for kind in types])
        for name, types in entries
        if name.endswith(mark)
    ]
