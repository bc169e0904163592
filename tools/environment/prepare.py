"""Bring environment and workspace up to date: all of ``./ros2w`` that is too long for a shell.

    prepare.py check|all|environment|build|clean [arguments of colcon build]

``check`` answers by its exit status and changes nothing. The others wait for each other on a
lock, so that any number of calls may run at the same time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
import fcntl
import os
from pathlib import Path
import sys

from console import ProblemError, say
from virtualenv import VirtualEnvironment
from workspace import clean, Workspace

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def lock(root: Path) -> Iterator[None]:
    """Let one call at a time change the checkout; however it ends, the kernel unlocks."""
    path = root / '.ros2w' / 'lock'
    path.parent.mkdir(exist_ok=True)
    with path.open('a+') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            say(
                'waiting for another ./ros2w to finish (process '
                f'{file.read().strip() or "unknown"})'
            )
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(f'{os.getpid()}\n')
        file.flush()
        yield


def source(environment: VirtualEnvironment) -> None:
    """Give this process, and so colcon, the environment that ``setup.bash`` would give a shell."""
    bin_directory = environment.prefix / 'bin'
    os.environ['PATH'] = f'{bin_directory}:{os.environ["PATH"]}'
    os.environ['VIRTUAL_ENV'] = str(environment.prefix)
    for name in ('AMENT_PREFIX_PATH', 'CMAKE_PREFIX_PATH'):
        os.environ[name] = str(environment.prefix)
    os.environ |= {'ROS_DISTRO': 'kilted', 'ROS_VERSION': '2', 'ROS_PYTHON_VERSION': '3'}


def main(arguments: list[str]) -> int:
    """Do what the first argument says and return the exit status."""
    goal, colcon_arguments = arguments[0], arguments[1:]
    system_ros = os.environ.get('ROS2W_SYSTEM_ROS')
    environment = VirtualEnvironment(ROOT)
    workspace = Workspace(ROOT, underlay=system_ros or environment.fingerprint())
    has_environment = bool(system_ros) or environment.is_current()
    if goal == 'check':
        return 0 if has_environment and workspace.is_current() else 1
    with lock(ROOT):
        if goal == 'clean':
            clean(ROOT)
            return 0
        if not system_ros:
            if not environment.is_current():
                environment.make()
            source(environment)
        if goal == 'build':
            workspace.build(colcon_arguments)
        elif goal == 'all' and not workspace.is_current():
            workspace.build()
    return 0


if __name__ == '__main__':
    try:
        sys.exit(main(sys.argv[1:]))
    except ProblemError as problem:
        say(str(problem))
        sys.exit(1)
    except KeyboardInterrupt:
        say('interrupted; call again to go on')
        sys.exit(130)
