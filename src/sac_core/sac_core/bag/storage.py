"""The two storages of rosbag2, chosen by name or by a file's ending."""

import os
from pathlib import Path
import re
import struct
from typing import Any

from sac_core.bag.errors import BagError
from sac_core.bag.mcap_file import McapFile
from sac_core.bag.mcap_scan import CHANNEL, check_mcap, MAGIC, McapScan, STATISTICS
from sac_core.bag.messages import FileInfo
from sac_core.bag.sqlite_file import check_sqlite, SqliteFile, SqliteScan

STORAGES: dict[str, Any] = {'mcap': McapFile, 'sqlite3': SqliteFile}
NAMES = {'.mcap': 'mcap', '.db3': 'sqlite3'}

BagFile = McapFile | SqliteFile


def create(path: Path, storage: str, compression: str = 'none') -> BagFile:
    """Begin a file of a bag."""
    made: BagFile = STORAGES[storage](path, compression)
    return made


def scan(path: Path) -> McapScan | SqliteScan:
    """Return the reader of a file.

    Raises:
        BagError: The ending tells no storage.
    """
    if path.suffix == '.mcap':
        return McapScan(path)
    if path.suffix == '.db3':
        return SqliteScan(path)
    raise BagError(f'{path} is no bag file; its name must end in .mcap or .db3')


def check(path: Path) -> None:
    """Check the integrity of a finished file as far as its storage can tell.

    Raises:
        BagError: It is damaged or not finished.
    """
    if path.suffix == '.mcap':
        check_mcap(path)
    else:
        check_sqlite(path)


def inspect(path: Path) -> FileInfo:
    """Return what a file holds, from its index where it has one.

    Raises:
        BagError: The file is damaged.
    """
    info = _summary(path) if path.suffix == '.mcap' else None
    if info is None:
        info = FileInfo(path.name)
        for message in scan(path).messages():
            info.add(message.topic, message.stamp)
    info.size = path.stat().st_size
    return info


def bag_files(directory: Path) -> list[Path]:
    """Return the storage files of a bag, oldest first, listed in its metadata or not."""
    files = [item for item in directory.iterdir() if item.suffix in NAMES and item.is_file()]
    listed = {name: i for i, name in enumerate(_listed(directory))}

    def order(path: Path) -> tuple[int, int, str]:
        number = re.search(r'_(\d+)$', path.stem)
        return listed.get(path.name, len(listed)), int(number[1]) if number else 0, path.name

    return sorted(files, key=order)


def _listed(directory: Path) -> list[str]:
    import yaml

    try:
        text = (directory / 'metadata.yaml').read_text(encoding='utf-8')
        content = yaml.safe_load(text)['rosbag2_bagfile_information']
        return [Path(name).name for name in content['relative_file_paths']]
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return []


def _summary(path: Path) -> FileInfo | None:
    """Read the statistics of a finished file and nothing else: its index can be long."""
    groups = {}
    try:
        with path.open('rb') as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(size - len(MAGIC) - 20)
            _, offsets, _ = struct.unpack('<QQI', file.read(20))
            file.seek(offsets)
            found = file.read(max(0, size - len(MAGIC) - 29 - offsets))
            for start in range(0, len(found), 26):
                _, _, opcode, begin, length = struct.unpack_from('<BQBQQ', found, start)
                file.seek(begin)
                groups[opcode] = file.read(length)
        channels = {}
        content = groups[CHANNEL]
        while content:
            (length,) = struct.unpack_from('<Q', content, 1)
            identity, _, size = struct.unpack_from('<HHI', content, 9)
            channels[identity] = content[17 : 17 + size].decode()
            content = content[9 + length :]
        statistics = groups[STATISTICS][9:]
        info = FileInfo(path.name, *struct.unpack_from('<QQ', statistics, 26))
        for identity, count in struct.iter_unpack('<HQ', statistics[46:]):
            info.counts[channels[identity]] = info.counts.get(channels[identity], 0) + count
    except (struct.error, KeyError, OSError, UnicodeDecodeError):
        return None
    return info
