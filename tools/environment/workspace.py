"""The colcon workspace: which packages changed since they were built, and building those."""

from collections.abc import Iterator
import json
import os
from pathlib import Path
import shutil
import subprocess
from typing import TypedDict

from console import ProblemError, say, step

IGNORED_DIRECTORIES = {'__pycache__', '.pytest_cache', '.mypy_cache', '.ruff_cache', 'test'}
PRODUCTS = ('build', 'install', 'log')

Fingerprint = dict[str, list[int]]


class Known(TypedDict):
    """What the stamp says about the last build."""

    setting: dict[str, str] | None
    packages: dict[str, Fingerprint]


class Workspace:
    """``src/`` of a checkout, and what colcon made of it in ``build/`` and ``install/``."""

    def __init__(self, root: Path, underlay: str) -> None:
        """Look at the checkout ``root``.

        Args:
            root: Where ``src/`` is.
            underlay: Identifies the ROS it is built on; another one means to build from scratch.
        """
        self.root = root
        self._stamp = root / 'install' / '.ros2w.json'
        self._setting = {'root': str(root), 'underlay': underlay}

    def is_current(self) -> bool:
        """Tell whether every package is installed as its sources are now."""
        known = self._known()
        return known['setting'] == self._setting and not self._changed(known['packages'])

    def build(self, arguments: list[str] | None = None) -> None:
        """Build what changed; with ``arguments`` for colcon build everything.

        Raises:
            ProblemError: colcon failed, which has then told why.
        """
        known = self._known()
        if known['setting'] not in (None, self._setting):
            say('built on another ROS or in another place: building from scratch')
            clean(self.root)
            known = self._known()
        present = self.packages()
        changed = self._changed(known['packages'])
        for name in changed:
            before, now = known['packages'].get(name, {}), present.get(name, {})
            if not before.keys() <= now.keys():  # colcon leaves behind what was deleted
                for product in ('build', 'install'):
                    shutil.rmtree(self.root / product / name, ignore_errors=True)
        selection = (
            [] if arguments is not None else self._selection(changed & present.keys(), present)
        )
        command = [
            'colcon',
            'build',
            '--base-paths',
            'src',
            '--event-handlers',
            'desktop_notification-',
        ]
        with step(f'building {", ".join(sorted(changed & present.keys())) or "the workspace"}'):
            failed = subprocess.run(
                [*command, *selection, *(arguments or [])], cwd=self.root, check=False
            ).returncode
        if failed:
            raise ProblemError('colcon build failed, see above; correct it and call again')
        self._stamp.parent.mkdir(exist_ok=True)
        # The fingerprints are from before the build, so that an edit during it is not missed.
        self._stamp.write_text(json.dumps({'setting': self._setting, 'packages': present}))

    def packages(self) -> dict[str, Fingerprint]:
        """Return per package the size and time of each file that is built or installed."""
        return {
            manifest.parent.name: dict(_fingerprint(manifest.parent))
            for manifest in sorted((self.root / 'src').glob('*/package.xml'))
        }

    def _known(self) -> Known:
        try:
            known: Known = json.loads(self._stamp.read_text())
        except (OSError, ValueError):
            return {'setting': None, 'packages': {}}
        return known

    def _changed(self, known: dict[str, Fingerprint]) -> set[str]:
        present = self.packages()
        return {
            name
            for name in known.keys() | present.keys()
            if known.get(name) != present.get(name)
            or not (self.root / 'install' / name / 'share' / name).is_dir()
        }

    def _selection(self, changed: set[str], present: dict[str, Fingerprint]) -> list[str]:
        generated = {name for name, files in present.items() if 'CMakeLists.txt' in files}
        if changed & generated or len(changed) == len(present):
            return []
        return ['--packages-select', *sorted(changed)]


def clean(root: Path) -> None:
    """Remove everything that colcon made."""
    for product in PRODUCTS:
        shutil.rmtree(root / product, ignore_errors=True)


def _fingerprint(package: Path) -> Iterator[tuple[str, list[int]]]:
    # launch/ and config/ at the top are links inside the package that installs them.
    for directory, folders, files in os.walk(package, followlinks=True):
        folders[:] = [
            name
            for name in folders
            if name not in IGNORED_DIRECTORIES and not name.endswith('.egg-info')
        ]
        for name in files:
            if not name.endswith('.pyc'):
                path = Path(directory, name)
                if path.exists():
                    state = path.stat()
                    yield str(path.relative_to(package)), [state.st_size, state.st_mtime_ns]
