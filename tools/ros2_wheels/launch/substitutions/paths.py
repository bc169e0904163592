"""Paths: joined ones, and those of the launch file that is being executed."""

from collections.abc import Iterable
import os

from ..launch_context import LaunchContext
from ..substitution import describe, normalize, perform, SomeSubstitutionsType, Substitution
from .errors import SubstitutionFailure


class PathJoinSubstitution(Substitution):
    """Path components, joined as ``os.path.join`` does; a component may be a list of parts."""

    def __init__(self, substitutions: Iterable[SomeSubstitutionsType]) -> None:
        """Take the components."""
        self._components = [normalize(component) for component in substitutions]

    def perform(self, context: LaunchContext) -> str:
        """Return the joined path."""
        return os.path.join(*(perform(context, component) for component in self._components))  # noqa: PTH118

    def __truediv__(self, component: SomeSubstitutionsType) -> 'PathJoinSubstitution':
        """Return the path with one more component."""
        return PathJoinSubstitution([*self._components, component])

    def describe(self) -> str:
        """Return ``PathJoin(...)`` with the components."""
        return f'PathJoin({", ".join(describe(component) for component in self._components)})'


class PathSubstitution(PathJoinSubstitution):
    """A path that components are appended to with ``/``."""

    def __init__(self, path: SomeSubstitutionsType) -> None:
        """Begin at ``path``."""
        super().__init__([path])


class ThisLaunchFile(Substitution):
    """Path of the launch file that is being executed."""

    def perform(self, context: LaunchContext) -> str:
        """Return the path.

        Raises:
            SubstitutionFailure: No launch file is being executed.
        """
        return _local(context, 'current_launch_file_path')


class ThisLaunchFileDir(Substitution):
    """Directory of the launch file that is being executed."""

    def perform(self, context: LaunchContext) -> str:
        """Return the directory.

        Raises:
            SubstitutionFailure: No launch file is being executed.
        """
        return _local(context, 'current_launch_file_directory')


def _local(context: LaunchContext, name: str) -> str:
    value = getattr(context.locals, name, None)
    if value is None:
        raise SubstitutionFailure('this substitution can only be used inside of a launch file')
    return str(value)
