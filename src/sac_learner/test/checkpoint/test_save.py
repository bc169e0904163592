"""Checkpoints: complete or not there at all, and never a hindrance to training."""

from __future__ import annotations

import json
import os
from pathlib import Path
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from sac_core.policy_format import Architecture, layout, load_policy
from sac_learner.checkpoint import (
    CheckpointError,
    Checkpoints,
    generator_state,
    PolicySnapshot,
    restore_generator,
    Snapshot,
    stored,
)

SOURCES = [str(Path(__file__).resolve().parents[3] / name) for name in ('sac_core', 'sac_learner')]
ARCHITECTURE = Architecture(vector_size=3, image_shape=None, action_size=2, hidden=(8,))


def policy(value: float) -> dict[str, np.ndarray]:
    return {name: np.full(shape, value, np.float32) for name, shape in layout(ARCHITECTURE)}


def snapshot(step: int, size: int = 1000) -> Snapshot:
    return Snapshot.take(
        {'critic.weight': np.full(size, step, np.float32), 'adam.step': np.array(step)},
        {'updates': step, 'score': np.float64(0.5)},
        PolicySnapshot.take(ARCHITECTURE, policy(step), {'version': str(step)}),
    )


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    rng.normal(size=7)
    arrays = {
        'a': rng.normal(size=(3, 4)),
        'flags': np.array([True, False]),
        'empty': np.zeros((0, 2), np.float32),
        'scalar': np.array(2**60),
        'transposed': np.arange(6, dtype=np.float32).reshape(2, 3).T,
    }
    values = {'rng': generator_state(rng), 'config': {'hidden': [256, 256]}, 'none': None}
    store = Checkpoints(tmp_path)
    store.save(Snapshot.take(arrays, values))
    loaded = store.load_latest()
    assert loaded.values == values
    assert loaded.refused == ()
    for name, array in arrays.items():
        np.testing.assert_array_equal(loaded.arrays[name], array)
        assert loaded.arrays[name].dtype == array.dtype
    again = np.random.default_rng()
    restore_generator(again, loaded.values['rng'])
    assert again.integers(2**60) == rng.integers(2**60)


def test_the_policy_of_a_checkpoint_is_what_an_agent_loads(tmp_path: Path) -> None:
    path = Checkpoints(tmp_path).save(snapshot(5))
    architecture, arrays, metadata = load_policy(path / 'policy.safetensors')
    assert architecture == ARCHITECTURE
    assert metadata['version'] == '5'
    assert (arrays['mean.bias'] == 5).all()


def test_where_nothing_was_saved_there_is_nothing_to_load(tmp_path: Path) -> None:
    assert Checkpoints(tmp_path / 'new').load_latest() is None


def test_the_newest_are_kept_and_the_best_policy_beside_them(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path, keep=3)
    store.save_best(ARCHITECTURE, policy(1.0), {'updates': '1'})
    assert store.wait(10.0)
    for step in range(1, 8):
        store.save(snapshot(step))
    assert [path.name for path in store.paths()] == [f'checkpoint_00000{k}' for k in (5, 6, 7)]
    assert load_policy(tmp_path / 'best' / 'policy.safetensors')[2]['updates'] == '1'
    store.save_best(ARCHITECTURE, policy(2.0), {'updates': '6'})
    store.close()
    assert load_policy(tmp_path / 'best' / 'policy.safetensors')[2]['updates'] == '6'
    assert Checkpoints(tmp_path).load_latest().values['updates'] == 7


def damage_manifest(path: Path) -> None:
    content = json.loads((path / 'manifest.json').read_text())
    content['values']['updates'] += 1
    (path / 'manifest.json').write_text(json.dumps(content))


def flip_a_byte(path: Path) -> None:
    data = bytearray((path / 'sac.safetensors').read_bytes())
    data[-1] ^= 1
    (path / 'sac.safetensors').write_bytes(bytes(data))


@pytest.mark.parametrize(
    ('damage', 'reason'),
    [
        (lambda path: (path / 'manifest.json').unlink(), 'manifest.json is missing'),
        (lambda path: (path / 'manifest.json').write_text('{"fil'), 'manifest.json is damaged'),
        (lambda path: (path / 'manifest.json').write_text('[]'), 'manifest.json is damaged'),
        (damage_manifest, 'its digest does not match'),
        (lambda path: (path / 'sac.safetensors').unlink(), 'sac.safetensors is missing'),
        (lambda path: (path / 'policy.safetensors').unlink(), 'policy.safetensors is missing'),
        (flip_a_byte, 'its sha256 is'),
        (lambda path: os.truncate(path / 'sac.safetensors', 100), 'its size is 100 instead of'),
    ],
)
def test_a_damaged_checkpoint_is_refused_for_the_one_before(tmp_path, damage, reason) -> None:
    store = Checkpoints(tmp_path)
    store.save(snapshot(1))
    damage(store.save(snapshot(2)))
    loaded = store.load_latest()
    assert loaded.values['updates'] == 1
    assert len(loaded.refused) == 1
    assert loaded.refused[0].startswith('checkpoint_000002: ')
    assert reason in loaded.refused[0]


def test_a_run_never_begins_anew_by_itself(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    for step in (1, 2):
        flip_a_byte(store.save(snapshot(step)))
    with pytest.raises(CheckpointError, match=r'none of the 2 .*000002: .*000001: .*Restore one'):
        store.load_latest()


def test_a_checkpoint_that_does_not_fit_the_run_is_refused(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    store.save(snapshot(1))
    store.save(snapshot(2))

    def check(checkpoint) -> None:
        if checkpoint.values['updates'] > 1:
            raise ValueError('its replay is gone')

    assert store.load_latest(check).refused == ('checkpoint_000002: its replay is gone',)


def test_saving_in_the_background_does_not_wait_for_the_disk(tmp_path: Path) -> None:
    disk = threading.Event()
    order = []

    def flush() -> None:
        assert disk.wait(60.0)
        order.append('replay flushed')

    store = Checkpoints(tmp_path, before=flush)
    arrays = {'weights': np.zeros((256, 1024), np.float32)}
    for step in range(5):
        store.save_soon(Snapshot.take(arrays, {'updates': step}))
        arrays['weights'] += 1.0  # training goes on at once
    assert store.saved == 0  # all five were handed over while nothing could be written
    disk.set()
    assert store.wait(60.0)
    store.close()
    loaded = Checkpoints(tmp_path).load_latest()
    assert loaded.values['updates'] == 4
    assert (loaded.arrays['weights'] == 4.0).all()
    assert 1 <= store.saved == len(order) <= 5
    assert store.failure == ''


def test_a_full_disk_leaves_the_old_checkpoint_and_training_alone(tmp_path, monkeypatch) -> None:
    store = Checkpoints(tmp_path)
    store.save(snapshot(1))

    def no_room(path, content):
        path.write_bytes(content[: len(content) // 2])
        raise OSError(28, 'No space left on device')

    with monkeypatch.context() as context:
        context.setattr(stored, 'write_file', no_room)
        with pytest.raises(CheckpointError, match=r'No space left on device; earlier ones are'):
            store.save(snapshot(2))
        store.save_soon(snapshot(2))
        assert store.wait(10.0)
        assert 'No space left' in store.failure
    assert store.load_latest().values['updates'] == 1
    assert [path.name for path in tmp_path.iterdir()] == ['checkpoint_000001']
    store.save_soon(snapshot(3))
    assert store.wait(10.0)
    assert store.failure == ''
    assert store.load_latest().values['updates'] == 3


@pytest.fixture
def small_disk(tmp_path: Path):
    """Return a directory on a file system of 1 MB."""
    if os.geteuid() or shutil.which('mount') is None:
        pytest.skip('only root can mount a small file system')
    command = ['mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', str(tmp_path)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip('this machine does not let a small file system be mounted')
    yield tmp_path
    subprocess.run(['umount', '-l', str(tmp_path)], check=True)


def test_a_really_full_disk_is_reported_and_survived(small_disk: Path) -> None:
    store = Checkpoints(small_disk)
    store.save(snapshot(1, 100_000))
    with pytest.raises(CheckpointError, match='No space left on device'):
        store.save(snapshot(2, 250_000))
    assert store.load_latest().values['updates'] == 1
    store.save(snapshot(3, 1000))
    assert store.load_latest().values['updates'] == 3


SAVER = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from sac_learner.checkpoint import Checkpoints
from test_save import snapshot
store = Checkpoints(Path({directory!r}), keep=2)
last = store.load_latest()
step = 0 if last is None else last.values['updates']
print('ready', flush=True)
while True:
    step += 1
    store.save(snapshot(step, 50_000))
    print(step, flush=True)
"""


def test_a_process_killed_while_saving_leaves_whole_checkpoints(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    code = SAVER.format(tests=str(Path(__file__).parent), directory=str(tmp_path))
    paths = os.pathsep.join([*SOURCES, os.environ.get('PYTHONPATH', '')])
    for _ in range(int(os.environ.get('SAC_CHECKPOINT_KILLS', '20'))):
        child = subprocess.Popen(
            [sys.executable, '-c', code],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, 'PYTHONPATH': paths},
        )
        assert child.stdout.readline() == 'ready\n'
        time.sleep(float(rng.uniform(0.0, 0.05)))
        child.send_signal(signal.SIGKILL)
        lines = [line for line in child.communicate()[0].splitlines(True) if line.endswith('\n')]
        loaded = Checkpoints(tmp_path).load_latest()
        assert loaded is None or loaded.refused == ()
        if lines:
            assert loaded.values['updates'] >= int(lines[-1]), 'what was saved is there'
        if loaded is not None:
            assert (loaded.arrays['critic.weight'] == loaded.values['updates']).all()
