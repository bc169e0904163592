"""What goes wrong with bags."""


class BagError(Exception):
    """A bag cannot be read or written; the text names the file, the place and the remedy."""


class DamagedError(BagError):
    """A file holds bytes that are not what was written.

    Attributes:
        position: Offset of the damaged record in its file [bytes].
    """

    def __init__(self, text: str, position: int) -> None:
        """Keep the place beside the text."""
        super().__init__(text)
        self.position = position
