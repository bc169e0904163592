"""``ros2 lifecycle``: state of lifecycle nodes."""

import argparse
from typing import Any

from lifecycle_msgs.srv import ChangeState, GetAvailableTransitions, GetState
from rclpy.node import Node

from .errors import CommandError
from .graph import add_spin_time, discover, find_node, hidden_node, is_hidden, result_of


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    verbs = parser.add_subparsers(metavar='VERB', required=True)
    verb = verbs.add_parser('nodes', help='list lifecycle nodes')
    verb.add_argument('-a', '--all', action='store_true', help='with hidden ones')
    verb.add_argument('-c', '--count-nodes', action='store_true', help='print their number only')
    add_spin_time(verb)
    verb.set_defaults(function=list_nodes)
    verb = verbs.add_parser('get', help='print the state of one or all lifecycle nodes')
    verb.add_argument('node_name', nargs='?')
    add_spin_time(verb)
    verb.set_defaults(function=get)
    verb = verbs.add_parser('set', help='trigger a transition')
    verb.add_argument('node_name')
    verb.add_argument('transition', help='label or number')
    add_spin_time(verb)
    verb.set_defaults(function=set_state)
    verb = verbs.add_parser('list', help='list the transitions that are possible now')
    verb.add_argument('node_name')
    add_spin_time(verb)
    verb.set_defaults(function=list_transitions)


def list_nodes(options: argparse.Namespace) -> None:
    """Print the lifecycle nodes."""
    with hidden_node() as node:
        names = _lifecycle_nodes(node, options)
    if options.count_nodes:
        print(len(names))
    elif names:
        print('\n'.join(names))


def get(options: argparse.Namespace) -> None:
    """Print the state as 'label [number]'."""
    with hidden_node() as node:
        if options.node_name:
            state = _ask(node, options.node_name, 'get_state', GetState).current_state
            print(f'{state.label} [{state.id}]')
            return
        for name in _lifecycle_nodes(node, options):
            state = _ask(node, name, 'get_state', GetState).current_state
            print(f'{name}: {state.label} [{state.id}]')


def list_transitions(options: argparse.Namespace) -> None:
    """Print the transitions with their start and goal."""
    with hidden_node() as node:
        for item in _available(node, options.node_name):
            print(f'- {item.transition.label} [{item.transition.id}]')
            print(f'\tStart: {item.start_state.label}\n\tGoal: {item.goal_state.label}')


def set_state(options: argparse.Namespace) -> int:
    """Trigger a transition.

    Raises:
        CommandError: It is not possible in this state.
    """
    with hidden_node() as node:
        possible = [item.transition for item in _available(node, options.node_name)]
        chosen = [item for item in possible if options.transition in (item.label, str(item.id))]
        if not chosen:
            raise CommandError(
                f'Unknown transition requested, available ones are: '
                f'{", ".join(f"{item.label} [{item.id}]" for item in possible)}'
            )
        request = ChangeState.Request(transition=chosen[0])
        answer = _ask(node, options.node_name, 'change_state', ChangeState, request)
    print('Transitioning successful' if answer.success else 'Transitioning failed')
    return 0 if answer.success else 1


def _lifecycle_nodes(node: Node, options: argparse.Namespace) -> list[str]:
    discover(node, options.spin_time)
    return sorted(
        name.removesuffix('/get_state')
        for name, types in node.get_service_names_and_types()
        if name.endswith('/get_state')
        and 'lifecycle_msgs/srv/GetState' in types
        and (getattr(options, 'all', False) or not is_hidden(name))
    )


def _available(node: Node, name: str) -> list[Any]:
    answer = _ask(node, name, 'get_available_transitions', GetAvailableTransitions)
    return list(answer.available_transitions)


def _ask(node: Node, name: str, service: str, service_type: Any, request: Any = None) -> Any:
    base, namespace = find_node(node, name)
    client = node.create_client(service_type, f'{namespace.rstrip("/")}/{base}/{service}')
    if not client.wait_for_service(timeout_sec=3.0):
        raise CommandError(f"'{name}' is not a lifecycle node")
    return result_of(node, client.call_async(request or service_type.Request()))
