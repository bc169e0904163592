"""Settings for every node that follows in the group."""

from __future__ import annotations

from typing import Any

from launch.conditions import Condition
from launch.entity import Action
from launch.launch_context import LaunchContext
from launch.substitution import normalize, perform, SomeSubstitutionsType

from .. import scope
from ..parameter_descriptions import Parameter


class PushRosNamespace(Action):
    """Puts the nodes that follow into a namespace."""

    def __init__(
        self, namespace: SomeSubstitutionsType, *, condition: Condition | None = None
    ) -> None:
        """Take the namespace, relative to the present one or absolute."""
        super().__init__(condition=condition)
        self.namespace = normalize(namespace)

    def execute(self, context: LaunchContext) -> None:
        """Join it to the present one."""
        joined = scope.joined_namespace(context, perform(context, self.namespace))
        assert joined is not None
        context.launch_configurations[scope.NAMESPACE] = joined


PushROSNamespace = PushRosNamespace


class SetParameter(Action):
    """Sets a parameter of all nodes that follow."""

    def __init__(
        self, name: SomeSubstitutionsType, value: Any, *, condition: Condition | None = None
    ) -> None:
        """Take name and value."""
        super().__init__(condition=condition)
        self._parameter = Parameter(name, value)

    def execute(self, context: LaunchContext) -> None:
        """Remember it."""
        name, value = self._parameter.evaluate(context)
        scope.append(context, scope.PARAMETERS, ['-p', f'{name}:={value}'])


class SetParametersFromFile(Action):
    """Gives a parameter file to all nodes that follow."""

    def __init__(
        self, filename: SomeSubstitutionsType, *, condition: Condition | None = None
    ) -> None:
        """Take the path."""
        super().__init__(condition=condition)
        self._file = normalize(filename)

    def execute(self, context: LaunchContext) -> None:
        """Remember it."""
        scope.append(context, scope.PARAMETERS, ['--params-file', perform(context, self._file)])


class SetRemap(Action):
    """Remaps a name of all nodes that follow."""

    def __init__(
        self,
        src: SomeSubstitutionsType,
        dst: SomeSubstitutionsType,
        *,
        condition: Condition | None = None,
    ) -> None:
        """Take the two names."""
        super().__init__(condition=condition)
        self.src = normalize(src)
        self.dst = normalize(dst)

    def execute(self, context: LaunchContext) -> None:
        """Remember it."""
        rule = f'{perform(context, self.src)}:={perform(context, self.dst)}'
        scope.append(context, scope.REMAPPINGS, rule)


class SetUseSimTime(SetParameter):
    """Sets ``use_sim_time`` of all nodes that follow."""

    def __init__(self, value: bool, *, condition: Condition | None = None) -> None:
        """Take the value."""
        super().__init__('use_sim_time', value, condition=condition)
