"""A ROS node: a process whose command line carries name, namespace, parameters and remappings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from launch.actions import ExecuteProcess
from launch.launch_context import LaunchContext
from launch.logging import get_logger
from launch.substitution import normalize, perform, SomeSubstitutionsType, Substitution
from rclpy.validate_namespace import validate_namespace
from rclpy.validate_node_name import validate_node_name

from .. import parameter_file_text, parameter_values, scope, temporary_files
from ..parameter_descriptions import Parameter, ParameterFile
from ..remappings import normalize_rules, perform_rules, SomeRemapRules
from ..substitutions import ExecutableInPackage


class Node(ExecuteProcess):
    """Runs a node of a package."""

    def __init__(
        self,
        *,
        executable: SomeSubstitutionsType,
        package: SomeSubstitutionsType | None = None,
        name: SomeSubstitutionsType | None = None,
        namespace: SomeSubstitutionsType | None = None,
        exec_name: SomeSubstitutionsType | None = None,
        parameters: Iterable[Any] | None = None,
        remappings: SomeRemapRules | None = None,
        ros_arguments: Iterable[SomeSubstitutionsType] | None = None,
        arguments: Iterable[SomeSubstitutionsType] | None = None,
        **kwargs: Any,
    ) -> None:
        """Describe the node.

        Args:
            executable: Name of the executable, or its path without a package.
            package: The package that provides it.
            name: Name of the node.
            namespace: Its namespace, relative to the group's or absolute.
            exec_name: Replaces the name of the executable in the label.
            parameters: Files, mappings, ``ParameterFile`` and ``Parameter``, the later ones win.
            remappings: Pairs of names.
            ros_arguments: Further ROS arguments.
            arguments: Arguments of the executable itself.
            kwargs: As for ``ExecuteProcess``, without ``cmd``.
        """
        if 'cmd' in kwargs:
            raise TypeError("Node() got an unexpected keyword argument 'cmd'")
        if isinstance(parameters, str | Mapping):
            raise TypeError(
                f"'parameters' of Node must be a list of files and mappings, got {parameters!r}"
            )
        program: SomeSubstitutionsType = executable
        if package is not None:
            program = ExecutableInPackage(executable, package)
        super().__init__(cmd=[program, *(arguments or [])], name=exec_name, **kwargs)
        self.node_name_parts = None if name is None else normalize(name)
        self.namespace_parts = None if namespace is None else normalize(namespace)
        self._parameters = list(parameters or [])
        self._remappings = normalize_rules(remappings)
        self._ros_arguments = [normalize(part) for part in ros_arguments or ()]
        self._full_name = ''

    @property
    def node_name(self) -> str:
        """Fully qualified name once the node is to run, '<node_name_unspecified>' without one."""
        return self._full_name

    def expand(self, context: LaunchContext) -> list[str]:
        """Return program, arguments and ROS arguments."""
        name = None if self.node_name_parts is None else perform(context, self.node_name_parts)
        given = None if self.namespace_parts is None else perform(context, self.namespace_parts)
        namespace = scope.joined_namespace(context, given)
        if name is not None:
            validate_node_name(name)
        if namespace is not None:
            validate_namespace(namespace)
        self._note_name(context, name, namespace)
        command = super().expand(context)
        if self._ros_arguments:
            command += ['--ros-args', *(perform(context, part) for part in self._ros_arguments)]
        command.append('--ros-args')
        if name is not None:
            command += ['-r', f'__node:={name}']
        if namespace is not None:
            command += ['-r', f'__ns:={namespace}']
        for pair in scope.items(context, scope.PARAMETERS):
            command += pair
        target = (
            f'{namespace.rstrip("/")}/{name}'
            if name is not None and namespace is not None
            else '/**'
        )
        for item in self._parameters:
            command += _parameter_arguments(context, item, target)
        for rule in scope.items(context, scope.REMAPPINGS):
            command += ['-r', rule]
        for source, replacement in perform_rules(context, self._remappings):
            command += ['-r', f'{source}:={replacement}']
        return command

    def _note_name(self, context: LaunchContext, name: str | None, namespace: str | None) -> None:
        self._full_name = f'{(namespace or "").rstrip("/")}/{name or "<node_name_unspecified>"}'
        if name is None:
            return
        count = context.node_names.get(self._full_name, 0) + 1
        context.node_names[self._full_name] = count
        if count > 1:
            get_logger('launch_ros.actions.node').warning(
                f'there are now at least {count} nodes with the name {self._full_name} '
                'created within this '
                'launch context'
            )


def _parameter_arguments(context: LaunchContext, item: Any, node: str) -> list[str]:
    if isinstance(item, Parameter):
        name, value = item.evaluate(context)
        return ['-p', f'{name}:={value}']
    if isinstance(item, Mapping):
        text = parameter_values.dump(parameter_values.flatten(context, item), node)
        return ['--params-file', str(temporary_files.write(text))]
    if isinstance(item, ParameterFile):
        path, expands = item.evaluate(context), item.allow_substs
    elif isinstance(item, str | Path | Substitution | list | tuple):
        path, expands = Path(perform(context, item)), False
    else:
        raise TypeError(f'Expected a parameter file or a mapping of parameters, got {item!r}')
    if not path.is_file():
        get_logger('launch_ros.actions.node').warning(f'Parameter file path is not a file: {path}')
        return []
    if expands:
        path = temporary_files.write(parameter_file_text.expand(context, path.read_text()))
    return ['--params-file', str(path)]
