"""Everything that turns into text while launching."""

from .errors import SubstitutionFailure
from .find_executable import Command, FindExecutable
from .logic import (
    AllSubstitution,
    AndSubstitution,
    AnySubstitution,
    EqualsSubstitution,
    IfElseSubstitution,
    NotEqualsSubstitution,
    NotSubstitution,
    OrSubstitution,
    PythonExpression,
)
from .paths import PathJoinSubstitution, PathSubstitution, ThisLaunchFile, ThisLaunchFileDir
from .string_join import StringJoinSubstitution
from .text_substitution import TextSubstitution
from .variables import EnvironmentVariable, LaunchConfiguration

__all__ = [
    'AllSubstitution',
    'AndSubstitution',
    'AnySubstitution',
    'Command',
    'EnvironmentVariable',
    'EqualsSubstitution',
    'FindExecutable',
    'IfElseSubstitution',
    'LaunchConfiguration',
    'NotEqualsSubstitution',
    'NotSubstitution',
    'OrSubstitution',
    'PathJoinSubstitution',
    'PathSubstitution',
    'PythonExpression',
    'StringJoinSubstitution',
    'SubstitutionFailure',
    'TextSubstitution',
    'ThisLaunchFile',
    'ThisLaunchFileDir',
]
