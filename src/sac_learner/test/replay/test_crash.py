"""The replay after a kill, a power failure, and on a full disk."""

from __future__ import annotations

import os
from pathlib import Path
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from sac_learner.replay import files, recovery, Replay, ReplayFullDiskError

from .steps import fill, make, step

PACKAGE = Path(__file__).resolve().parents[2]

WRITER = """
import sys
import numpy as np
sys.path.insert(0, {tests!r})
from sac_learner.replay import Replay
from steps import step
replay = Replay({directory!r}, 500, 2, None, 1)
counts = replay.received()
for _ in range(10**9):
    for stream in ('a', 'b'):
        counts[stream] = sequence = counts.get(stream, 0) + 1
        replay.append(stream, step(sequence, truncated=sequence % 7 == 0))
        if sequence % 11 == 0:
            counts[stream] += 1
            replay.skip(stream, sequence + 1)
        if sequence % 50 == 0:
            replay.flush()
    print(counts['a'], counts['b'], flush=True)
"""


def kill_a_writer(directory: Path, delay: float) -> tuple[int, int]:
    """Have a process append, kill it, and return what it last said it had appended."""
    code = WRITER.format(tests=str(Path(__file__).parent), directory=str(directory))
    paths = [str(PACKAGE), *filter(None, [os.environ.get('PYTHONPATH')])]
    child = subprocess.Popen(
        [sys.executable, '-c', code],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(paths)},
    )
    child.stdout.readline()
    time.sleep(delay)
    child.send_signal(signal.SIGKILL)
    lines = child.communicate()[0].splitlines()
    # The last line may be cut short by the kill.
    whole = [line for line in lines[:-1] if line.count(' ') == 1]
    return tuple(int(word) for word in whole[-1].split()) if whole else (0, 0)


def check_writer(directory: Path) -> tuple[int, int]:
    """Check every transition of a killed writer's replay, and return the watermarks."""
    replay = Replay.open(directory)
    assert replay.size == len(replay.positions())
    batch = replay.gather(replay.positions())
    sequences = [sequence for _, sequence in replay.identities(replay.positions())]
    np.testing.assert_array_equal(batch.reward, np.array(sequences, np.float32))
    np.testing.assert_array_equal(batch.vector[:, 0], batch.reward - 1)
    np.testing.assert_array_equal(batch.next_vector[:, 0], batch.reward)
    np.testing.assert_array_equal(batch.action[:, 0], batch.reward)
    for stream in ('a', 'b'):
        own = [s for name, s in replay.identities(replay.positions()) if name == stream]
        assert own == sorted(set(own)), 'no sequence twice'
        kept = {s for s in range(own[0], own[-1] + 1) if s % 11 != 1}
        assert kept <= set(own), 'only what was skipped is missing'
        assert replay.received()[stream] - own[-1] in (0, 1)
    received = replay.received()
    replay.close()
    return received['a'], received['b']


def test_a_killed_process_leaves_all_it_appended_and_nothing_half_done(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for _ in range(int(os.environ.get('SAC_REPLAY_KILLS', '5'))):
        told = kill_a_writer(tmp_path, float(rng.uniform(0, 0.2)))
        found = check_writer(tmp_path)
        assert found[0] >= told[0]
        assert found[1] >= told[1]


def test_after_a_power_failure_only_flushed_slots_count(tmp_path: Path, monkeypatch) -> None:
    replay = make(tmp_path)
    fill(replay, 1, 150)
    replay.flush()
    content = replay.gather(replay.positions()).reward
    fill(replay, 151, 180)
    replay.append('late', step(1))
    replay._storage.close()  # gone without flushing
    monkeypatch.setattr(recovery, 'boot_id', lambda: 'after the power failure')
    replay = Replay.open(tmp_path)
    assert replay.received() == replay.durable() == {'a': 150, 'late': 0}
    np.testing.assert_array_equal(replay.gather(replay.positions()).reward, content)
    fill(replay, 151, 180)
    assert replay.size == len(replay.positions())
    np.testing.assert_array_equal(
        replay.gather(replay.positions()).reward, np.arange(181 - replay.size, 181)
    )


def test_what_was_flushed_is_never_overwritten_by_what_was_not(tmp_path: Path) -> None:
    replay = make(tmp_path, reserve=20)
    for sequence in range(1, 500):
        replay.append('a', step(sequence))
        assert replay.head - replay._state.durable().head <= replay.layout.reserve


def test_a_full_disk_refuses_the_append_and_leaves_the_rest(tmp_path: Path, monkeypatch) -> None:
    replay = make(tmp_path, 5000)
    fill(replay, 1, 1000)

    def no_room(*_):
        raise OSError(28, 'No space left on device')

    with monkeypatch.context() as context:
        context.setattr(files.os, 'posix_fallocate', no_room)
        with pytest.raises(ReplayFullDiskError, match='free some space'):
            fill(replay, 1001, 2000)
        reached = replay.count
        assert 1000 <= reached < 1100
        replay.sample(8, np.random.default_rng(0))
        replay.flush()
    fill(replay, reached + 1, 2000)
    assert replay.count == 2000


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


def test_a_really_full_disk_is_an_error_and_not_the_end_of_the_process(small_disk: Path) -> None:
    replay = make(small_disk / 'replay', 1_000_000)
    with pytest.raises(ReplayFullDiskError, match='No space left on device'):
        fill(replay, 1, 1_000_000)
    reached = replay.count
    assert reached > 1000
    replay.sample(8, np.random.default_rng(0))
    with pytest.raises(ReplayFullDiskError):
        fill(replay, reached + 1, reached + 1)
    subprocess.run(['mount', '-o', 'remount,size=2m', str(small_disk)], check=True)
    fill(replay, reached + 1, reached + 2000)
    assert replay.size == reached + 2000
    replay.close()
