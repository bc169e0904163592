"""Expansion of ``$(var name)``, ``$(env NAME)`` and their like inside a parameter file."""

import re
import shlex

from launch.launch_context import LaunchContext
from launch.substitutions import (
    EnvironmentVariable,
    LaunchConfiguration,
    SubstitutionFailure,
    ThisLaunchFileDir,
)

from .substitutions import FindPackagePrefix, FindPackageShare

PATTERN = re.compile(r'\$\(([^()]*)\)')


def expand(context: LaunchContext, text: str) -> str:
    """Return the text with every substitution performed, the inner ones first.

    Raises:
        SubstitutionFailure: A substitution is unknown or has no value.
    """
    while PATTERN.search(text):
        text = PATTERN.sub(lambda match: _perform(context, match[1]), text)
    return text


def _perform(context: LaunchContext, expression: str) -> str:
    words = shlex.split(expression)
    name, arguments = words[0], words[1:]
    default = arguments[1] if len(arguments) > 1 else None
    if name == 'var':
        return LaunchConfiguration(arguments[0], default=default).perform(context)
    if name in ('env', 'optenv'):
        fallback = '' if name == 'optenv' and default is None else default
        return EnvironmentVariable(arguments[0], default_value=fallback).perform(context)
    if name == 'find-pkg-share':
        return FindPackageShare(arguments[0]).perform(context)
    if name == 'find-pkg-prefix':
        return FindPackagePrefix(arguments[0]).perform(context)
    if name == 'dirname':
        return ThisLaunchFileDir().perform(context)
    raise SubstitutionFailure(
        f"unknown substitution '$({expression})' in a parameter file; "
        'known are var, env, optenv, find-pkg-share, find-pkg-prefix and dirname'
    )
