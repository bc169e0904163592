"""Makes the last file of a killed process a whole one again."""

from pathlib import Path

from sac_core.bag import metadata
from sac_core.bag.definitions import Definition, Definitions
from sac_core.bag.errors import BagError
from sac_core.bag.mcap_file import McapFile
from sac_core.bag.mcap_scan import McapScan
from sac_core.bag.messages import FileInfo, Topic
from sac_core.bag.sqlite_file import SqliteFile, SqliteScan
from sac_core.bag.storage import bag_files, inspect, NAMES, scan


def recover_file(path: Path) -> FileInfo | None:
    """Finish an unfinished file in place; None (and no file) if it held no message.

    Everything committed before the kill is kept; a torn end is cut off. A finished file is left
    alone.

    Raises:
        BagError: It is damaged elsewhere than at its end.
        OSError: The disk does not take the new file; the old one stays.
    """
    found = scan(path)
    if found.finished():
        return inspect(path)
    info = _finish_mcap(path) if isinstance(found, McapScan) else _finish_sqlite(path)
    if info is None:
        path.unlink(missing_ok=True)
    return info


def recover_bag(directory: Path) -> list[str]:
    """Finish every unfinished file of a bag, write its metadata, return the names of those files.

    No process may be writing the bag meanwhile.

    Raises:
        BagError: It is no bag, or damaged elsewhere than at the end of a file.
        OSError: The disk does not take it.
    """
    paths = bag_files(directory) if directory.is_dir() else []
    if not paths:
        raise BagError(f'{directory} holds no bag files (.mcap or .db3)')
    recovered = [path.name for path in paths if not scan(path).finished()]
    infos = [info for info in map(recover_file, paths) if info is not None]
    topics: dict[str, Topic] = {}
    for path in bag_files(directory):
        for topic in file_topics(path):
            topics.setdefault(topic.name, topic)
    content = metadata.information(NAMES[paths[0].suffix], list(topics.values()), infos, custom={})
    metadata.write(directory, content)
    return recovered


def file_topics(path: Path) -> list[Topic]:
    """Return the topics that a file describes before its first message."""
    found = scan(path)
    for _ in found.messages():
        break
    definitions = Definitions()
    topics = []
    for channel in found.channels.values():
        digest = channel.metadata.get('topic_type_hash', '')
        if not digest:
            definitions.learn(channel.type, channel.text)
            digest = definitions.get(channel.type).digest
        latched = 'transient_local' in channel.metadata.get('offered_qos_profiles', '')
        definition = Definition(channel.type, channel.text, digest)
        topics.append(Topic(channel.topic, definition, latched))
    return topics


def _finish_mcap(path: Path) -> FileInfo | None:
    found = McapScan(path)
    beside = path.with_name(path.name + '.tmp')
    target = McapFile(beside)
    topics: dict[str, Topic] = {}
    try:
        for message in found.messages():
            for channel in list(found.channels.values()):
                if channel.topic not in topics:
                    digest = channel.metadata.get('topic_type_hash', '')
                    qos = channel.metadata.get('offered_qos_profiles', '')
                    topics[channel.topic] = Topic(
                        channel.topic,
                        Definition(channel.type, channel.text, digest),
                        'transient_local' in qos,
                    )
                    target.add_topic(topics[channel.topic])
            target.write(message.topic, message.stamp, message.data)
            if target.size > 1 << 20:
                target.commit(sync=False)
        if not target.info.count:
            return None
        target.info.name = path.name
        content = metadata.information('mcap', list(topics.values()), [target.info], {})
        target.finish(metadata.text(content))
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    finally:
        target.close()
    beside.replace(path)
    return target.info


def _finish_sqlite(path: Path) -> FileInfo | None:
    info = FileInfo(path.name)
    for message in SqliteScan(path).messages():
        info.add(message.topic, message.stamp)
    if not info.count:
        return None
    file = SqliteFile(path)
    file.info = info
    content = metadata.information('sqlite3', file_topics(path), [info], {})
    file.finish(metadata.text(content))
    return file.info
