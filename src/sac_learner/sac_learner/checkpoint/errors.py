"""What saving and loading raise."""


class CheckpointError(RuntimeError):
    """A checkpoint could not be saved, or none can be loaded; the message says why."""
