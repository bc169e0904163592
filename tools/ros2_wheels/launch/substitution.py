"""Text that is known only when the launch file is executed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .launch_context import LaunchContext


class Substitution:
    """Base of everything that turns into text while launching."""

    def perform(self, context: LaunchContext) -> str:
        """Return the text."""
        raise NotImplementedError

    def describe(self) -> str:
        """Return how ``--show-args`` writes it."""
        return f'{type(self).__name__}()'


SomeSubstitutionsType = str | Path | Substitution | Iterable[str | Path | Substitution]


def normalize(value: SomeSubstitutionsType) -> list[Substitution]:
    """Return the parts of a text as substitutions.

    Raises:
        TypeError: A part is neither text, nor a path, nor a substitution.
    """
    from .substitutions.text_substitution import TextSubstitution

    if isinstance(value, str | Path):
        return [TextSubstitution(text=str(value))]
    if isinstance(value, Substitution):
        return [value]
    if not isinstance(value, Iterable):
        raise TypeError(
            f'expected text, a substitution or an iterable of these, got {value!r} '
            f'of type {type(value).__name__}'
        )
    parts: list[Substitution] = []
    for part in value:
        if not isinstance(part, str | Path | Substitution):
            raise TypeError(
                f'expected text or a substitution in the list, got {part!r} of type '
                f'{type(part).__name__}'
            )
        parts += normalize(part)
    return parts


def perform(context: LaunchContext, value: SomeSubstitutionsType) -> str:
    """Return the concatenated text of all parts."""
    return ''.join(part.perform(context) for part in normalize(value))


def describe(value: SomeSubstitutionsType) -> str:
    """Return the description of all parts."""
    return ' + '.join(part.describe() for part in normalize(value))
