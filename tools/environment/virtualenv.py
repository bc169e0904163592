"""The virtual environment with ROS 2, torch and everything else at the versions of the lock files.

Whatever an interrupted call left behind is found and repaired by the next one: the stamp is
written last, and without it nothing in the environment is trusted.
"""

import csv
import hashlib
import json
import os
from pathlib import Path
import re
import shlex
import shutil
import subprocess
import sys
import venv

from checks import check_machine, provide_rendering
from console import ProblemError, ProgressLine, say, step

HERE = Path(__file__).resolve().parent
LOCK = HERE / 'requirements.lock'
TORCH_LOCK = HERE / 'torch.lock'
INPUTS = (LOCK, TORCH_LOCK, HERE / 'underlay.py', HERE / 'virtualenv.py')


class VirtualEnvironment:
    """``<root>/.venv``, made and kept as the lock files say."""

    def __init__(self, root: Path) -> None:
        """Look at the environment of the checkout ``root``; nothing is changed."""
        self.root = root
        self.prefix = root / '.venv'
        self.python = self.prefix / 'bin' / 'python'
        self._stamp = self.prefix / '.ros2w.json'
        self._log = root / '.ros2w' / 'pip.log'

    def is_current(self) -> bool:
        """Tell whether it is complete and made from the present lock files, for this place."""
        try:
            stamp = json.loads(self._stamp.read_text())
        except (OSError, ValueError):
            return False
        wanted = os.environ.get('SAC_TORCH')
        return bool(
            stamp['fingerprint'] == self.fingerprint() and wanted in (None, stamp['torch'])
        )

    def fingerprint(self) -> str:
        """Return a hash of all that the environment is made from."""
        digest = hashlib.sha256(str(self.prefix).encode())
        for path in INPUTS:
            digest.update(path.read_bytes())
        return digest.hexdigest()

    def make(self) -> None:
        """Create, complete or repair it.

        Raises:
            ProblemError: The machine lacks something, or pip failed.
        """
        check_machine(self.root)
        provide_rendering()
        self._stamp.unlink(missing_ok=True)
        if not self._is_usable():
            with step(f'creating a virtual environment with Python {sys.version.split()[0]}'):
                venv.create(self.prefix, clear=True, with_pip=True, symlinks=True)
        self._forget_half_installed()
        pins = _requirements(LOCK)
        with step(f'installing ROS 2 and {len(pins)} packages at pinned versions'):
            self._pip('install', '--no-deps', '-r', str(LOCK), expected=len(pins))
        torch = self._provide_torch()
        with step('making the environment a ROS underlay'):
            subprocess.run([self.python, HERE / 'underlay.py'], check=True)
        self._verify()
        self._stamp.write_text(json.dumps({'fingerprint': self.fingerprint(), 'torch': torch}))

    def _is_usable(self) -> bool:
        if not self.python.exists():
            return False
        probe = 'import sys; print(sys.prefix, *sys.version_info[:2]); import pip'
        answer = subprocess.run(
            [self.python, '-I', '-c', probe], capture_output=True, text=True, check=False
        )
        if answer.returncode:
            return False
        prefix, major, minor = answer.stdout.split('\n')[0].rsplit(' ', 2)
        pip = self.prefix / 'bin' / 'pip'
        at_home = pip.is_file() and str(self.prefix) in pip.read_text(errors='replace')[:4096]
        return (
            Path(prefix) == self.prefix
            and at_home
            and (3, 11) <= (int(major), int(minor)) < (3, 14)
        )

    def _site_packages(self) -> Path:
        return next((self.prefix / 'lib').glob('python3.*')) / 'site-packages'

    def _forget_half_installed(self) -> None:
        """Make pip install again what it was interrupted in: RECORD or a file in it is missing."""
        site_packages = self._site_packages()
        for leftover in site_packages.glob('~*'):
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        for info in site_packages.glob('*.dist-info'):
            if not _is_complete(info):
                say(f'repairing {info.stem}')
                shutil.rmtree(info)

    def _provide_torch(self) -> str:
        """Install torch unless one is there, and return the requirement it was installed by.

        ``SAC_TORCH`` names another requirement, with options for pip if need be. Without it a
        machine with no NVIDIA GPU gets the CPU build where one is on offer, as the other one is
        several gigabytes.
        """
        wanted = os.environ.get('SAC_TORCH')
        pin = _requirements(TORCH_LOCK)[0]
        present = any(self._site_packages().glob('torch-*.dist-info'))
        if present and wanted is None:
            say('keeping the installed torch')
            return pin
        if wanted is not None:
            candidates = [shlex.split(wanted)]
        elif _has_nvidia_gpu():
            candidates = [[pin]]
        else:
            candidates = [[f'{pin}+cpu'], [pin]]
        for arguments in candidates[:-1]:
            say(f'installing {" ".join(arguments)} (no NVIDIA GPU here) ...')
            if self._pip('install', '-c', str(LOCK), *arguments, may_fail=True):
                return pin
            say(
                'no CPU build of torch on offer here: taking the default one, which may '
                'bring gigabytes '
                'of CUDA libraries; to choose, interrupt and set SAC_TORCH (see ./ros2w --help)'
            )
        with step(f'installing {" ".join(candidates[-1])}'):
            self._pip('install', '-c', str(LOCK), *candidates[-1])
        return pin if wanted is None else wanted

    def _verify(self) -> None:
        """Import what everything rests on, so that a broken environment shows here and not later.

        Raises:
            ProblemError: An import failed.
        """
        probe = 'import rclpy, numpy, torch; rclpy.get_rmw_implementation_identifier()'
        answer = subprocess.run(
            ['bash', '-c', f". '{self.prefix}/setup.sh'; exec python -c '{probe}'"],
            capture_output=True,
            text=True,
            check=False,
            env={'PATH': os.environ['PATH'], 'HOME': os.environ.get('HOME', '/tmp')},
        )
        if answer.returncode:
            raise ProblemError(
                f'the environment does not work:\n{answer.stderr.strip()}\n'
                'make a new one with: ./ros2w clean --all'
            )

    def _pip(self, *arguments: str, expected: int = 0, may_fail: bool = False) -> bool:
        """Run pip with a line of progress, its full output in a log; return whether it succeeded.

        Raises:
            ProblemError: It failed and must not.
        """
        command = [
            str(self.python),
            '-m',
            'pip',
            '--disable-pip-version-check',
            '--no-input',
            *arguments,
        ]
        self._log.parent.mkdir(exist_ok=True)
        line = ProgressLine()
        seen = 0
        tail: list[str] = []
        with (
            self._log.open('a') as log,
            subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors='replace',
            ) as pip,
        ):
            assert pip.stdout is not None
            for text in pip.stdout:
                log.write(text)
                tail = [*tail[-14:], text.rstrip()]
                if match := re.match(
                    r'\s*(Collecting|Requirement already satisfied:) (\S+)', text
                ):
                    seen += 1
                    count = f'{seen}/{expected} ' if expected else ''
                    line.show(f'{count}{match[2]}')
                elif text.startswith(('Installing', '  Downloading', 'Downloading', 'Building')):
                    line.show(text.strip()[:100])
        line.close()
        if pip.returncode and not may_fail:
            errors = '\n'.join(
                f'  {text}' for text in tail if not text.startswith('WARNING: Location')
            )
            raise ProblemError(
                f'pip failed (all of its output: {self._log}):\n{errors}\n'
                'call ./ros2w again to go on where it stopped'
            )
        return not pip.returncode


def _requirements(lock: Path) -> list[str]:
    lines = (line.split('#')[0].strip() for line in lock.read_text().splitlines())
    return [line for line in lines if line]


def _is_complete(info: Path) -> bool:
    """Tell whether every file that pip recorded for a package is there."""
    record = info / 'RECORD'
    if not record.is_file():
        return False
    with record.open(newline='') as rows:
        return all(
            (info.parent / row[0]).exists()
            for row in csv.reader(rows)
            if not row[0].endswith('.pyc')
        )


def _has_nvidia_gpu() -> bool:
    if shutil.which('nvidia-smi') is None:
        return False
    answer = subprocess.run(['nvidia-smi', '-L'], capture_output=True, text=True, check=False)
    return not answer.returncode and 'GPU' in answer.stdout
