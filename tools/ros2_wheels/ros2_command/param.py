"""``ros2 param``: parameters of running nodes."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor, ParameterType
from rclpy.node import Node
from rclpy.parameter import get_parameter_value, Parameter, parameter_value_to_python
from rclpy.parameter_client import AsyncParameterClient
import yaml

from .errors import CommandError
from .graph import add_spin_time, discover, find_node, hidden_node, node_names, result_of

# Number of the type: how ``get`` and ``describe`` name it.
KINDS = {
    ParameterType.PARAMETER_NOT_SET: ('', 'not set'),
    ParameterType.PARAMETER_BOOL: ('Boolean value is:', 'boolean'),
    ParameterType.PARAMETER_INTEGER: ('Integer value is:', 'integer'),
    ParameterType.PARAMETER_DOUBLE: ('Double value is:', 'double'),
    ParameterType.PARAMETER_STRING: ('String value is:', 'string'),
    ParameterType.PARAMETER_BYTE_ARRAY: ('Byte values are:', 'byte array'),
    ParameterType.PARAMETER_BOOL_ARRAY: ('Boolean values are:', 'boolean array'),
    ParameterType.PARAMETER_INTEGER_ARRAY: ('Integer values are:', 'integer array'),
    ParameterType.PARAMETER_DOUBLE_ARRAY: ('Double values are:', 'double array'),
    ParameterType.PARAMETER_STRING_ARRAY: ('String values are:', 'string array'),
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    verbs = parser.add_subparsers(metavar='VERB', required=True)
    for name, function, words, summary in (
        ('list', list_parameters, ['node_name?'], 'list parameters'),
        ('get', get, ['node_name', 'parameter_name'], 'print a value'),
        ('set', set_parameter, ['node_name', 'parameter_name', 'value'], 'set a value, as YAML'),
        ('dump', dump, ['node_name'], 'print all values as a parameter file'),
        (
            'describe',
            describe,
            ['node_name', 'parameter_names+'],
            'print type, description and limits',
        ),
        ('load', load, ['node_name', 'parameter_file'], 'set all values of a parameter file'),
    ):
        verb = verbs.add_parser(name, help=summary)
        for word in words:
            count = word[-1] if word[-1] in '?+' else None
            verb.add_argument(word.rstrip('?+'), **({'nargs': count} if count else {}))  # type: ignore[arg-type]
        add_spin_time(verb)
        verb.set_defaults(function=function)
        if name == 'get':
            verb.add_argument('--hide-type', action='store_true', help='print the value only')


def list_parameters(options: argparse.Namespace) -> None:
    """Print the names of the parameters."""
    with hidden_node() as node:
        if options.node_name:
            names = [_full_name(node, options.node_name)]
        else:
            discover(node, options.spin_time)
            names = node_names(node)
        for name in names:
            if not options.node_name:
                print(f'{name}:')
            with _client(node, name) as client:
                for parameter in _names(node, client):
                    print(f'  {parameter}')


def get(options: argparse.Namespace) -> None:
    """Print one value with its type.

    Raises:
        CommandError: The node has no such parameter.
    """
    with hidden_node() as node, _client(node, options.node_name) as client:
        (value,) = _values(node, client, [options.parameter_name])
    title, _ = KINDS[value.type]
    if not title:
        raise CommandError('Parameter not set')
    content = parameter_value_to_python(value)
    content = list(content) if not isinstance(content, bool | int | float | str) else content
    print(content if options.hide_type else f'{title} {content}')


def set_parameter(options: argparse.Namespace) -> int:
    """Set one value and tell whether the node took it."""
    parameter = Parameter(
        options.parameter_name,
        value=parameter_value_to_python(get_parameter_value(options.value)),
    )
    with hidden_node() as node, _client(node, options.node_name) as client:
        answer: Any = result_of(node, client.set_parameters([parameter]))
    return _report(answer.results[0], 'Set parameter', 'Setting parameter')


def dump(options: argparse.Namespace) -> None:
    """Print a parameter file."""
    with hidden_node() as node:
        name = _full_name(node, options.node_name)
        with _client(node, name) as client:
            parameters = _names(node, client)
            values = _values(node, client, parameters)
    tree: dict[str, Any] = {}
    for parameter, value in zip(parameters, values, strict=True):
        *path, last = parameter.split('.')
        branch = tree
        for part in path:
            branch = branch.setdefault(part, {})
        content = parameter_value_to_python(value)
        branch[last] = (
            content if isinstance(content, bool | int | float | str) else list(content or [])
        )
    print(yaml.safe_dump({name: {'ros__parameters': tree}}, default_flow_style=False), end='')


def describe(options: argparse.Namespace) -> None:
    """Print what a node says about parameters."""
    with hidden_node() as node, _client(node, options.node_name) as client:
        answer: Any = result_of(node, client.describe_parameters(options.parameter_names))
    for descriptor in answer.descriptors:
        print('\n'.join(_description(descriptor)))


def load(options: argparse.Namespace) -> int:
    """Set the values of a file and tell which ones the node took.

    Raises:
        CommandError: The file is not there, or has nothing for the node.
    """
    path = Path(options.parameter_file)
    if not path.is_file():
        raise CommandError(f'{path} is not a file')
    content = yaml.safe_load(path.read_text()) or {}
    with hidden_node() as node:
        name = _full_name(node, options.node_name)
        flat: dict[str, Any] = {}
        for key, section in content.items():
            if key in ('/**', name, name.lstrip('/')):
                _flatten(section.get('ros__parameters', {}), '', flat)
        if not flat:
            raise CommandError(f"{path} has no parameters for '{name}'")
        with _client(node, name) as client:
            parameters = [Parameter(key, value=value) for key, value in flat.items()]
            answer: Any = result_of(node, client.set_parameters(parameters))
    failures = 0
    for key, result in zip(flat, answer.results, strict=True):
        failures |= _report(result, f'Set parameter {key}', f'Setting parameter {key}')
    return failures


@contextmanager
def _client(node: Node, name: str) -> Iterator[AsyncParameterClient]:
    full = _full_name(node, name)
    client = AsyncParameterClient(node, full)
    if not client.wait_for_services(timeout_sec=5.0):
        raise CommandError(f"node '{full}' offers no parameters")
    yield client


def _full_name(node: Node, name: str) -> str:
    base, namespace = find_node(node, name)
    return f'{namespace.rstrip("/")}/{base}'


def _names(node: Node, client: AsyncParameterClient) -> list[str]:
    answer: Any = result_of(node, client.list_parameters())
    return sorted(answer.result.names)


def _values(node: Node, client: AsyncParameterClient, names: list[str]) -> list[Any]:
    answer: Any = result_of(node, client.get_parameters(names))
    if not answer.values:
        raise CommandError('Parameter not set')
    return list(answer.values)


def _report(result: Any, success: str, failure: str) -> int:
    if result.successful:
        print(f'{success} successful' + (f': {result.reason}' if result.reason else ''))
        return 0
    print(f'{failure} failed' + (f': {result.reason}' if result.reason else ''))
    return 1


def _flatten(section: dict[str, Any], prefix: str, flat: dict[str, Any]) -> None:
    for key, value in section.items():
        if isinstance(value, dict):
            _flatten(value, f'{prefix}{key}.', flat)
        else:
            flat[f'{prefix}{key}'] = value


def _description(descriptor: ParameterDescriptor) -> list[str]:
    lines = [f'Parameter name: {descriptor.name}', f'  Type: {KINDS[descriptor.type][1]}']
    if descriptor.description:
        lines.append(f'  Description: {descriptor.description}')
    constraints = ['    Read only: true'] if descriptor.read_only else []
    for span in (*descriptor.floating_point_range, *descriptor.integer_range):
        constraints += [f'    Min value: {span.from_value}', f'    Max value: {span.to_value}']
        if span.step:
            constraints.append(f'    Step: {span.step}')
    if descriptor.additional_constraints:
        constraints.append(f'    Additional constraints: {descriptor.additional_constraints}')
    return lines + (['  Constraints:', *constraints] if constraints else [])
