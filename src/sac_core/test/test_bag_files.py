"""Bags open everywhere, and hold what was written."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
import random
from typing import Any

from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
import numpy as np
import pytest
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import get_typestore, Stores
import yaml

from sac_core.bag import BagError, BagReader, BagWriter, Definitions
from sac_core.bag.storage import inspect
from sac_core.bag.transitions import key, SequenceSets, TRANSITION, transitions

from .bag_samples import payload, write

MESSAGES = Path(__file__).resolve().parents[2] / 'sac_msgs' / 'msg'


def plain(value: Any) -> Any:
    """Return nested values without their classes, for comparison over libraries."""
    if hasattr(value, '__slots__') and not isinstance(value, np.generic):
        return {n: plain(getattr(value, n)) for n in value.__slots__}
    if hasattr(value, '__dataclass_fields__'):
        return {n: plain(getattr(value, n)) for n in value.__dataclass_fields__ if n[0].islower()}
    if isinstance(value, bytes):
        return list(value)
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def test_messages_come_back_as_written(tmp_path, definitions, storage) -> None:
    write(tmp_path / 'bag', definitions, range(1, 50), storage).close()
    found = list(BagReader(tmp_path / 'bag').messages())
    assert [m.data for m in found] == [payload(definitions, n) for n in range(1, 50)]
    assert found[0].stamp == 1_700_000_000_000_000_001


def test_rosbags_reads_every_field_without_our_packages(tmp_path, definitions, storage) -> None:
    write(tmp_path / 'bag', definitions, range(1, 50), storage, split_bytes=1 << 14).close()
    expected = [plain(definitions.decode(payload(definitions, n), TRANSITION)) for n in (1, 49)]
    with AnyReader([tmp_path / 'bag']) as reader:
        assert reader.message_count == 49
        assert reader.topics['/transition'].msgtype == TRANSITION
        found = [reader.deserialize(raw, c.msgtype) for c, _, raw in reader.messages()]
    assert [plain(found[0]), plain(found[-1])] == expected


def test_mcap_reads_every_field_without_our_packages(tmp_path, definitions) -> None:
    write(tmp_path / 'bag', definitions, range(1, 50)).close()
    with (tmp_path / 'bag' / 'bag_0.mcap').open('rb') as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()])
        found = [message for _, _, _, message in reader.iter_decoded_messages()]
    assert len(found) == 49
    expected = definitions.decode(payload(definitions, 49), TRANSITION)
    names = [n for n in expected.__dataclass_fields__ if n[0].islower()]
    for name in set(names) - {'header', 'observation', 'next_observation'}:
        assert plain(getattr(found[-1], name)) == plain(getattr(expected, name)), name
    for name in ('vector', 'sensors', 'image'):
        ours = getattr(expected.observation, name)
        assert list(getattr(found[-1].observation, name)) == list(ours)


def test_definitions_in_the_bag_keep_their_comments(tmp_path, definitions) -> None:
    write(tmp_path / 'bag', definitions, range(1, 2)).close()
    with (tmp_path / 'bag' / 'bag_0.mcap').open('rb') as file:
        schemas = make_reader(file).get_summary().schemas.values()
    text = next(s for s in schemas if s.name == TRANSITION).data.decode()
    assert '# the task ended: next_observation has no value' in text
    assert 'MSG: sac_msgs/Observation' in text


def test_metadata_is_that_of_rosbag2_version_9(tmp_path, definitions, storage) -> None:
    write(tmp_path / 'bag', definitions, range(1, 50), storage, split_bytes=1 << 14).close()
    content = yaml.safe_load((tmp_path / 'bag' / 'metadata.yaml').read_text())
    info = content['rosbag2_bagfile_information']
    assert info['version'] == 9
    assert info['storage_identifier'] == storage
    assert info['message_count'] == 49 == sum(f['message_count'] for f in info['files'])
    assert len(info['relative_file_paths']) > 1
    topic = info['topics_with_message_count'][0]['topic_metadata']
    assert topic['type_description_hash'].startswith('RIHS01_')
    assert (
        info['topics_with_message_count'][1]['topic_metadata']['offered_qos_profiles'][0][
            'durability'
        ]
        == 'transient_local'
    )


def test_bags_of_other_writers_are_read(tmp_path, definitions) -> None:
    store = get_typestore(Stores.ROS2_KILTED)
    text = store.types['std_msgs/msg/String']
    for plugin in (StoragePlugin.MCAP, StoragePlugin.SQLITE3):
        bag = tmp_path / plugin.name
        with Writer(bag, version=9, storage_plugin=plugin) as writer:
            connection = writer.add_connection('/chatter', 'std_msgs/msg/String', typestore=store)
            for n in range(5):
                raw = store.serialize_cdr(text(data=f'hello {n}'), 'std_msgs/msg/String')
                writer.write(connection, n, raw)
        reader = BagReader(bag)
        assert [reader.decode(m).data for m in reader.messages()] == [
            f'hello {n}' for n in range(5)
        ]


def test_two_bags_are_read_one_after_the_other(tmp_path, definitions) -> None:
    write(tmp_path / 'a', definitions, range(1, 10)).close()
    write(tmp_path / 'b', definitions, range(10, 20), 'sqlite3').close()
    found = transitions([tmp_path / 'a', tmp_path / 'b'])
    assert [t.sequence for t in found] == list(range(1, 20))


def test_a_transition_that_is_there_twice_comes_once(tmp_path, definitions) -> None:
    write(tmp_path / 'a', definitions, range(1, 10)).close()
    write(tmp_path / 'b', definitions, range(5, 20)).close()
    found = transitions([tmp_path / 'b', tmp_path / 'a'])
    assert sorted(t.sequence for t in found) == list(range(1, 20))


def test_the_key_is_read_without_decoding(definitions) -> None:
    found = key(payload(definitions, 123))
    assert found == ('robot', 'abc', 123, 12, 3)
    assert str(found) == 'step 3 of episode 12 (sequence 123)'


def test_bytes_that_are_no_transition_have_no_key() -> None:
    chance = random.Random(0)
    for _ in range(2000):
        data = bytes([0, 1, 0, 0]) + chance.randbytes(chance.randrange(200))
        with suppress(BagError):
            key(data)


def test_numbers_met_are_kept_as_a_range() -> None:
    seen = SequenceSets()
    numbers = [3, 1, 2, 2, 1, 4, 4, 6, 5, 6]
    new = [n for n in numbers if seen.add(_key(n))]
    assert new == [3, 1, 2, 4, 6, 5]
    assert not seen._beyond[('robot', 'abc')]


def _key(sequence: int) -> Any:
    from sac_core.bag.transitions import Key

    return Key('robot', 'abc', sequence, 0, 0)


def test_what_a_file_holds_is_read_from_its_end(tmp_path, definitions, storage) -> None:
    write(tmp_path / 'bag', definitions, range(1, 30), storage).close()
    info = inspect(BagReader(tmp_path / 'bag').files[0])
    assert info.counts['/transition'] == info.count == 29
    assert info.end - info.start == 28


def test_a_changed_message_definition_asks_for_another_bag(tmp_path, definitions) -> None:
    write(tmp_path / 'bag', definitions, range(1, 3)).close()
    folder = tmp_path / 'changed'
    folder.mkdir()
    for path in MESSAGES.glob('*.msg'):
        (folder / path.name).write_text(path.read_text())
    with (folder / 'Transition.msg').open('a') as file:
        file.write('\nfloat64 more\n')
    writer = BagWriter(tmp_path / 'bag', definitions=Definitions({'sac_msgs': folder}))
    with pytest.raises(BagError, match='begin another bag'):
        writer.add_topic('/transition', TRANSITION)
    writer.close()


@pytest.fixture
def others(tmp_path, definitions) -> Iterator[BagWriter]:
    writer = write(tmp_path / 'bag', definitions, range(1, 3))
    yield writer
    writer.close()


def test_one_bag_has_one_writer(others, tmp_path) -> None:
    with pytest.raises(BagError, match='another process writes'):
        BagWriter(tmp_path / 'bag')


def test_a_bag_keeps_its_storage(others, tmp_path) -> None:
    others.close()
    with pytest.raises(BagError, match='is a mcap bag and cannot go on as sqlite3'):
        BagWriter(tmp_path / 'bag', storage='sqlite3')


def test_an_unknown_topic_or_type_is_refused(others) -> None:
    with pytest.raises(BagError, match='is not described'):
        others.write('/other', 0, b'')
    with pytest.raises(BagError, match='no definition of other_msgs/msg/Thing'):
        others.add_topic('/other', 'other_msgs/msg/Thing')
