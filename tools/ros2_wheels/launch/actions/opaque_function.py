"""Anything that a function can do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..conditions import Condition
from ..entity import Action, LaunchDescriptionEntity
from ..launch_context import LaunchContext


class OpaqueFunction(Action):
    """Calls a function with the context; it may return entities to execute."""

    def __init__(
        self,
        *,
        function: Callable[..., Iterable[LaunchDescriptionEntity] | None],
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        condition: Condition | None = None,
    ) -> None:
        """Take the function and what it gets after the context."""
        super().__init__(condition=condition)
        self._function = function
        self._args = list(args or [])
        self._kwargs = dict(kwargs or {})

    def execute(self, context: LaunchContext) -> Iterable[LaunchDescriptionEntity] | None:
        """Call it."""
        return self._function(context, *self._args, **self._kwargs)
