"""``ros2 service``: list and call services."""

import argparse

import yaml

from . import messages
from .errors import CommandError
from .graph import absolute, add_spin_time, discover, hidden_node, is_hidden, result_of, wait_until


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    verbs = parser.add_subparsers(metavar='VERB', required=True)
    verb = verbs.add_parser('list', help='list services')
    verb.add_argument('-t', '--show-types', action='store_true')
    verb.add_argument(
        '-c', '--count-services', action='store_true', help='print their number only'
    )
    verb.add_argument('--include-hidden-services', action='store_true')
    add_spin_time(verb)
    verb.set_defaults(function=list_services)
    verb = verbs.add_parser('type', help='print the type of a service')
    verb.add_argument('service_name')
    add_spin_time(verb)
    verb.set_defaults(function=print_type)
    verb = verbs.add_parser('find', help='list the services of a type')
    verb.add_argument('service_type')
    add_spin_time(verb)
    verb.set_defaults(function=find)
    verb = verbs.add_parser('call', help='call a service')
    verb.add_argument('service_name')
    verb.add_argument('service_type')
    verb.add_argument('values', nargs='?', default='{}', help='the request as YAML')
    verb.add_argument('--timeout', type=float, default=3600.0, help='for the answer [s]')
    add_spin_time(verb)
    verb.set_defaults(function=call)


def list_services(options: argparse.Namespace) -> None:
    """Print the services."""
    with hidden_node() as node:
        discover(node, options.spin_time)
        found = sorted(
            (name, types)
            for name, types in node.get_service_names_and_types()
            if options.include_hidden_services or not is_hidden(name)
        )
    if options.count_services:
        print(len(found))
        return
    for name, types in found:
        print(f'{name} [{", ".join(types)}]' if options.show_types else name)


def print_type(options: argparse.Namespace) -> None:
    """Print the type.

    Raises:
        CommandError: Nobody offers the service.
    """
    name = absolute(options.service_name)
    with hidden_node() as node:
        types = wait_until(node, lambda: dict(node.get_service_names_and_types()).get(name))
    if types is None:
        raise CommandError(f"Unknown service '{name}'")
    print('\n'.join(types))


def find(options: argparse.Namespace) -> None:
    """Print the services of a type."""
    with hidden_node() as node:
        discover(node, options.spin_time)
        for name, types in sorted(node.get_service_names_and_types()):
            if options.service_type in types:
                print(name)


def call(options: argparse.Namespace) -> None:
    """Print request and response."""
    service_type = messages.load(options.service_type, folder='srv')
    request = service_type.Request()
    messages.fill(request, yaml.safe_load(options.values) or {})
    with hidden_node() as node:
        client = node.create_client(service_type, absolute(options.service_name))
        if not client.wait_for_service(timeout_sec=1.0):
            print('waiting for service to become available...', flush=True)
            client.wait_for_service()
        print(f'requester: making request: {request!r}\n', flush=True)
        response = result_of(node, client.call_async(request), options.timeout)
    print(f'response:\n{response!r}\n')
