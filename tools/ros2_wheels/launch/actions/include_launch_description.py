"""Another launch file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..conditions import Condition
from ..entity import Action, LaunchDescriptionEntity
from ..launch_context import LaunchContext
from ..launch_description import LaunchDescription
from ..launch_description_sources import LaunchDescriptionSource
from ..substitution import normalize, perform, SomeSubstitutionsType
from ..substitutions.text_substitution import TextSubstitution
from .opaque_function import OpaqueFunction

LOCALS = ('current_launch_file_path', 'current_launch_file_directory')


class IncludeLaunchDescription(Action):
    """Executes another launch file; its arguments stay set afterwards."""

    def __init__(
        self,
        launch_description_source: LaunchDescriptionSource
        | LaunchDescription
        | SomeSubstitutionsType,
        *,
        launch_arguments: Iterable[tuple[SomeSubstitutionsType, SomeSubstitutionsType]]
        | None = None,
        condition: Condition | None = None,
    ) -> None:
        """Take the file, or a description, and pairs of argument and value."""
        super().__init__(condition=condition)
        self._description: LaunchDescription | None = None
        self._source: LaunchDescriptionSource | None = None
        if isinstance(launch_description_source, LaunchDescription):
            self._description = launch_description_source
        elif isinstance(launch_description_source, LaunchDescriptionSource):
            self._source = launch_description_source
        else:
            self._source = LaunchDescriptionSource(launch_description_source)
        self._arguments = [
            (normalize(name), normalize(value)) for name, value in launch_arguments or ()
        ]

    def argument_names(self) -> frozenset[str]:
        """Return the names of the arguments that it provides, where they are plain text."""
        return frozenset(
            ''.join(part.text for part in name if isinstance(part, TextSubstitution))
            for name, _ in self._arguments
        )

    def describe_sub_entities(self) -> list[LaunchDescriptionEntity]:
        """Return the description, if it can be told without executing anything."""
        description = self._description
        if description is None and self._source is not None:
            description = self._source.try_get_launch_description_without_context()
        return [] if description is None else [description]

    def execute(self, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """Set the arguments and execute the file.

        Raises:
            RuntimeError: A required argument is missing.
        """
        description = self._description
        before = {name: getattr(context.locals, name, None) for name in LOCALS}
        if self._source is not None:
            description = self._source.get_launch_description(context)
            path = Path(self._source.location).resolve()
            context.extend_locals(
                dict(zip(LOCALS, (self._source.location, str(path.parent)), strict=True))
            )
        assert description is not None
        arguments = {
            perform(context, name): perform(context, value) for name, value in self._arguments
        }
        for argument in description.required_arguments():
            if argument.name not in arguments:
                raise RuntimeError(
                    f"Included launch description missing required argument '{argument.name}' "
                    f"(description: '{argument.description}'), given: [{', '.join(arguments)}]"
                )
        context.launch_configurations.update(arguments)

        def leave(context: LaunchContext) -> None:
            context.extend_locals(before)

        return [description, OpaqueFunction(function=leave)]
