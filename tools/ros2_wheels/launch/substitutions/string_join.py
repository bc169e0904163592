"""Text joined with a delimiter."""

from collections.abc import Iterable

from ..launch_context import LaunchContext
from ..substitution import describe, normalize, perform, SomeSubstitutionsType, Substitution


class StringJoinSubstitution(Substitution):
    """Texts with a delimiter between them; a text may be a list of parts."""

    def __init__(
        self, substitutions: Iterable[SomeSubstitutionsType], delimiter: SomeSubstitutionsType = ''
    ) -> None:
        """Take the texts and the delimiter."""
        self._texts = [normalize(text) for text in substitutions]
        self._delimiter = normalize(delimiter)

    def perform(self, context: LaunchContext) -> str:
        """Return the joined text."""
        return perform(context, self._delimiter).join(
            perform(context, text) for text in self._texts
        )

    def describe(self) -> str:
        """Return ``StringJoin(...)``."""
        return f'StringJoin({", ".join(describe(text) for text in self._texts)})'
