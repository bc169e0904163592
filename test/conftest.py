"""The bag of a run for all tests of the tools that read it."""

from pathlib import Path
import shutil

import pytest

from sac_core.bag import Definitions

from .recorded_run import config, Run

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope='module')
def definitions() -> Definitions:
    return Definitions({'sac_msgs': ROOT / 'src' / 'sac_msgs' / 'msg'})


@pytest.fixture(scope='module')
def recorded(tmp_path_factory: pytest.TempPathFactory, definitions: Definitions) -> Path:
    """Return two sessions of one agent: warm-up, policies, an episode that a person cuts."""
    path = tmp_path_factory.mktemp('recorded') / 'dclaw'
    for _ in range(2):
        run = Run(path, definitions, config())
        for _ in range(2):
            run.policy()
            run.episode()
            run.interrupted()
        run.close()
    return path


@pytest.fixture
def bag(recorded: Path, tmp_path: Path) -> Path:
    """Return a copy of the recorded bag."""
    return Path(shutil.copytree(recorded, tmp_path / 'dclaw'))
