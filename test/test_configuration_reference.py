"""docs/configuration.md is what the settings dataclasses say, and they say all of it."""

from importlib import util
from pathlib import Path
import re
import sys

import pytest

pytest.importorskip('rclpy')

ROOT = Path(__file__).resolve().parents[1]
_spec = util.spec_from_file_location(
    'configuration', ROOT / 'tools' / 'documentation' / 'configuration.py'
)
configuration = sys.modules['configuration'] = util.module_from_spec(_spec)
_spec.loader.exec_module(configuration)

CONFIG_TYPES = [
    configuration.RobotConfig,
    configuration.AgentNodeConfig,
    configuration.LearnerSettings,
    configuration.SacConfig,
    configuration.NodeConfig,
    configuration.SafetyConfig,
    *(configuration.find_robot(name).config for name in configuration.BUILT_IN),
    *(configuration.find_task(name).config_type for name in configuration.TASKS),
]


def test_the_page_is_that_of_the_code():
    remedy = 'call ./ros2w exec python3 tools/documentation/configuration.py'
    assert configuration.OUTPUT.read_text() == configuration.page(), remedy


@pytest.mark.parametrize('config_type', CONFIG_TYPES, ids=lambda kind: kind.__name__)
def test_every_key_says_what_it_is(config_type):
    for row in configuration.rows(config_type):
        assert row.item.metadata['doc'].rstrip().endswith('.'), row.key


def test_every_key_of_the_shipped_files_is_in_the_reference():
    page = configuration.OUTPUT.read_text()
    documented = set(re.findall(r'^\| \*{0,2}`([\w.]+)`', page, re.M))
    for key in ('sensors.NAME.topic', 'episode.reset_type', 'discount', 'safety.limp_timeout'):
        assert key in documented
    assert len(documented) > 200
