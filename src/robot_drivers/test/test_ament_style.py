"""The linters of ROS, where they are installed; their rules beyond ruff's."""

from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ('linter', 'arguments'),
    [
        ('ament_flake8', ['--linelength', '99', str(PACKAGE)]),
        ('ament_pep257', ['--convention', 'google', str(PACKAGE / 'robot_drivers')]),
        ('ament_xmllint', [str(PACKAGE / 'package.xml')]),
    ],
)
def test_package_passes(linter, arguments):
    module = pytest.importorskip(f'{linter}.main')
    assert module.main(argv=arguments) == 0
