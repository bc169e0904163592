"""Where the robots' models are."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent


def directory(*names: str) -> Path:
    """Return the directory of a robot, or one in it."""
    return ROOT.joinpath(*names)
