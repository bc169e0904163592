"""Turn a virtual environment with the ROS wheels into a ROS underlay that colcon can build on.

Run with the interpreter of that environment: ``.venv/bin/python tools/environment/underlay.py``.
Every step may be repeated.
"""

import importlib.util
from pathlib import Path
import re
import sys
import sysconfig

WHEELS_LAYER = Path(__file__).resolve().parents[1] / 'ros2_wheels'
SETUP_SCRIPTS = ('setup.sh', 'setup.bash', 'local_setup.sh', 'local_setup.bash')
SETUP_BODY = """\
# Makes this virtual environment a ROS underlay. Written by tools/environment/underlay.py.
_ros2w_prepend() {{
  eval "_ros2w_old=\\${{$1:-}}"
  case ":$_ros2w_old:" in
    *":$2:"*) ;;
    *) export "$1=$2${{_ros2w_old:+:$_ros2w_old}}" ;;
  esac
  unset _ros2w_old
}}
{prepends}
unset -f _ros2w_prepend
export VIRTUAL_ENV='{prefix}'
export ROS_DISTRO=kilted ROS_VERSION=2 ROS_PYTHON_VERSION=3
# The library path is complete: the wheels' start-up hook need not start Python a second time.
export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
"""
SHIM = """\
#!{python}
from ros2_command.main import main
import sys

sys.exit(main())
"""


def patch_exported_cmake(prefix: Path) -> list[Path]:
    """Replace the build machine's include paths in the message wheels and return what changed.

    The wheels were built with an interpreter below ``/opt/python`` and wrote its include
    directories into their CMake files, where generated messages look for ``Python.h`` and numpy's
    headers.
    """
    site_packages = Path(sysconfig.get_path('purelib'))
    replacements = {
        r'/opt/python/[^/;"]+/lib/python3\.\d+/site-packages/numpy/_core/include': str(
            site_packages / 'numpy' / '_core' / 'include'
        ),
        r'/opt/python/[^/;"]+/include/python3\.\d+': sysconfig.get_path('include'),
    }
    changed = []
    for path in sorted((prefix / 'share').glob('*/cmake/*.cmake')):
        before = after = path.read_text()
        for pattern, include in replacements.items():
            after = re.sub(pattern, include.replace('\\', r'\\'), after)
        if after != before:
            path.write_text(after)
            changed.append(path)
    return changed


def library_directories(prefix: Path) -> list[Path]:
    """Return where the wheels keep their shared libraries, the vendored ones included."""
    site_packages = Path(sysconfig.get_path('purelib'))
    return [prefix / 'lib', *sorted(site_packages.glob('ros_*.libs'))]


def write_setup_scripts(prefix: Path) -> None:
    """Write ``setup.bash`` and its siblings, to be sourced like those of a distribution."""
    entries = [
        ('AMENT_PREFIX_PATH', prefix),
        ('CMAKE_PREFIX_PATH', prefix),
        ('PATH', prefix / 'bin'),
        *(('LD_LIBRARY_PATH', path) for path in reversed(library_directories(prefix))),
    ]
    prepends = '\n'.join(f"_ros2w_prepend {name} '{path}'" for name, path in entries)
    for name in SETUP_SCRIPTS:
        # Renamed into place, since a shell may be reading the present one.
        fresh = prefix / f'.{name}'
        fresh.write_text(SETUP_BODY.format(prepends=prepends, prefix=prefix))
        fresh.replace(prefix / name)


def link_wheels_layer(prefix: Path) -> None:
    """Provide ``launch``, ``launch_ros`` and ``ros2`` last in ``sys.path``: real ones win."""
    (Path(sysconfig.get_path('purelib')) / 'ros2_wheels.pth').write_text(f'{WHEELS_LAYER}\n')
    if importlib.util.find_spec('ros2cli') is None:
        shim = prefix / 'bin' / 'ros2'
        shim.write_text(SHIM.format(python=prefix / 'bin' / 'python'))
        shim.chmod(0o755)


def main() -> None:
    """Apply all steps to the running interpreter's environment."""
    prefix = Path(sys.prefix)
    patch_exported_cmake(prefix)
    write_setup_scripts(prefix)
    link_wheels_layer(prefix)


if __name__ == '__main__':
    main()
