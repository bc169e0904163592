"""Frozen dataclasses from nested mappings, with errors that name key, value and admissible values.

Metadata of a field: ``doc``, ``range`` (low, high; for every element of a tuple), ``choices``.
"""

from collections.abc import Callable, Mapping
from dataclasses import Field, field, fields, is_dataclass, MISSING
from functools import cache
from types import MappingProxyType
from typing import Any, get_args, get_origin, get_type_hints, TypeVar

from sac_agent.errors import ConfigError

T = TypeVar('T')


def option(default: Any, doc: str, **metadata: Any) -> Any:
    """Return a dataclass field with a default and its description."""
    return field(default=default, metadata={'doc': doc, **metadata})


def required(doc: str, **metadata: Any) -> Any:
    """Return a dataclass field that has to be given."""
    return field(metadata={'doc': doc, **metadata})


def part(factory: Callable[[], Any], doc: str, **metadata: Any) -> Any:
    """Return a dataclass field that is itself a section."""
    return field(default_factory=factory, metadata={'doc': doc, **metadata})


def empty_mapping() -> Mapping[str, Any]:
    """Return an immutable empty mapping, the default of sections with free keys."""
    return MappingProxyType({})


def load(config_type: type[T], data: Any, path: str = '') -> T:
    """Return the dataclass that nested mappings describe.

    Integers are accepted for floats and a single value for a tuple.

    Args:
        config_type: A frozen dataclass.
        data: Nested mapping, as read from YAML.
        path: Where the mapping comes from, for error texts.

    Raises:
        ConfigError: A key is unknown or missing, or a value is not admissible.
    """
    if not isinstance(data, Mapping):
        raise ConfigError(f'{path or "configuration"}: must be a section of keys, got {data!r}')
    hints = _hints(config_type)  # type: ignore[arg-type]
    known = {item.name: item for item in fields(config_type)}  # type: ignore[arg-type]
    values = {}
    for key, value in data.items():
        where = f'{path}.{key}' if path else str(key)
        if key not in known:
            raise ConfigError(f'{where}: unknown key; admissible are {", ".join(sorted(known))}')
        values[key] = convert(hints[key], value, where)
        _check(known[key], values[key], where)
    for name, item in known.items():
        if name not in values and item.default is MISSING and item.default_factory is MISSING:
            where = f'{path}.{name}' if path else name
            raise ConfigError(f'{where}: missing; {item.metadata.get("doc", "give a value")}')
    try:
        return config_type(**values)
    except ConfigError as error:
        raise ConfigError(f'{path}.{error}' if path else str(error)) from None


def convert(expected: Any, value: Any, path: str) -> Any:
    """Return a value as the annotated type, see `load`."""
    origin = get_origin(expected)
    if is_dataclass(expected):
        return load(expected, value, path)  # type: ignore[arg-type]
    if origin is tuple:
        element = get_args(expected)[0]
        items = value if isinstance(value, (list, tuple)) or hasattr(value, 'tolist') else [value]
        return tuple(convert(element, item, path) for item in items)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise ConfigError(f'{path}: must be a section of keys, got {value!r}')
        element = get_args(expected)[1]
        converted = {str(k): convert(element, v, f'{path}.{k}') for k, v in value.items()}
        # ROS parameters have no order, so a name, not a place in a file, decides.
        return MappingProxyType({key: converted[key] for key in sorted(converted)})
    if expected is Any:
        return value
    if expected is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, expected) and not (expected is int and isinstance(value, bool)):
        return value
    raise ConfigError(
        f'{path}: must be of type {expected.__name__}, got {value!r} ({type(value).__name__})'
    )


def plain(config: Any) -> Any:
    """Return nested dicts and lists of a configuration, ready for YAML."""
    if is_dataclass(config):
        return {item.name: plain(getattr(config, item.name)) for item in fields(config)}
    if isinstance(config, Mapping):
        return {key: plain(value) for key, value in config.items()}
    if isinstance(config, (tuple, list)):
        return [plain(value) for value in config]
    return config


def flatten(data: Mapping[str, Any], prefix: str = '') -> dict[str, Any]:
    """Return ``{'a.b': value}`` for ``{'a': {'b': value}}``."""
    flat: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f'{prefix}{key}.')
        else:
            flat[prefix + key] = value
    return flat


def unflatten(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return the nested form of dotted names, the inverse of `flatten`.

    Raises:
        ConfigError: A name is both a value and a section.
    """
    nested: dict[str, Any] = {}
    for name, value in flat.items():
        *parents, last = name.split('.')
        section = nested
        for parent in parents:
            section = section.setdefault(parent, {})
            if not isinstance(section, dict):
                raise ConfigError(f'{name}: {parent} is a value, not a section')
        if isinstance(section.get(last), dict):
            raise ConfigError(f'{name}: is a section, not a value')
        section[last] = value
    return nested


def _check(item: 'Field[Any]', value: Any, path: str) -> None:
    values = value if isinstance(value, tuple) else (value,)
    if 'choices' in item.metadata:
        choices = item.metadata['choices']
        for one in values:
            if one not in choices:
                raise ConfigError(f'{path}: must be one of {", ".join(choices)}, got {one!r}')
    if 'range' in item.metadata:
        low, high = item.metadata['range']
        for one in values:
            if not low <= one <= high:
                raise ConfigError(f'{path}: must lie in [{low}, {high}], got {one}')


@cache
def _hints(config_type: type) -> dict[str, Any]:
    return get_type_hints(config_type)
