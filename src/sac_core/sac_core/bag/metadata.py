"""``metadata.yaml`` of a rosbag2 bag, version 9."""

from collections.abc import Mapping, Sequence
import os
from pathlib import Path
from typing import Any

import yaml

from sac_core.bag.messages import FileInfo, PlainDumper, Topic

VERSION = 9


def information(
    storage: str,
    topics: Sequence[Topic],
    files: Sequence[FileInfo],
    custom: Mapping[str, str],
) -> dict[str, Any]:
    """Return the content of the metadata for finished files."""
    filled = [item for item in files if item.count]
    start = min((item.start for item in filled), default=0)
    end = max((item.end for item in filled), default=0)
    return {
        'version': VERSION,
        'storage_identifier': storage,
        'duration': {'nanoseconds': end - start},
        'starting_time': {'nanoseconds_since_epoch': start},
        'message_count': sum(item.count for item in files),
        'topics_with_message_count': [
            {
                'topic_metadata': {
                    'name': topic.name,
                    'type': topic.definition.name,
                    'serialization_format': 'cdr',
                    'offered_qos_profiles': topic.qos(),
                    'type_description_hash': topic.definition.digest,
                },
                'message_count': sum(item.counts.get(topic.name, 0) for item in files),
            }
            for topic in topics
        ],
        'compression_format': '',
        'compression_mode': '',
        'relative_file_paths': [item.name for item in files],
        'files': [
            {
                'path': item.name,
                'starting_time': {'nanoseconds_since_epoch': item.start},
                'duration': {'nanoseconds': item.end - item.start},
                'message_count': item.count,
            }
            for item in files
        ],
        'custom_data': dict(custom) or None,
        'ros_distro': os.environ.get('ROS_DISTRO', 'kilted'),
    }


def text(content: Mapping[str, Any]) -> str:
    """Return YAML as rosbag2 reads it."""
    return str(yaml.dump(dict(content), Dumper=PlainDumper, sort_keys=False))


def write(directory: Path, content: Mapping[str, Any]) -> None:
    """Replace ``metadata.yaml`` in one step.

    Raises:
        OSError: The disk does not take it; the old file stays.
    """
    replace(directory / 'metadata.yaml', text({'rosbag2_bagfile_information': dict(content)}))


def replace(path: Path, content: str) -> None:
    """Write a small file beside and rename it, so that it is whole at any time.

    Raises:
        OSError: The disk does not take it; the old file stays.
    """
    beside = path.with_name(path.name + '.tmp')
    with beside.open('w', encoding='utf-8') as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
