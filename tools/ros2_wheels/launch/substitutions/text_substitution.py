"""Plain text."""

from ..launch_context import LaunchContext
from ..substitution import Substitution


class TextSubstitution(Substitution):
    """Text that is what it is."""

    def __init__(self, *, text: str) -> None:
        """Keep ``text``.

        Raises:
            TypeError: It is not a ``str``.
        """
        if not isinstance(text, str):
            raise TypeError(f'TextSubstitution expects a str, got {text!r}')
        self.text = text

    def perform(self, context: LaunchContext) -> str:
        """Return the text."""
        return self.text

    def describe(self) -> str:
        """Return the quoted text."""
        return f"'{self.text}'"
