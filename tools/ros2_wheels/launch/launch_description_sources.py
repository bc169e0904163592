"""Where launch descriptions come from: Python files with ``generate_launch_description``."""

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
import sys

from .launch_context import LaunchContext
from .launch_description import LaunchDescription
from .substitution import normalize, perform, SomeSubstitutionsType
from .substitutions.text_substitution import TextSubstitution


class InvalidLaunchFileError(Exception):
    """The file is not a launch file that can be read here."""


class InvalidPythonLaunchFileError(InvalidLaunchFileError):
    """The Python file defines no usable ``generate_launch_description``."""


class LaunchDescriptionSource:
    """A launch file whose path may hold substitutions, loaded once."""

    def __init__(self, launch_file_path: SomeSubstitutionsType) -> None:
        """Take the path."""
        self._path = normalize(launch_file_path)
        self._description: LaunchDescription | None = None
        self.location = ''

    def get_launch_description(self, context: LaunchContext) -> LaunchDescription:
        """Return what the file describes."""
        if self._description is None:
            self.location = perform(context, self._path)
            self._description = load_python_launch_file(self.location)
        return self._description

    def try_get_launch_description_without_context(self) -> LaunchDescription | None:
        """Return what the file describes, or None where its path depends on the execution."""
        if self._description is None and all(_is_constant(part) for part in self._path):
            self.get_launch_description(LaunchContext())
        return self._description


class PythonLaunchDescriptionSource(LaunchDescriptionSource):
    """A launch file in Python."""


class AnyLaunchDescriptionSource(LaunchDescriptionSource):
    """A launch file; here always one in Python."""


def load_python_launch_file(path: str) -> LaunchDescription:
    """Execute a launch file and return its description.

    Raises:
        InvalidLaunchFileError: It is not in Python.
        InvalidPythonLaunchFileError: It describes nothing.
        FileNotFoundError: It is not there.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"[Errno 2] No such file or directory: '{path}'")
    if Path(path).suffix in ('.xml', '.yaml', '.yml'):
        raise InvalidLaunchFileError(
            f"the launch file '{path}' is not in Python; XML and YAML need a full ROS 2"
        )
    loader = SourceFileLoader('python_launch_file', path)
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    writes_bytecode = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = writes_bytecode
    generate = getattr(module, 'generate_launch_description', None)
    if generate is None:
        raise InvalidPythonLaunchFileError(
            f"launch file at '{path}' does not contain the required function "
            "'generate_launch_description()'"
        )
    description = generate()
    if not isinstance(description, LaunchDescription):
        raise InvalidPythonLaunchFileError(
            f"generate_launch_description() of '{path}' returned {description!r}, not a "
            'LaunchDescription'
        )
    return description


def _is_constant(part: object) -> bool:
    # Shares of packages are where they are, whatever is launched.
    if isinstance(part, TextSubstitution):
        return True
    components = getattr(part, '_components', None)
    if components is not None:
        return all(_is_constant(item) for component in components for item in component)
    constant = getattr(part, 'is_constant', None)
    return bool(constant and constant())
