"""``ros2 bag info``: what a bag holds."""

import argparse
from datetime import datetime
from pathlib import Path
from typing import Any

from rosbags.highlevel import AnyReader
from rosbags.highlevel.anyreader import AnyReaderError

from ..errors import CommandError


def configure(verbs: Any) -> None:
    """Describe the command line."""
    verb = verbs.add_parser('info', help='print what a bag holds')
    verb.add_argument('bag_path')
    verb.set_defaults(function=run)


def run(options: argparse.Namespace) -> None:
    """Print files, times and topics.

    Raises:
        CommandError: It is not a bag, or one that was not closed.
    """
    path = Path(options.bag_path)
    if not path.exists():
        raise CommandError(f"Bag path '{path}' does not exist!")
    files = [item for item in sorted(path.iterdir()) if item.suffix in ('.mcap', '.db3')]
    try:
        with AnyReader([path]) as reader:
            lines = _lines(reader, files)
    except AnyReaderError as error:
        raise CommandError(f"'{path}' cannot be read: {error}") from error
    print('\n'.join(lines))


def _lines(reader: AnyReader, files: list[Path]) -> list[str]:
    size = sum(item.stat().st_size for item in files)
    storage = 'mcap' if any(item.suffix == '.mcap' for item in files) else 'sqlite3'
    empty = not reader.message_count
    start, end = (0, 0) if empty else (reader.start_time, reader.end_time)
    lines = [
        f'Files:             {" ".join(item.name for item in files)}',
        f'Bag size:          {size / 1024:.1f} KiB',
        f'Storage id:        {storage}',
        'ROS Distro:        kilted',
        f'Duration:          {(end - start) / 1e9:.9f}s',
        f'Start:             {_moment(start)}',
        f'End:               {_moment(end)}',
        f'Messages:          {reader.message_count}',
    ]
    for position, (topic, item) in enumerate(sorted(reader.topics.items())):
        title = 'Topic information: ' if position == 0 else ' ' * 19
        lines.append(
            f'{title}Topic: {topic} | Type: {item.msgtype} | Count: {item.msgcount} | '
            'Serialization Format: cdr'
        )
    return lines


def _moment(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 10**9)
    text = datetime.fromtimestamp(seconds).strftime('%b %e %Y %H:%M:%S')
    return f'{text}.{rest:09d} ({seconds}.{rest:09d})'
