"""A scratch package with launch files, and the command under test as a process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
import contextlib
import os
from pathlib import Path
import signal
import subprocess
import sys
import textwrap
import time

import launch
import pytest

LAYER = Path(__file__).resolve().parents[1]

if not Path(launch.__file__).is_relative_to(LAYER):
    collect_ignore_glob = ['test_*.py']  # a full ROS 2 is here, which brings its own

SCRIPTS = {
    'echo_exe': """
        import sys, pathlib
        print(*sys.argv[1:], flush=True)
        for name in sys.argv[1:]:
            if 'launch_params_' in name:
                print(pathlib.Path(name).read_text(), flush=True)
    """,
    'exit_exe': "import sys; print('up', flush=True); sys.exit(int(sys.argv[1]))",
    'stubborn_exe': """
        import signal, time
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print('stubborn is up', flush=True)
        while True:
            time.sleep(0.05)
    """,
    'polite_exe': """
        import signal, sys, time
        def leave(number, frame):
            print('polite leaves on', signal.Signals(number).name, flush=True)
            sys.exit(0)
        signal.signal(signal.SIGINT, leave)
        signal.signal(signal.SIGTERM, leave)
        print('polite is up', flush=True)
        while True:
            time.sleep(0.05)
    """,
    'env_exe': "import os, sys; print(*(os.environ.get(n) for n in sys.argv[1:] if n[0] != '-'))",
    'talk_exe': """
        import sys
        print('to stdout', flush=True)
        print('to stderr', file=sys.stderr, flush=True)
    """,
}


class Running:
    """A command and the lines that it has written."""

    def __init__(self, arguments: list[str]) -> None:
        self.process = subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []

    def wait_for(self, text: str, timeout: float = 20.0) -> str:
        """Return the first line from here on that contains ``text``."""
        watchdog = _Watchdog(self.process, timeout)
        with watchdog:
            assert self.process.stdout is not None
            for line in self.process.stdout:
                self.lines.append(line.rstrip('\n'))
                if text in line:
                    return self.lines[-1]
        raise AssertionError(f'{text!r} never came; the output was:\n' + '\n'.join(self.lines))

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the command alone, as a supervisor does."""
        self.process.send_signal(number)

    def finish(self, timeout: float = 30.0) -> int:
        """Read the rest and return the exit status."""
        with _Watchdog(self.process, timeout):
            assert self.process.stdout is not None
            self.lines += [line.rstrip('\n') for line in self.process.stdout]
            return self.process.wait()

    def kill(self) -> None:
        """End it and all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class _Watchdog:
    """Kills a process group that takes too long, so that reading from it ends."""

    def __init__(self, process: subprocess.Popen[str], timeout: float) -> None:
        import threading

        self._timer = threading.Timer(timeout, os.killpg, (process.pid, signal.SIGKILL))

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *error: object) -> None:
        self._timer.cancel()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a package ``scratch`` with executables, and return its share directory."""
    prefix = tmp_path / 'install'
    share = prefix / 'share' / 'scratch'
    index = prefix / 'share' / 'ament_index' / 'resource_index' / 'packages'
    executables = prefix / 'lib' / 'scratch'
    for directory in (share / 'launch', index, executables):
        directory.mkdir(parents=True)
    (index / 'scratch').touch()
    for name, source in SCRIPTS.items():
        path = executables / name
        path.write_text(f'#!{sys.executable} -S\n{textwrap.dedent(source)}')
        path.chmod(0o755)
    before = os.environ.get('AMENT_PREFIX_PATH')
    monkeypatch.setenv('AMENT_PREFIX_PATH', f'{prefix}:{before}' if before else str(prefix))
    temporary = tmp_path / 'temporary'
    temporary.mkdir()
    monkeypatch.setenv('TMPDIR', str(temporary))
    return share


@pytest.fixture
def launch_file(package: Path) -> Callable[..., Path]:
    """Write launch files of the scratch package."""

    def write(body: str, name: str = 'test.launch.py', before: str = '') -> Path:
        path = package / 'launch' / name
        path.write_text(
            'import os\n'
            'from launch import LaunchDescription\n'
            'from launch.actions import *\n'
            'from launch.conditions import *\n'
            'from launch.event_handlers import *\n'
            'from launch.events import Shutdown as ShutdownEvent\n'
            'from launch.launch_description_sources import *\n'
            'from launch.substitutions import *\n'
            'from launch_ros.actions import *\n'
            'from launch_ros.parameter_descriptions import *\n'
            'from launch_ros.substitutions import *\n'
            f'{textwrap.dedent(before)}\n'
            'def generate_launch_description():\n'
            f'    return LaunchDescription([{textwrap.dedent(body)}])\n'
        )
        return path

    return write


@pytest.fixture
def start(package: Path) -> Iterator[Callable[..., Running]]:
    """Start ``ros2`` with arguments."""
    started: list[Running] = []

    def run(*arguments: str) -> Running:
        started.append(Running([sys.executable, '-m', 'ros2_command', *map(str, arguments)]))
        return started[-1]

    yield run
    for running in started:
        running.kill()


@pytest.fixture
def ros2(start: Callable[..., Running]) -> Callable[..., tuple[int, str]]:
    """Run ``ros2`` with arguments, and return exit status and output."""

    def run(*arguments: str) -> tuple[int, str]:
        running = start(*arguments)
        code = running.finish()
        return code, '\n'.join(running.lines)

    return run


def eventually(condition: Callable[[], bool], timeout: float = 10.0) -> bool:
    """Tell whether a condition comes true in time."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
