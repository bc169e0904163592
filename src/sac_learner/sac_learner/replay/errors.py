"""What the replay raises."""


class ReplayError(RuntimeError):
    """The replay cannot be opened, or cannot do what was asked; the message says why."""


class ReplayFullDiskError(ReplayError):
    """The disk has no room for the next frames; nothing was appended, all else still works."""
