"""``ros2 run``: one executable of a package, with the terminal to itself."""

import argparse
import contextlib
import shlex
import signal
import subprocess
import sys

from .errors import CommandError
from .packages import executables


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument('--prefix', default='', help='words in front of the command')
    parser.add_argument('package_name')
    parser.add_argument('executable_name')
    parser.add_argument('argv', nargs=argparse.REMAINDER, help='arguments of the executable')
    parser.set_defaults(function=run)


def run(options: argparse.Namespace) -> int:
    """Run it and return its exit status, 256 - n for the signal n."""
    found = [
        path for path in executables(options.package_name) if path.name == options.executable_name
    ]
    if not found:
        raise CommandError('No executable found')
    if len(found) > 1:
        raise CommandError(f'Multiple executables found: {", ".join(map(str, found))}')
    process = subprocess.Popen([*shlex.split(options.prefix), str(found[0]), *options.argv])
    # Whoever ends this command means the executable; Ctrl-C reaches it without help.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: _forward(process, number))
    while True:
        with contextlib.suppress(KeyboardInterrupt):
            code = process.wait()
            break
    if code < 0:
        print(f'[ros2run]: {signal.strsignal(-code)}', file=sys.stderr)
        return 256 + code
    if code:
        print(f'[ros2run]: Process exited with failure {code}', file=sys.stderr)
    return code


def _forward(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)
