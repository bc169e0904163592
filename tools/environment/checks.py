"""What a machine must have before an environment can be made, and how to get it."""

import ctypes.util
import os
from pathlib import Path
import platform
import shutil
import subprocess
import sys
import sysconfig

from console import ProblemError, say

DISK_NEEDED = 4e9  # [byte], environment and build together
RENDERING_PACKAGES = ('libegl1', 'libegl-mesa0', 'libopengl0', 'libgl1-mesa-dri')
TOOLS = {
    'g++': 'build-essential',
    'make': 'build-essential',
    'cmake': 'cmake',
}


def check_machine(root: Path) -> None:
    """Check everything at once, so that one reading of the message suffices.

    Raises:
        ProblemError: Something is missing; each line names it and the command that helps.
    """
    problems = [*_platform_problems(), *_package_problems(), *_disk_problems(root)]
    if problems:
        raise ProblemError(
            'this machine is not ready:\n' + '\n'.join(f'  - {p}' for p in problems)
        )


def _platform_problems() -> list[str]:
    problems = []
    if sys.platform != 'linux' or platform.machine() not in ('x86_64', 'AMD64'):
        problems.append(
            f'the ROS wheels exist for Linux on x86_64 only, this is {sys.platform} on '
            f'{platform.machine()}; install ROS 2 Kilted or Jazzy, source it and call again'
        )
    name, version = platform.libc_ver()
    if name == 'glibc' and tuple(map(int, version.split('.')[:2])) < (2, 28):
        problems.append(f'the ROS wheels need glibc 2.28 or newer, this is {version}')
    return problems


def _package_problems() -> list[str]:
    packages = {package for tool, package in TOOLS.items() if shutil.which(tool) is None}
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    version = f'{sys.version_info.major}.{sys.version_info.minor}'
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        missing.append('the venv module of Python')
        packages.add(f'python{version}-venv')
    if not (Path(sysconfig.get_path('include')) / 'Python.h').is_file():
        missing.append("Python's C headers (Python.h)")
        packages.add(f'python{version}-dev')
    if not missing:
        return []
    return [f'missing: {", ".join(missing)}; install with: {_apt_command(sorted(packages))}']


def _disk_problems(root: Path) -> list[str]:
    free = shutil.disk_usage(root).free
    if free >= DISK_NEEDED:
        return []
    return [
        f'{root} has {free / 1e9:.1f} GB free, {DISK_NEEDED / 1e9:.0f} GB are needed; '
        'free some space or clone to another disk'
    ]


def _apt_command(packages: list[str]) -> str:
    sudo = '' if os.geteuid() == 0 else 'sudo '
    return f'{sudo}apt-get install -y --no-install-recommends {" ".join(packages)}'


def provide_rendering() -> None:
    """Provide the libraries for pictures of the simulation, or say how to; learning needs none."""
    if all(ctypes.util.find_library(name) for name in ('EGL', 'OpenGL')) and (
        not shutil.which('dpkg-query') or not _absent_packages()
    ):
        return
    command = _apt_command(list(RENDERING_PACKAGES))
    installs = os.geteuid() == 0 and shutil.which('apt-get') and not os.environ.get('ROS2W_NO_APT')
    if installs:
        say(f'rendering libraries are missing: {command}')
        if _apt_install():
            return
    say(f'no pictures of the simulation until you run: {command}')


def _absent_packages() -> list[str]:
    def is_installed(package: str) -> bool:
        query = subprocess.run(
            ['dpkg-query', '-W', '-f=${Status}', package],
            capture_output=True,
            text=True,
            check=False,
        )
        return query.stdout.endswith(' installed')

    return [package for package in RENDERING_PACKAGES if not is_installed(package)]


def _apt_install() -> bool:
    environment = os.environ | {'DEBIAN_FRONTEND': 'noninteractive'}

    def apt_get(*arguments: str) -> bool:
        try:
            return not subprocess.run(
                ['apt-get', '-qq', *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=180,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            return False

    install = ('install', '-y', '--no-install-recommends', *RENDERING_PACKAGES)
    return apt_get(*install) or (apt_get('update') and apt_get(*install))
