"""What tests of bags share."""

from pathlib import Path

import pytest

from sac_core.bag import Definitions

MESSAGES = Path(__file__).resolve().parents[2] / 'sac_msgs' / 'msg'


@pytest.fixture(scope='module')
def definitions() -> Definitions:
    return Definitions({'sac_msgs': MESSAGES})


@pytest.fixture(params=['mcap', 'sqlite3'])
def storage(request: pytest.FixtureRequest) -> str:
    return str(request.param)
