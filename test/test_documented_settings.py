"""Every setting of the algorithm has its line in docs/sac.md, and no line is of another's."""

from dataclasses import fields
from fnmatch import fnmatch
from pathlib import Path
import re

import pytest

from sac_learner.sac import PRESETS, SacConfig
from sac_learner.settings import LearnerSettings

TEXT = (Path(__file__).parents[1] / 'docs' / 'sac.md').read_text()
OPTIONS = TEXT.partition('## Options')[2].partition('\n## ')[0]
ROWS = [line.split('|')[1] for line in OPTIONS.splitlines() if line.startswith('| `')]
NAMED = {name for row in ROWS for name in re.findall(r'`([a-z0-9_*]+)(?::[^`]*)?`', row)}


@pytest.mark.parametrize('name', [item.name for item in fields(SacConfig)])
def test_setting_has_a_line(name):
    assert any(fnmatch(name, pattern) for pattern in NAMED)


def test_lines_are_of_settings_that_exist():
    known = {item.name for config in (SacConfig, LearnerSettings) for item in fields(config)}
    known |= set(PRESETS)
    assert [n for n in NAMED if not any(fnmatch(name, n) for name in known)] == []


@pytest.mark.parametrize('name', sorted(set(PRESETS) - {'paper'}))
def test_preset_has_a_line(name):
    assert name in NAMED
