import json
from pathlib import Path
import sys

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from virtualenv import _is_complete
from workspace import clean, Workspace


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Lay out two packages as if they were built."""
    for name in ('one', 'two'):
        source = tmp_path / 'src' / name
        (source / 'test').mkdir(parents=True)
        (source / 'package.xml').write_text('<package/>')
        (source / 'module.py').write_text('x = 1\n')
        (tmp_path / 'install' / name / 'share' / name).mkdir(parents=True)
    built(tmp_path)
    return tmp_path


def built(root: Path) -> None:
    workspace = Workspace(root, underlay='u')
    stamp = {
        'setting': {'root': str(root), 'underlay': 'u'},
        'packages': workspace.packages(),
    }
    (root / 'install' / '.ros2w.json').write_text(json.dumps(stamp))


def test_unchanged_workspace_is_current(checkout):
    assert Workspace(checkout, underlay='u').is_current()


@pytest.mark.parametrize(
    'change',
    [
        lambda root: (root / 'src/one/module.py').write_text('x = 22\n'),
        lambda root: (root / 'src/one/new.py').touch(),
        lambda root: (root / 'src/one/module.py').unlink(),
        lambda root: (root / 'install/one/share/one').rmdir(),
        lambda root: clean(root),
        lambda root: (root / 'install/.ros2w.json').write_text('{"half'),
    ],
)
def test_any_change_asks_for_a_build(checkout, change):
    change(checkout)

    assert not Workspace(checkout, underlay='u').is_current()


def test_another_underlay_asks_for_a_build(checkout):
    assert not Workspace(checkout, underlay='another').is_current()


def test_tests_are_not_part_of_the_build(checkout):
    (checkout / 'src/one/test/test_new.py').touch()

    assert Workspace(checkout, underlay='u').is_current()


def test_link_to_shared_files_counts_as_part_of_the_package(checkout):
    (checkout / 'launch').mkdir()
    (checkout / 'launch' / 'a.launch.py').write_text('a')
    (checkout / 'src/one/launch').symlink_to('../../launch')
    built(checkout)

    (checkout / 'launch' / 'a.launch.py').write_text('other')

    assert not Workspace(checkout, underlay='u').is_current()


def test_package_that_pip_did_not_finish_is_noticed(tmp_path):
    info = tmp_path / 'p-1.dist-info'
    info.mkdir()
    assert not _is_complete(info)

    (info / 'RECORD').write_text('p/module.py,,\np/__pycache__/module.pyc,,\n')
    assert not _is_complete(info)

    (tmp_path / 'p').mkdir()
    (tmp_path / 'p' / 'module.py').touch()
    assert _is_complete(info)
