"""What is installed: packages, their launch files and executables."""

from collections.abc import Iterator
import os
from pathlib import Path

from ament_index_python.packages import (
    get_package_prefix,
    get_package_share_directory,
    PackageNotFoundError,
)

from .errors import CommandError


def prefix(package: str) -> Path:
    """Return where a package is installed.

    Raises:
        CommandError: It is not.
    """
    try:
        return Path(get_package_prefix(package))
    except (PackageNotFoundError, ValueError) as error:
        raise CommandError(f"Package '{package}' not found: {_quoted(error)}") from error


def share(package: str) -> Path:
    """Return where a package's data is.

    Raises:
        CommandError: The package is not installed.
    """
    try:
        return Path(get_package_share_directory(package))
    except (PackageNotFoundError, ValueError, LookupError) as error:
        raise CommandError(f"Package '{package}' not found: {_quoted(error)}") from error


def launch_file(package: str, name: str) -> Path:
    """Return the path of a package's launch file.

    Raises:
        CommandError: The package has none of that name, or several.
    """
    directory = share(package)
    found = [Path(folder) / name for folder, _, files in os.walk(directory) if name in files]
    if not found:
        raise CommandError(
            f"file '{name}' was not found in the share directory of package '{package}' "
            f"which is at '{directory}'"
        )
    if len(found) > 1:
        raise CommandError(
            f"file '{name}' was found more than once in the share directory of package "
            f"'{package}': "
            f'{[str(path) for path in found]}'
        )
    return found[0]


def executables(package: str) -> Iterator[Path]:
    """Return the executables of a package."""
    directory = prefix(package) / 'lib' / package
    for folder, _, files in os.walk(directory):
        for name in sorted(files):
            path = Path(folder) / name
            if os.access(path, os.X_OK):
                yield path


def _quoted(error: Exception) -> str:
    return f'"{error.args[0] if error.args else error}"'
