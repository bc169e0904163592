"""Where a package is installed, and what it can execute."""

from pathlib import Path
import shutil

from ament_index_python.packages import get_package_prefix, get_package_share_directory
from launch.launch_context import LaunchContext
from launch.substitution import describe, normalize, perform, SomeSubstitutionsType, Substitution
from launch.substitutions import SubstitutionFailure, TextSubstitution


class FindPackage(Substitution):
    """A directory of an installed package."""

    def __init__(self, package: SomeSubstitutionsType) -> None:
        """Name the package."""
        self.package = normalize(package)

    def find(self, package: str) -> str:
        """Return the directory.

        Raises:
            PackageNotFoundError: The package is not installed.
        """
        raise NotImplementedError

    def perform(self, context: LaunchContext) -> str:
        """Return the directory."""
        return self.find(perform(context, self.package))

    def describe(self) -> str:
        """Return ``FindPackageShare(pkg='name')`` or the like."""
        return f'{type(self).__name__}(pkg={describe(self.package)})'

    def is_constant(self) -> bool:
        """Tell whether the directory is known before anything is executed."""
        return all(isinstance(part, TextSubstitution) for part in self.package)


class FindPackagePrefix(FindPackage):
    """The prefix that a package is installed to."""

    def find(self, package: str) -> str:
        """Return the prefix."""
        return str(get_package_prefix(package))


class FindPackageShare(FindPackage):
    """The directory of a package's data."""

    def find(self, package: str) -> str:
        """Return the share directory."""
        return str(get_package_share_directory(package))


class ExecutableInPackage(Substitution):
    """Path of an executable that a package provides."""

    def __init__(self, executable: SomeSubstitutionsType, package: SomeSubstitutionsType) -> None:
        """Name executable and package."""
        self.executable = normalize(executable)
        self.package = normalize(package)

    def perform(self, context: LaunchContext) -> str:
        """Return the path.

        Raises:
            SubstitutionFailure: The package provides no executables, or not this one.
            PackageNotFoundError: The package is not installed.
        """
        executable, package = perform(context, self.executable), perform(context, self.package)
        directory = Path(get_package_prefix(package)) / 'lib' / package
        if not directory.exists():
            raise SubstitutionFailure(
                f"package '{package}' found, but libexec directory '{directory}' does not exist"
            )
        path = shutil.which(executable, path=str(directory))
        if path is None:
            raise SubstitutionFailure(
                f"executable '{executable}' not found on the libexec directory '{directory}' "
            )
        return path

    def describe(self) -> str:
        """Return ``ExecInPkg(...)``."""
        return f'ExecInPkg(pkg={describe(self.package)}, exec={describe(self.executable)})'
