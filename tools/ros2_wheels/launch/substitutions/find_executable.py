"""Executables on the PATH, and what a command prints."""

import shlex
import shutil
import subprocess

from ..launch_context import LaunchContext
from ..substitution import describe, normalize, perform, SomeSubstitutionsType, Substitution
from .errors import SubstitutionFailure


class FindExecutable(Substitution):
    """Path of a program on the PATH."""

    def __init__(self, *, name: SomeSubstitutionsType) -> None:
        """Name the program."""
        self.name = normalize(name)

    def perform(self, context: LaunchContext) -> str:
        """Return its path.

        Raises:
            SubstitutionFailure: It is not on the PATH.
        """
        name = perform(context, self.name)
        path = shutil.which(name)
        if path is None:
            raise SubstitutionFailure(f"executable '{name}' not found on the PATH")
        return path

    def describe(self) -> str:
        """Return ``FindExec('name')``."""
        return f'FindExec({describe(self.name)})'


class Command(Substitution):
    """What a command writes to standard output."""

    def __init__(
        self, command: SomeSubstitutionsType, *, on_stderr: SomeSubstitutionsType = 'fail'
    ) -> None:
        """Take the command line and what to do when it writes to standard error: fail, ignore."""
        self._command = normalize(command)
        self._on_stderr = normalize(on_stderr)

    def perform(self, context: LaunchContext) -> str:
        """Return the output.

        Raises:
            SubstitutionFailure: The command failed, or complained where it must not.
        """
        line = perform(context, self._command)
        try:
            answer = subprocess.run(shlex.split(line), capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            raise SubstitutionFailure(f"command '{line}' not found: {error}") from error
        if answer.returncode:
            raise SubstitutionFailure(f"command '{line}' failed:\n{answer.stderr}")
        if answer.stderr and perform(context, self._on_stderr) == 'fail':
            raise SubstitutionFailure(
                f"command '{line}' wrote to standard error:\n{answer.stderr}"
            )
        return answer.stdout

    def describe(self) -> str:
        """Return ``Command(...)``."""
        return f'Command({describe(self._command)})'
