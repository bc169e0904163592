"""Parameters of a node as a launch file writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args, get_origin

from launch.launch_context import LaunchContext
from launch.substitution import normalize, perform, SomeSubstitutionsType
import yaml

from .parameter_values import typed_value


class ParameterValue:
    """A value whose type is known, or is found by reading it as YAML."""

    def __init__(self, value: Any, *, value_type: Any = None) -> None:
        """Take the value and the type that it is to have; None reads it as YAML."""
        self.value = value
        self.value_type = value_type

    def evaluate(self, context: LaunchContext) -> Any:
        """Return the value.

        Raises:
            ValueError: It is not of the type.
        """
        if self.value_type is None or not _is_text(self.value):
            return typed_value(context, '', self.value)
        text = perform(context, self.value)
        if get_origin(self.value_type) is list:
            (item_type,) = get_args(self.value_type)
            return [_coerce(item, item_type) for item in yaml.safe_load(text)]
        return _coerce(text, self.value_type)


class ParameterFile:
    """A YAML file of parameters; ``$(var name)`` and the like in it are expanded on request."""

    def __init__(self, param_file: SomeSubstitutionsType, *, allow_substs: bool = False) -> None:
        """Take the path."""
        self.param_file = normalize(param_file)
        self.allow_substs = allow_substs

    def evaluate(self, context: LaunchContext) -> Path:
        """Return the path of the file as it was written."""
        return Path(perform(context, self.param_file))


class Parameter:
    """One named parameter."""

    def __init__(
        self,
        name: SomeSubstitutionsType,
        value: Any,
        *,
        value_type: Any = None,
        description: str = '',
    ) -> None:
        """Take name and value."""
        self.name = normalize(name)
        self.value = ParameterValue(value, value_type=value_type)
        self.description = description

    def evaluate(self, context: LaunchContext) -> tuple[str, Any]:
        """Return name and value."""
        return perform(context, self.name), self.value.evaluate(context)


def _is_text(value: Any) -> bool:
    return not isinstance(value, bool | int | float | bytes)


def _coerce(value: Any, value_type: Any) -> Any:
    if value_type is str:
        return value if isinstance(value, str) else str(value)
    if value_type is bool:
        loaded = yaml.safe_load(value) if isinstance(value, str) else value
        if not isinstance(loaded, bool):
            raise ValueError(
                f"Cannot convert input '{value}' of type '{type(value)}' to '{value_type}'"
            )
        return loaded
    try:
        if isinstance(value, bool):
            raise ValueError
        return value_type(value)
    except (TypeError, ValueError):
        raise ValueError(
            f"Cannot convert input '{value}' of type '{type(value)}' to '{value_type}'"
        ) from None
