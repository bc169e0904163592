"""From what a launch file writes to what a parameter file holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from launch.launch_context import LaunchContext
from launch.substitution import perform, Substitution
import yaml

SCALARS = (bool, int, float, str)


def flatten(
    context: LaunchContext, parameters: Mapping[Any, Any], prefix: str = ''
) -> dict[str, Any]:
    """Return all parameters of a nested mapping under their dotted names.

    Raises:
        TypeError: A value is none that a parameter can have.
    """
    flat: dict[str, Any] = {}
    for key, value in parameters.items():
        name = prefix + perform(context, key)
        if isinstance(value, Mapping):
            flat |= flatten(context, value, f'{name}.')
        else:
            flat[name] = typed_value(context, name, value)
    return flat


def typed_value(context: LaunchContext, name: str, value: Any) -> Any:
    """Return the value of a parameter: text stays text, what holds substitutions is read as YAML.

    Raises:
        TypeError: It is none that a parameter can have.
    """
    from .parameter_descriptions import ParameterValue

    if isinstance(value, ParameterValue):
        return value.evaluate(context)
    if isinstance(value, Substitution):
        return _from_yaml(name, value.perform(context))
    if isinstance(value, bool | int | float | str | bytes):
        return value
    if isinstance(value, Iterable) and not isinstance(value, Mapping):
        items = list(value)
        if any(isinstance(item, Substitution) for item in items) and all(
            isinstance(item, str | Substitution) for item in items
        ):
            return _from_yaml(name, perform(context, items))
        evaluated = [_item(context, name, item) for item in items]
        if {type(item) for item in evaluated} == {int, float}:
            evaluated = [float(item) for item in evaluated]
        return _uniform(name, evaluated)
    raise TypeError(f'Unexpected type for parameter "{name}": {type(value).__name__} ({value!r})')


def dump(parameters: Mapping[str, Any], node: str) -> str:
    """Return a parameter file for one node; strings are quoted, so that they stay strings."""
    quoted = {name: _quote(value) for name, value in parameters.items()}
    return yaml.dump({node: {'ros__parameters': quoted}}, Dumper=_Dumper)


def _item(context: LaunchContext, name: str, item: Any) -> Any:
    if isinstance(item, list | tuple):
        return yaml.safe_load(perform(context, item))
    return typed_value(context, name, item)


def _from_yaml(name: str, text: str) -> Any:
    if not text:
        return ''
    value = yaml.safe_load(text)
    if isinstance(value, list):
        return _uniform(name, value)
    if not isinstance(value, SCALARS):
        raise TypeError(
            'Allowed value types are bytes, bool, int, float, str, Sequence[bool], Sequence[int], '
            f'Sequence[float], Sequence[str]. Got {type(value)}. If the parameter is '
            'meant to be a string, '
            'try wrapping it in launch_ros.parameter_descriptions.ParameterValue(value, '
            'value_type=str)'
        )
    return value


def _uniform(name: str, items: list[Any]) -> list[Any]:
    types = {type(item) for item in items}
    if len(types) != 1 or not types <= set(SCALARS):
        raise TypeError(
            'Expected a non-empty sequence, with items of uniform type. Allowed '
            'sequence item types are '
            f'bool, int, float, str. Got inconsistent input for "{name}"'
        )
    return items


class _Quoted(str):
    """Text that must not be read as anything else."""


def _quote(value: Any) -> Any:
    if isinstance(value, list):
        return [_quote(item) for item in value]
    return _Quoted(value) if isinstance(value, str) else value


class _Dumper(yaml.SafeDumper):
    def represent_quoted(self, text: _Quoted) -> yaml.ScalarNode:
        return self.represent_scalar('tag:yaml.org,2002:str', str(text), style="'")

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(_Quoted, _Dumper.represent_quoted)
