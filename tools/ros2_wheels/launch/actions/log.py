"""A message to the user."""

from __future__ import annotations

from ..conditions import Condition
from ..entity import Action
from ..launch_context import LaunchContext
from ..logging import get_logger
from ..substitution import normalize, perform, SomeSubstitutionsType


class LogInfo(Action):
    """Writes a line."""

    def __init__(self, *, msg: SomeSubstitutionsType, condition: Condition | None = None) -> None:
        """Take the text."""
        super().__init__(condition=condition)
        self.msg = normalize(msg)

    def execute(self, context: LaunchContext) -> None:
        """Write it."""
        get_logger('launch.user').info(perform(context, self.msg))
