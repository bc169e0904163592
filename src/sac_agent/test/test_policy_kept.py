"""The policy that an agent goes on with after a restart."""

from dataclasses import replace
import os
from pathlib import Path
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from sac_agent.policy import kept
from sac_agent.policy.kept import KeptPolicy, NAME
from sac_agent.policy.store import HeldPolicy, PolicyOffer, PolicyStore
from sac_core.policy_format import (
    Architecture,
    checksum,
    layout,
    load_policy,
    pack,
    save_policy,
    unpack,
)
from sac_core.spec import AgentSpec, ObservationSpec

SPEC = AgentSpec(
    agent_id='r', stream_id='s', task='t', control_period=0.1,
    observation=ObservationSpec(names=('a', 'b', 'c')), action_names=('u', 'v'),
)  # fmt: skip
ARCHITECTURE = Architecture(3, 2, hidden=(4,))


def offer(version, **changes):
    rng = np.random.default_rng(version)
    arrays = {n: 0.1 * rng.standard_normal(s) for n, s in layout(ARCHITECTURE)}
    arrays['observation.std'] = np.ones(3)
    data = pack(arrays, ARCHITECTURE)
    made = PolicyOffer('l', version, 10**18 + version, SPEC.spec_hash(), ARCHITECTURE.to_json(),
                       checksum(data), data, updates=7)  # fmt: skip
    return replace(made, **changes)


def in_use(version):
    store = PolicyStore(SPEC)
    assert store.offer(offer(version)) == ''
    store.adopt()
    return store.current


def keep(directory, *versions):
    files = KeptPolicy(directory)
    for version in versions:
        files.keep(in_use(version))
    files.close()
    return files


def version_in(path):
    return int(load_policy(path)[2]['version'])


def test_a_new_directory_holds_none(tmp_path):
    files = KeptPolicy(tmp_path)
    assert files.load() is None
    files.keep(None)
    files.close()
    assert not list(tmp_path.iterdir())


def test_what_was_kept_comes_back_bit_for_bit_and_is_adopted(tmp_path):
    keep(tmp_path, 3)
    loaded = KeptPolicy(tmp_path).load()
    assert loaded == offer(3)
    store = PolicyStore(SPEC)
    assert store.offer(loaded) == ''
    assert store.adopt()
    assert store.version == 3
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_without_a_directory_nothing_is_kept_or_loaded():
    files = KeptPolicy(None)
    files.keep(in_use(1))
    assert files.load() is None
    files.close()


def test_a_policy_from_a_file_is_not_kept(tmp_path):
    files = KeptPolicy(tmp_path)
    files.keep(HeldPolicy('file', 1, 0, in_use(1).network))
    files.close()
    assert not list(tmp_path.iterdir())


def test_the_first_is_written_at_once_the_newest_within_the_period_and_at_the_end(tmp_path):
    files, path = KeptPolicy(tmp_path), tmp_path / NAME
    files.keep(in_use(1))
    end = time.monotonic() + 5.0
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.005)
    for version in range(2, 6):
        files.keep(in_use(version))
    assert version_in(path) == 1
    files.close()
    assert version_in(path) == 5


def test_policies_that_come_faster_than_they_are_written_take_turns(tmp_path, monkeypatch):
    monkeypatch.setattr(kept, 'PERIOD', 0.1)
    files, written = KeptPolicy(tmp_path), set()
    end, version = time.monotonic() + 0.55, 0
    while time.monotonic() < end:
        version += 1
        files.keep(in_use(version))
        if (tmp_path / NAME).exists():
            written.add(version_in(tmp_path / NAME))
        time.sleep(0.002)
    files.close()
    assert 2 <= len(written) <= 7 < version


def test_a_policy_that_was_loaded_is_not_written_again(tmp_path):
    keep(tmp_path, 3)
    before = (tmp_path / NAME).stat().st_mtime_ns
    files, store = KeptPolicy(tmp_path), PolicyStore(SPEC)
    store.offer(files.load())
    store.adopt()
    files.keep(store.current)
    files.close()
    assert (tmp_path / NAME).stat().st_mtime_ns == before


def test_a_learner_that_begins_anew_is_followed_with_lower_versions(tmp_path):
    keep(tmp_path, 300)
    store = PolicyStore(SPEC)
    store.offer(KeptPolicy(tmp_path).load())
    store.adopt()
    assert 'older than version 300' in store.offer(offer(299))  # the same life of the learner
    assert store.offer(offer(1, learner_id='anew')) == ''
    store.adopt()
    assert store.version == 1


def test_a_policy_of_another_robot_is_refused_by_the_check_of_messages(tmp_path):
    keep(tmp_path, 3)
    other = PolicyStore(replace(SPEC, control_period=0.05))
    assert 'trained for spec' in other.offer(KeptPolicy(tmp_path).load())
    assert not other.adopt()


def test_a_damaged_file_is_refused_whatever_byte_it_is(tmp_path):
    keep(tmp_path, 3)
    whole = (tmp_path / NAME).read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.permutation(len(whole))[:400]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << rng.integers(8)
        (tmp_path / NAME).write_bytes(damaged)
        assert _taken(tmp_path) in (None, offer(3)), f'byte {place}'
    for length in rng.integers(0, len(whole), 20):
        (tmp_path / NAME).write_bytes(whole[:length])
        assert _taken(tmp_path) is None


def _taken(directory):
    """Return what is loaded and accepted, None where it is refused with a reason."""
    store = PolicyStore(SPEC)
    try:
        loaded = KeptPolicy(directory).load()
        reason = store.offer(loaded)
    except ValueError as error:
        reason = str(error)
    assert reason or store.adopt()
    return None if reason else loaded


def test_a_policy_file_of_somebody_else_is_refused(tmp_path):
    made = offer(3)
    save_policy(tmp_path / NAME, unpack(made.data, ARCHITECTURE), ARCHITECTURE, {'version': '3'})
    with pytest.raises(ValueError, match="was kept by no agent: no 'learner_id'"):
        KeptPolicy(tmp_path).load()


def test_a_disk_that_does_not_take_it_is_a_problem_to_tell_and_then_none(tmp_path, monkeypatch):
    monkeypatch.setattr(kept, 'PERIOD', 0.01)
    directory = tmp_path / 'gone'
    files = KeptPolicy(directory)
    files.keep(in_use(1))
    end = time.monotonic() + 5.0
    while not files.problem and time.monotonic() < end:
        time.sleep(0.005)
    assert 'the policy cannot be kept' in files.problem
    directory.mkdir()
    while files.problem and time.monotonic() < end:
        time.sleep(0.005)
    assert files.problem == ''
    files.close()
    assert version_in(directory / NAME) == 1


WRITER = """
import sys, time
from pathlib import Path
from sac_agent.policy import kept
kept.PERIOD = 0.0
from test_policy_kept import in_use, KeptPolicy
files = KeptPolicy(Path(sys.argv[1]))
policies = [in_use(version) for version in range(1, 50)]
print('ready', flush=True)
while True:
    for policy in policies:
        files.keep(policy)
        time.sleep(0.001)
"""


def test_a_kill_while_writing_leaves_a_whole_policy(tmp_path):
    rng = np.random.default_rng(0)
    for _ in range(4):
        command = [sys.executable, '-c', WRITER, str(tmp_path)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=_environment()
        ) as writer:
            assert writer.stdout.readline() == 'ready\n'
            time.sleep(rng.uniform(0.05, 0.15))
            writer.send_signal(signal.SIGKILL)
        loaded = KeptPolicy(tmp_path).load()
        assert loaded == offer(loaded.version)


def _environment():
    paths = [str(Path(__file__).parent), *sys.path]
    return {**os.environ, 'PYTHONPATH': os.pathsep.join(p for p in paths if p)}
