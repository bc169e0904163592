"""Which weights are adopted."""

from dataclasses import replace
import re

import numpy as np
import pytest

from sac_agent.policy.store import KEPT, PolicyOffer, PolicyStore
from sac_core.policy_format import Architecture, checksum, layout, pack
from sac_core.spec import AgentSpec, ObservationSpec

SPEC = AgentSpec(
    agent_id='r', stream_id='s', task='t', control_period=0.1,
    observation=ObservationSpec(names=('a', 'b', 'c')), action_names=('u', 'v'),
)  # fmt: skip
ARCHITECTURE = Architecture(3, 2, hidden=(4,))


def offer(version=1, architecture=ARCHITECTURE, spread=0.1, **changes):
    rng = np.random.default_rng(version)
    arrays = {n: spread * rng.standard_normal(s) for n, s in layout(architecture)}
    arrays['observation.std'] = np.ones(architecture.vector_size)
    data = pack(arrays, architecture)
    return replace(
        PolicyOffer('l', version, version, SPEC.spec_hash(), architecture.to_json(),
                    checksum(data), data),
        **changes,
    )  # fmt: skip


@pytest.fixture
def store():
    return PolicyStore(SPEC)


def test_good_weights_act_after_adoption_only(store):
    assert store.offer(offer(1)) == ''
    assert store.current is None
    assert store.adopt()
    assert store.version == 1
    assert not store.adopt()


def changed(data, position, value):
    broken = bytearray(data)
    broken[position : position + 4] = np.float32(value).tobytes()
    return bytes(broken)


def with_data(data):
    return {'data': data, 'crc32': checksum(data)}


GOOD = offer(1)


@pytest.mark.parametrize(
    ('bad', 'text'),
    [
        (replace(GOOD, crc32=1), 'version 1: checksum is 0x'),
        (replace(GOOD, spec_hash='other'), "version 1: trained for spec 'other', this agent has"),
        (replace(GOOD, architecture='{'), 'no policy architecture'),
        (replace(GOOD, **with_data(GOOD.data[:-4])), 'weights must be .* bytes long'),
        (replace(GOOD, **with_data(changed(GOOD.data, 40, np.nan))), 'not finite'),
        (replace(GOOD, **with_data(changed(GOOD.data, 12, 0.0))), 'observation.std must be pos'),
        (
            offer(1, Architecture(4, 2, hidden=(4,))),
            r'are \(4, None, 2\), the agent needs \(3, No',
        ),
        (offer(1, Architecture(3, 1, hidden=(4,))), r'the agent needs \(3, None, 2\)'),
    ],
)
def test_bad_weights_are_refused_with_a_reason(store, bad, text):
    with pytest.raises(AssertionError, match=text):
        assert not store.offer(bad), store.refusal
    assert store.refused == 1
    assert not store.adopt()


def test_random_bytes_never_raise(store):
    rng = np.random.default_rng(0)
    for i in range(300):
        data = bytearray(GOOD.data)
        for position in rng.integers(0, len(data), 8):
            data[position] = rng.integers(0, 256)
        text = bytearray(GOOD.architecture.encode())
        if i % 2:
            text[rng.integers(0, len(text))] = rng.integers(32, 127)
        store.offer(
            replace(GOOD, **with_data(bytes(data)), architecture=text.decode(), version=i + 2)
        )
    assert store.refused > 100


def with_average(made, **changes):
    averaged = offer(made.version + 100).data
    return replace(made, **{'averaged': averaged, 'averaged_crc32': checksum(averaged)} | changes)


def test_an_average_is_evaluated_and_the_learning_policy_explores(store):
    assert store.offer(with_average(offer(1))) == ''
    store.adopt()
    explores, evaluated = store.current.network, store.current.evaluated
    x = np.ones(3)
    expected = PolicyStore(SPEC)
    expected.offer(offer(101))
    assert not np.array_equal(explores.act(x)[0], evaluated.act(x)[0])
    np.testing.assert_array_equal(evaluated.act(x)[0], expected.newest.network.act(x)[0])
    assert expected.newest.evaluated is expected.newest.network


@pytest.mark.parametrize(
    ('changes', 'text'),
    [
        ({'averaged_crc32': 1}, 'version 1: checksum is 0x'),
        ({'averaged': b'1234', 'averaged_crc32': checksum(b'1234')}, 'must be .* bytes long'),
    ],
)
def test_an_average_passes_the_same_checks(store, changes, text):
    assert re.search(text, store.offer(with_average(GOOD, **changes)))
    assert store.newest is None


def test_the_average_that_a_kept_policy_lacks_comes_with_the_same_version(store):
    store.offer(offer(5))
    store.adopt()
    assert store.offer(with_average(offer(5))) == ''
    assert store.adopt()
    assert store.current.averaged is not None
    assert store.offer(with_average(offer(5))) == ''
    assert not store.adopt()
    assert store.refused == 0


def test_older_weights_of_the_same_learner_are_refused_and_repeated_ones_ignored(store):
    store.offer(offer(5))
    assert store.offer(offer(5)) == ''
    assert store.refused == 0
    assert 'version 4 is older than version 5' in store.offer(offer(4))
    assert store.refused == 1


def test_a_learner_that_came_back_with_a_lower_version_is_followed(store):
    store.offer(offer(5))
    assert store.offer(replace(offer(3), learner_id='restarted')) == ''
    store.adopt()
    assert store.version == 3


def test_rollback_stays_until_the_newest_is_asked_for(store):
    for version in (1, 2, 3):
        store.offer(offer(version))
        store.adopt()
    assert store.rollback(2).version == 2
    store.offer(offer(4))
    assert not store.adopt()
    assert store.version == 2
    store.rollback(4)
    store.offer(offer(5))
    assert store.adopt()
    assert store.version == 5


def test_the_best_policy_is_held_however_old(store):
    store.offer(offer(1))
    store.adopt()
    store.mark_best()
    for version in range(2, KEPT + 5):
        store.offer(offer(version))
        store.adopt()
    assert store.rollback().version == 1


def test_rollback_names_what_is_held(store):
    with pytest.raises(ValueError, match='no policy was evaluated yet'):
        store.rollback()
    store.offer(offer(1))
    with pytest.raises(ValueError, match=r'version 7 is not held; there are \[1\]'):
        store.rollback(7)
