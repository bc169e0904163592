import math

import numpy as np
import pytest

from sac_core.policy_format import (
    Architecture,
    checksum,
    ConvLayer,
    layout,
    load_policy,
    pack,
    PolicyFormatError,
    save_policy,
    unpack,
)

PAPER_ENCODER = (ConvLayer(4, 3, 1, 1, 3, 3), ConvLayer(4, 3, 1, 1, 3, 3))
STATE = Architecture(vector_size=17, action_size=6)
IMAGE = Architecture(
    vector_size=18, action_size=9, image_shape=(32, 32, 3), encoder=PAPER_ENCODER, layer_norm=True
)


def arrays_for(architecture, seed=0):
    rng = np.random.default_rng(seed)
    return {n: rng.normal(size=s).astype(np.float32) for n, s in layout(architecture)}


@pytest.mark.parametrize('architecture', [STATE, IMAGE])
def test_pack_then_unpack_gives_the_same_arrays(architecture):
    arrays = arrays_for(architecture)
    again = unpack(pack(arrays, architecture), architecture)
    assert all(np.array_equal(arrays[name], again[name]) for name in arrays)


@pytest.mark.parametrize('architecture', [STATE, IMAGE])
def test_architecture_survives_its_text_form(architecture):
    assert Architecture.from_json(architecture.to_json()) == architecture


def test_paper_encoder_gives_36_features():
    assert IMAGE.feature_size == 36


def test_file_round_trip(tmp_path):
    arrays = arrays_for(IMAGE)
    save_policy(tmp_path / 'p.safetensors', arrays, IMAGE, {'spec_hash': 'abc'})
    architecture, again, metadata = load_policy(tmp_path / 'p.safetensors')
    assert architecture == IMAGE
    assert metadata['spec_hash'] == 'abc'
    assert all(np.array_equal(arrays[name], again[name]) for name in arrays)


def test_weights_of_another_size_are_refused():
    with pytest.raises(PolicyFormatError, match='bytes long'):
        unpack(pack(arrays_for(STATE), STATE)[:-4], STATE)


@pytest.mark.parametrize('bad', [math.nan, math.inf])
def test_numbers_that_are_not_finite_are_refused(bad):
    data = bytearray(pack(arrays_for(STATE), STATE))
    data[400:404] = np.float32(bad).tobytes()
    with pytest.raises(PolicyFormatError, match='not finite'):
        unpack(bytes(data), STATE)


def test_missing_and_superfluous_arrays_are_named():
    arrays = arrays_for(STATE)
    arrays['extra'] = arrays.pop('mean.bias')
    with pytest.raises(PolicyFormatError, match=r"lack \['mean.bias'\].*\['extra'\]"):
        pack(arrays, STATE)


@pytest.mark.parametrize(
    'text', ['', '[]', '{}', 'null', '{"hidden": 3}', '{"vector_size": "x"}', '\x00']
)
def test_malformed_architecture_is_refused(text):
    with pytest.raises(PolicyFormatError):
        Architecture.from_json(text)


@pytest.mark.parametrize('content', [b'', b'not a policy', bytes(100)])
def test_malformed_file_is_refused(tmp_path, content):
    path = tmp_path / 'p.safetensors'
    path.write_bytes(content)
    with pytest.raises(PolicyFormatError, match='is no policy file'):
        load_policy(path)


def test_checksum_sees_one_flipped_bit():
    data = bytearray(pack(arrays_for(STATE), STATE))
    before = checksum(bytes(data))
    data[1000] ^= 1
    assert checksum(bytes(data)) != before
