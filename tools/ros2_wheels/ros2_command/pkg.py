"""``ros2 pkg``: packages, where they are and what they execute."""

import argparse

from ament_index_python.packages import get_packages_with_prefixes

from .packages import executables, prefix, share


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    verbs = parser.add_subparsers(metavar='VERB', required=True)
    verb = verbs.add_parser('list', help='list all packages')
    verb.set_defaults(function=list_packages)
    verb = verbs.add_parser('prefix', help='print where a package is installed')
    verb.add_argument('package_name')
    verb.add_argument('--share', action='store_true', help='print the share directory instead')
    verb.set_defaults(function=print_prefix)
    verb = verbs.add_parser('executables', help='list executables')
    verb.add_argument('package_name', nargs='?')
    verb.add_argument('--full-path', action='store_true')
    verb.set_defaults(function=list_executables)


def list_packages(options: argparse.Namespace) -> None:
    """Print the names."""
    print('\n'.join(sorted(get_packages_with_prefixes())))


def print_prefix(options: argparse.Namespace) -> None:
    """Print the directory."""
    print(share(options.package_name) if options.share else prefix(options.package_name))


def list_executables(options: argparse.Namespace) -> None:
    """Print package and executable, or the executables of one package."""
    for package in sorted(get_packages_with_prefixes()):
        if options.package_name in (None, package):
            for path in executables(package):
                name = path if options.full_path else path.name
                print(name if options.package_name or options.full_path else f'{package} {name}')
