"""What goes wrong with the journal."""


class JournalError(Exception):
    """The journal cannot be used as asked; the text says why and what to do."""


class JournalFullError(JournalError):
    """Nothing more can be recorded until the disk has room again; the robot may go on moving."""
