"""The books of bench/chaos: what counts as changed, and which level as reached."""

import json
from pathlib import Path

import numpy as np
import pytest

from sac_learner.replay import Replay, ReplayTransition

BENCH = Path(__file__).resolve().parents[1] / 'bench'


@pytest.fixture
def account(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    from chaos import account

    return account


def episode(steps, value, **changed):
    record = {
        'kind': 'episode', 'evaluation': False, 'steps': steps, 'return': value,
        'terminated': False, 'truncation_reason': 1,
    }  # fmt: skip
    return json.dumps(record | changed)


def test_returns_are_those_of_whole_training_episodes(account, tmp_path):
    lines = [
        '{"kind": "event"}',
        episode(100, -50.0),
        episode(140, -10.0, truncation_reason=2),  # cut by a fault after 40 steps
        episode(180, 70.0, terminated=True, truncation_reason=0),
        episode(180, 500.0, evaluation=True),
        episode(280, -30.0),
        episode(380, 9.0)[:40],  # torn by a SIGKILL
    ]
    (tmp_path / 'metrics.jsonl').write_text('\n'.join(lines) + '\n')
    returns = account._returns(tmp_path / 'metrics.jsonl')
    assert returns == [(100, -50.0), (180, 70.0), (280, -30.0)]


def test_run_is_measured_against_several_others(account):
    """Levels of the valve after 2500 steps: what one seed learns by then says little."""
    others = [account.Level(-39.0, 92.0), account.Level(-271.0, 78.0), account.Level(-274.0, 73.0)]
    chaos = account.Level(-278.0, 53.0)
    assert chaos.reaches(others)
    assert not chaos.reaches(others[:1])
    assert account.Level(300.0, 50.0).reaches(others)
    assert not account.Level(-500.0, 20.0).reaches(others)
    nothing = account.Level(float('nan'), float('nan'))
    assert not nothing.reaches(others)


@pytest.mark.parametrize('what', ['vector', 'action', 'reward', 'terminated', 'next_vector'])
def test_content_in_the_replay_is_held_against_the_journal(account, tmp_path, what):
    truth = {
        'vector': np.array([1.0, 2.0], np.float32),
        'action': np.array([0.5], np.float32),
        'reward': 3.0,
        'terminated': False,
        'next_vector': np.array([1.5, 2.5], np.float32),
    }
    replay = Replay(tmp_path / 'replay', 8, 2, None, 1)
    replay.append('robot/stream', ReplayTransition(sequence=1, **truth))
    replay.close()
    ((identity, content),) = account._replayed(tmp_path / 'replay')
    assert identity == ('stream', 1)
    order = ('vector', 'action', 'reward', 'terminated', 'next_vector')
    assert content == account._content(*(truth[name] for name in order))
    other = truth | {what: not truth[what] if what == 'terminated' else truth[what] + 1.0}
    assert content != account._content(*(other[name] for name in order))


def test_commands_to_hold_are_no_steps(account):
    """The second step is under way when the driver goes limp; then the agent is killed."""
    running, waiting = 1, 0
    statuses = [[0.0, running], [1.2303, waiting]]
    commands = [[1.0, 10, 1], [1.1, 11, 2], [1.2, 12, 3], [1.2300, 13, 4], [5.0, 50, 1]]
    assert account._cut(commands, statuses, {10: False, 11: False}) == (1, 0)
    # Killed while it runs: one step is under way, one was complete and not yet written.
    assert account._cut(commands, statuses[:1], {10: False, 11: False}) == (1, 1)
