"""Exported policies are the policy, with normaliser, squashing and scaling inside."""

import numpy as np
import pytest
import torch

from sac_core.policy_format import Architecture, layout, save_policy
from sac_learner.gym import export
from sac_learner.gym.policy import PolicyModule
from sac_learner.sac.config import SacConfig
from sac_learner.sac.networks import Networks

LOW, HIGH = (-2.0, 0.0, -0.5), (2.0, 1.0, 0.25)
CONFIGS = {
    'vector': (None, SacConfig()),
    'layer_norm': (None, SacConfig(actor_layer_norm=True, actor_activation='silu')),
    'paper': ((32, 32, 3), SacConfig(encoder='paper', actor_activation='tanh')),
    'stride2': ((32, 32, 3), SacConfig(encoder='stride2', actor_activation='elu')),
}


@pytest.fixture(params=CONFIGS)
def policy(request, tmp_path):
    """Return architecture, arrays, and the file they are stored in."""
    image_shape, config = CONFIGS[request.param]
    architecture: Architecture = Networks.of(17, image_shape, 3, config).actor
    rng = np.random.default_rng(5)
    arrays = {}
    for name, shape in layout(architecture):
        fan = np.prod(shape[1:]) if name.startswith('encoder') else shape[0]
        arrays[name] = (rng.normal(size=shape) / np.sqrt(fan)).astype(np.float32)
    arrays['observation.std'] = np.full(17, 2.5, np.float32)
    path = tmp_path / 'policy.safetensors'
    save_policy(path, arrays, architecture)
    return architecture, arrays, path


def observations(architecture, count):
    rng = np.random.default_rng(6)
    vector = rng.normal(0, 2, (count, 17)).astype(np.float32)
    if architecture.image_shape is None:
        return (vector,)
    return vector, rng.integers(0, 256, (count, *architecture.image_shape), dtype=np.uint8)


def exported(path, form):
    bounds = ['--low', *map(str, LOW), '--high', *map(str, HIGH)]
    assert export.main([str(path), '--format', form, *bounds]) == 0
    return path.with_suffix(export.SUFFIXES[form])


@pytest.mark.parametrize('count', [1, 5])
def test_torchscript_equals_the_policy(policy, count):
    architecture, arrays, path = policy
    file = exported(path, 'torchscript')
    seen = [torch.from_numpy(part) for part in observations(architecture, count)]
    with torch.inference_mode():
        expected = PolicyModule(architecture, arrays, LOW, HIGH)(*seen)
        got = torch.jit.load(str(file))(*seen)
    assert got.shape == (count, 3)
    torch.testing.assert_close(got, expected, atol=1e-6, rtol=0.0)
    assert (got >= torch.tensor(LOW)).all()
    assert (got <= torch.tensor(HIGH)).all()
    assert got.std() > 0.01


@pytest.mark.parametrize('count', [1, 5])
def test_onnx_equals_the_policy(policy, count):
    runtime = pytest.importorskip('onnxruntime')
    architecture, arrays, path = policy
    file = exported(path, 'onnx')
    assert [p.name for p in path.parent.iterdir() if 'data' in p.name] == [], 'one file'
    seen = observations(architecture, count)
    session = runtime.InferenceSession(str(file), providers=['CPUExecutionProvider'])
    got = session.run(['action'], dict(zip(('vector', 'image'), seen, strict=False)))[0]
    with torch.inference_mode():
        expected = PolicyModule(architecture, arrays, LOW, HIGH)(*map(torch.from_numpy, seen))
    assert got.shape == (count, 3)
    np.testing.assert_allclose(got, expected.numpy(), atol=1e-6, rtol=0.0)


def test_what_cannot_be_exported_is_one_line_and_status_2(tmp_path, capsys):
    assert export.main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.count('\n') == 1
    with pytest.raises(SystemExit) as ended:
        export.main([str(tmp_path), '--format', 'tar'])
    assert ended.value.code == 2
    message = capsys.readouterr().err
    assert message.count('\n') == 1
    assert 'onnx' in message
