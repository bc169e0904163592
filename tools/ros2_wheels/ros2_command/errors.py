"""What ends a command with one line on standard error."""


class CommandError(Exception):
    """The command cannot do what was asked; the message says why."""
