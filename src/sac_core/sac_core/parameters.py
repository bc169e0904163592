"""Parameters from dataclasses: the dataclass is the truth, ROS parameters and YAML follow."""

from collections.abc import Callable, Mapping
from dataclasses import Field, fields, MISSING
from difflib import get_close_matches
from typing import Any, TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rclpy.node import Node

ConfigT = TypeVar('ConfigT')


def check_values(config_type: type[ConfigT], values: Mapping[str, Any]) -> None:
    """Check types, ranges and choices that the fields' metadata state.

    Raises:
        ValueError: A name is unknown or a value not admissible; the text names both.
    """
    known = {item.name: item for item in fields(config_type)}  # type: ignore[arg-type]
    for name, value in values.items():
        if name not in known:
            raise ValueError(f'unknown parameter {name!r}; there are {sorted(known)}')
        _check(known[name], value)


def declare_config(
    node: 'Node',
    config_type: type[ConfigT],
    *,
    prefix: str = '',
    defaults: ConfigT | None = None,
) -> ConfigT:
    """Declare one ROS parameter per field and return the configuration they give.

    Metadata of a field: ``doc`` (required), ``range`` (low, high), ``choices``, ``live`` (may be
    set while running; every other parameter is read-only). Tuples become arrays.

    Args:
        node: Owner of the parameters.
        config_type: Dataclass of the configuration.
        prefix: Before every name.
        defaults: Holds the defaults, where they are others than those of the fields.

    Raises:
        ValueError: A value is out of range, of the wrong type, or fields contradict each other.
    """
    from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
    from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException

    values = {}
    for item in fields(config_type):  # type: ignore[arg-type]
        default = _default(item) if defaults is None else getattr(defaults, item.name)
        descriptor = ParameterDescriptor(
            description=_describe(item), read_only=not item.metadata.get('live', False)
        )
        if 'range' in item.metadata:
            low, high = item.metadata['range']
            if isinstance(default, float):
                descriptor.floating_point_range = [
                    FloatingPointRange(from_value=float(low), to_value=float(high))
                ]
            elif isinstance(default, int):
                descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high))]
        declared = list(default) if isinstance(default, tuple) else default
        try:
            value = node.declare_parameter(prefix + item.name, declared, descriptor).value
        except (InvalidParameterTypeException, InvalidParameterValueException) as error:
            raise ValueError(
                f'parameter {prefix}{item.name}: {error} ({_describe(item)})'
            ) from error
        values[item.name] = tuple(value) if isinstance(default, tuple) else value
    check_values(config_type, values)
    return config_type(**values)


def refuse_unknown(node: 'Node') -> None:
    """Refuse values given for parameters that nobody declared; ROS would ignore them silently.

    Raises:
        ValueError: There is one; the text names it and the likeliest of the known names.
    """
    given = getattr(node, '_parameter_overrides', {})  # rclpy shows them nowhere else
    known = set(node.get_parameters_by_prefix(''))
    for name in sorted(given):
        if name in known or name.startswith('qos_overrides.'):
            continue
        likely = get_close_matches(name, known, n=3)
        hint = f'did you mean {" or ".join(likely)}?' if likely else f'there are {sorted(known)}'
        raise ValueError(f'unknown parameter {name!r}; {hint}')


def on_change(
    node: 'Node',
    config_type: type[ConfigT],
    apply: Callable[[str, Any], None],
    *,
    prefix: str = '',
) -> None:
    """Call `apply(name, value)` for every admissible change of a live parameter.

    A change that the metadata or `apply` (by ValueError) refuses is rejected with the reason.
    """
    from rcl_interfaces.msg import SetParametersResult

    live = {item.name for item in fields(config_type) if item.metadata.get('live')}  # type: ignore[arg-type]

    def callback(parameters: list[Any]) -> SetParametersResult:
        for parameter in parameters:
            name = parameter.name.removeprefix(prefix)
            if not parameter.name.startswith(prefix) or name not in live:
                continue
            value = parameter.value
            try:
                check_values(config_type, {name: value})
                apply(name, value)
            except ValueError as error:
                return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(callback)


def _default(item: 'Field[Any]') -> Any:
    if item.default is not MISSING:
        return item.default
    if item.default_factory is not MISSING:
        return item.default_factory()
    raise TypeError(f'field {item.name} needs a default to become a parameter')


def _describe(item: 'Field[Any]') -> str:
    text = str(item.metadata['doc'])
    if 'choices' in item.metadata:
        text += f' One of {", ".join(map(str, item.metadata["choices"]))}.'
    if 'range' in item.metadata and isinstance(_default(item), tuple):
        low, high = item.metadata['range']  # ROS has ranges for single numbers only
        text += f' Each from {low} to {high}.'
    return text


def _check(item: 'Field[Any]', value: Any) -> None:
    default = _default(item)
    expected = float if isinstance(default, float) else type(default)
    accepted = (
        isinstance(value, (int, float)) and not isinstance(value, bool)
        if expected is float
        else isinstance(value, (tuple, list))
        if expected is tuple
        else isinstance(value, expected) and (expected is bool or not isinstance(value, bool))
    )
    if not accepted:
        raise ValueError(
            f'{item.name} must be of type {expected.__name__}, got {value!r} '
            f'({type(value).__name__}): {_describe(item)}'
        )
    if 'choices' in item.metadata and value not in item.metadata['choices']:
        raise ValueError(
            f'{item.name} must be one of {list(item.metadata["choices"])}, got {value!r}'
        )
    if 'range' in item.metadata:
        low, high = item.metadata['range']
        for number in value if isinstance(value, (tuple, list)) else (value,):
            if not low <= number <= high:
                raise ValueError(f'{item.name} must lie in [{low}, {high}], got {number}')
