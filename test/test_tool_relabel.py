"""``relabel`` gives recorded steps new rewards and ends, and leaves the rest as it was."""

from pathlib import Path
from typing import Any

import pytest

from sac_agent.tools.relabel import main as relabel
from sac_core.bag import BagReader
from sac_core.bag.transitions import AGENT_SPEC, EPISODE, POLICY, TRANSITION, transitions

from .recorded_run import verify


def test_relabelling_with_the_same_task_changes_nothing(bag, tmp_path) -> None:
    assert relabel(['--bag', str(bag), '--output', str(tmp_path / 'new')]) == 0
    before = [m[:4] for m in BagReader(bag).messages() if m.type in (TRANSITION, POLICY)]
    after = [
        m[:4] for m in BagReader(tmp_path / 'new').messages() if m.type in (TRANSITION, POLICY)
    ]
    assert before == after
    assert verify('--bag', tmp_path / 'new')[0] == 0


def test_relabelled_transitions_differ_in_reward_and_ends_only(bag, tmp_path) -> None:
    target = tmp_path / 'new'
    arguments = ['--bag', str(bag), '--output', str(target), '--parameter', 'distance_cost:=5.0']
    assert relabel(arguments) == 0
    labels = {'reward', 'reward_terms', 'terminated', 'truncated', 'truncation_reason'}
    pairs = zip(transitions(bag), transitions(target), strict=True)
    for old, new in pairs:
        for name in old.__dataclass_fields__:
            if name[0].islower() and name not in labels | {'header'}:
                assert repr(getattr(old, name)) == repr(getattr(new, name)), name
        assert new.reward_terms[0] == 2.5 * old.reward_terms[0]
    assert verify('--bag', target)[0] == 0


def test_summaries_follow_the_new_rewards(bag, tmp_path) -> None:
    arguments = ['--bag', str(bag), '--output', str(tmp_path / 'new')]
    assert relabel([*arguments, '--reward-weight', 'distance:=0.0']) == 0
    reader = BagReader(tmp_path / 'new')
    for raw in reader.messages():
        if raw.type == EPISODE:
            summary = reader.decode(raw)
            assert summary.reward_sums[0] == 0.0
            assert summary.episode_return == pytest.approx(summary.reward_sums.sum())


def test_a_task_that_does_not_fit_the_recorded_sensors_is_refused(bag, tmp_path, capsys) -> None:
    arguments = ['--bag', str(bag), '--output', str(tmp_path / 'new')]
    assert relabel([*arguments, '--task', 'minitaur_walk']) == 2
    assert "has no element 'motor_front_leftL_joint'" in capsys.readouterr().err
    assert relabel([*arguments, '--task', 'nothing:Such']) == 2
    assert 'cannot be imported' in capsys.readouterr().err


def test_an_existing_output_is_left_alone(bag, capsys) -> None:
    assert relabel(['--bag', str(bag), '--output', str(bag)]) == 2
    assert 'exists already' in capsys.readouterr().err


ENDING = """
import numpy as np
from sac_agent.tasks.task import Task


class Ending(Task):
    reward_names = ('height',)

    def reward(self, before, action, after, history):
        return np.array([after[0] + len(history)])

    def terminated(self, after):
        return bool(after[0] > 0.0)


class Endless(Task):
    reward_names = ('nothing',)

    def reward(self, before, action, after, history):
        return np.zeros(1)
"""


@pytest.fixture
def tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'relabel_tasks.py').write_text(ENDING)
    monkeypatch.syspath_prepend(tmp_path)


def relabelled(bag: Path, target: Path, task: str) -> list[Any]:
    assert relabel(['--bag', str(bag), '--output', str(target), '--task', task]) == 0
    return list(transitions(target))


def test_an_end_inside_an_episode_begins_a_segment(bag, tmp_path, tasks) -> None:
    old = list(transitions(bag))
    new = relabelled(bag, tmp_path / 'new', 'relabel_tasks:Ending')
    assert {bool(t.terminated) for t in new} == {True, False}
    for before, found, following in zip(old, new, new[1:], strict=False):
        assert found.terminated == (found.next_observation.sensors[0] > 0.0)
        assert found.truncated == (before.truncated and not found.terminated)
        if found.terminated:
            assert following.segment_start
    code, text = verify('--bag', tmp_path / 'new')
    assert code == 0, text


def test_an_end_that_is_none_any_more_becomes_a_truncation(bag, tmp_path, tasks) -> None:
    relabelled(bag, tmp_path / 'ending', 'relabel_tasks:Ending')
    ended = {t.sequence for t in transitions(tmp_path / 'ending') if t.terminated}
    new = relabelled(tmp_path / 'ending', tmp_path / 'endless', 'relabel_tasks:Endless')
    assert not any(t.terminated for t in new)
    assert {t.sequence for t in new if t.truncated} >= ended


def test_the_agent_spec_names_the_new_task(bag, tmp_path, tasks) -> None:
    relabelled(bag, tmp_path / 'new', 'relabel_tasks:Ending')
    reader = BagReader(tmp_path / 'new')
    specs = [reader.decode(m) for m in reader.messages() if m.type == AGENT_SPEC]
    assert [(s.task, list(s.reward_names)) for s in specs] == [
        ('relabel_tasks:Ending', ['height'])
    ] * len(specs)
