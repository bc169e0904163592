"""What the commands have in common: errors of one line, settings as text, signals."""

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
import contextlib
from dataclasses import fields
import difflib
import signal
import sys
import threading
from typing import Any, NoReturn

from sac_learner.sac.config import SacConfig
from sac_learner.settings import LearnerSettings

USAGE_ERROR = 2
OPTIONS = ('run_dir', 'seed', 'steps', 'preset')  # settings that are options of their own


class CommandError(ValueError):
    """A command line that cannot be carried out; the text says what to change."""


class CommandParser(argparse.ArgumentParser):
    """A parser whose errors are one line, and whose help ends with examples."""

    def __init__(self, prog: str, description: str, examples: str) -> None:
        """Name the command.

        Args:
            prog: Its name.
            description: What it does.
            examples: One command line each, without the `ros2 run sac_learner` before it.
        """
        lines = [f'  ros2 run sac_learner {prog} {line}'.rstrip() for line in examples.split('\n')]
        super().__init__(
            prog=prog,
            description=description,
            epilog='\n'.join(['examples:', *lines]),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and end with status 2."""
        self.exit(USAGE_ERROR, f'{self.prog}: {message}; --help lists the options\n')


def run(command: Callable[[], int], name: str) -> int:
    """Return the exit status of a command; a `CommandError` becomes a line and status 2."""
    try:
        return command()
    except CommandError as error:
        sys.stderr.write(f'{name}: {" ".join(str(error).split())}\n')
        return USAGE_ERROR


@contextlib.contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Let SIGINT and SIGTERM end the loop at its next step; a second one ends the process."""
    flag = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield flag.is_set
        return
    previous: dict[int, Any] = {}

    def interrupt(number: int, _: Any) -> None:
        flag.set()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        previous[number] = signal.signal(number, interrupt)
    try:
        yield flag.is_set
    finally:
        for known, handler in previous.items():
            signal.signal(known, handler)


def say(text: str) -> None:
    """Write a line of the answer."""
    sys.stdout.write(f'{text}\n')
    sys.stdout.flush()


def whole_number(text: str) -> int:
    """Read 100000, 1e5 or 100_000.

    Raises:
        argparse.ArgumentTypeError: It is no whole number >= 0.
    """
    try:
        value = float(text)
        if value >= 0 and value == int(value):
            return int(value)
    except (ValueError, OverflowError):
        pass
    raise argparse.ArgumentTypeError(f'must be a whole number >= 0, got {text!r}')


def settings_of(assignments: Iterable[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the settings of the algorithm and those of the learner in ``name=value`` texts.

    Raises:
        CommandError: A name is unknown, or a text is no value of its type.
    """
    known = {
        item.name: (item.default, kind)
        for kind, config in enumerate((SacConfig, LearnerSettings))
        for item in fields(config)
        if item.name not in OPTIONS
    }
    found: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    for text in assignments:
        name, equals, value = text.partition('=')
        if not equals:
            raise CommandError(f'--set takes name=value, got {text!r}')
        if name not in known:
            near = difflib.get_close_matches(name, known, 5, 0.5) or sorted(known)
            raise CommandError(f'unknown setting {name!r}; there are {", ".join(near)}')
        default, kind = known[name]
        found[kind][name] = _value(name, value, default)
    return found


def settings_text() -> str:
    """Return every setting that `--set` takes, with its default and meaning."""
    lines = []
    for title, config in (('algorithm (docs/sac.md)', SacConfig), ('learner', LearnerSettings)):
        lines.append(f'{title}:')
        for item in fields(config):
            if item.name in OPTIONS:
                continue
            default = str(item.default).strip('()').replace(' ', '')  # (256, 256) as 256,256
            lines.append(f'  {item.name}={default}'.ljust(36) + f' {item.metadata["doc"]}')
    return '\n'.join(lines)


def _value(name: str, text: str, default: object) -> Any:
    try:
        if isinstance(default, bool):
            return {'true': True, 'false': False}[text.lower()]
        if isinstance(default, int):
            return whole_number(text) if text[:1] != '-' else int(text)
        if isinstance(default, float):
            return float(text)
        if isinstance(default, tuple):
            return tuple(int(part) for part in text.strip('()[] ').split(',') if part.strip())
    except (KeyError, ValueError, argparse.ArgumentTypeError):
        kind = 'true or false' if isinstance(default, bool) else f'a value like {default}'
        raise CommandError(f'{name} must be {kind}, got {text!r}') from None
    return text


def arguments(argv: Sequence[str] | None) -> list[str]:
    """Return the command line without what `ros2 run` may append for nodes."""
    given = list(sys.argv[1:] if argv is None else argv)
    return given[: given.index('--ros-args')] if '--ros-args' in given else given
