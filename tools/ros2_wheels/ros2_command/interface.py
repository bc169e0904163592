"""``ros2 interface``: the definitions of messages and services."""

import argparse
import sys

from ament_index_python import get_resource, get_resources

from .errors import CommandError
from .packages import share

KINDS = ('msg', 'srv', 'action')
TITLES = {'msg': 'Messages', 'srv': 'Services', 'action': 'Actions'}


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    verbs = parser.add_subparsers(metavar='VERB', required=True)
    verb = verbs.add_parser('show', help='print the definition of an interface')
    verb.add_argument(
        'type', help="such as 'std_msgs/msg/String', or - to read it from standard input"
    )
    verb.add_argument(
        '--all-comments', action='store_true', help='with comments, also of nested types'
    )
    verb.add_argument('--no-comments', action='store_true', help='without comments')
    verb.set_defaults(function=show)
    verb = verbs.add_parser('list', help='list all interfaces')
    verb.set_defaults(function=list_interfaces)
    verb = verbs.add_parser('package', help='list the interfaces of a package')
    verb.add_argument('package_name')
    verb.set_defaults(function=list_package)


def list_interfaces(options: argparse.Namespace) -> None:
    """Print all interfaces by kind."""
    for kind in KINDS:
        print(f'{TITLES[kind]}:')
        for package in sorted(get_resources('rosidl_interfaces')):
            for name in sorted(_interfaces(package)):
                if name.startswith(f'{kind}/'):
                    print(f'    {package}/{name}')


def list_package(options: argparse.Namespace) -> None:
    """Print the interfaces of one package."""
    for name in sorted(_interfaces(options.package_name)):
        print(f'{options.package_name}/{name}')


def show(options: argparse.Namespace) -> None:
    """Print the definition with the fields of nested messages below their field."""
    name = sys.stdin.readline().strip() if options.type == '-' else options.type
    for line in _lines(name, 0, options):
        print(line)


def _interfaces(package: str) -> set[str]:
    try:
        content, _ = get_resource('rosidl_interfaces', package)
    except LookupError as error:
        raise CommandError(f"Unknown package '{package}'") from error
    return {
        line.rsplit('.', 1)[0]
        for line in content.splitlines()
        if line.endswith(('.msg', '.srv', '.action'))
    }


def _lines(name: str, depth: int, options: argparse.Namespace) -> list[str]:
    package, *kind, short = name.split('/')
    folder = kind[0] if kind else 'msg'
    path = share(package) / folder / f'{short}.{folder}'
    if not path.is_file():
        raise CommandError(f"Could not find the interface '{name}'")
    shown = []
    for raw in path.read_text().splitlines():
        code, _, comment = raw.partition('#')
        with_comment = not options.no_comments and (depth == 0 or options.all_comments)
        if not with_comment:
            raw = code.rstrip()
            if not raw and (comment or depth or options.no_comments):
                continue
        shown.append('\t' * depth + raw)
        field = code.split()
        if len(field) >= 2 and '=' not in code:
            nested = field[0].split('[')[0]
            if nested == 'Header':
                nested = 'std_msgs/Header'
            if nested[0].isupper():
                nested = f'{package}/{nested}'
            if '/' in nested and not nested.startswith(('string<', 'wstring<')):
                shown += _lines(
                    nested.replace('/msg/', '/').replace('/', '/msg/'), depth + 1, options
                )
    return shown
