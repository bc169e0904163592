"""What substitutions raise."""


class SubstitutionFailure(RuntimeError):  # noqa: N818 - the name of the real one
    """A substitution has no value."""
