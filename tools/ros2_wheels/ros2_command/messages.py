"""Messages by the name of their type, as YAML and from YAML."""

import array
from collections.abc import Mapping, Sequence
from importlib import import_module
import re
from typing import Any

import numpy as np
import yaml

from .errors import CommandError

Message = Any  # generated classes have no common base


def load(type_name: str, folder: str = 'msg') -> type[Message]:
    """Return the class of 'package/msg/Name' or 'package/Name'.

    Raises:
        CommandError: It is not installed.
    """
    package, _, name = type_name.replace(f'/{folder}/', '/').partition('/')
    try:
        found: type[Message] = getattr(import_module(f'{package}.{folder}'), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise CommandError(f"The {folder} type '{type_name}' is invalid: {error}") from error
    return found


def to_dict(
    message: Message, *, truncate: int | None = None, no_arr: bool = False, no_str: bool = False
) -> dict[str, Any]:
    """Return the fields of a message.

    Args:
        message: Any message.
        truncate: Keep so many elements of a sequence, and characters of a text.
        no_arr: Replace sequences by their type and length.
        no_str: Replace texts by their length.
    """
    types = message.get_fields_and_field_types()
    return {
        name: _plain(getattr(message, name), kind, truncate, no_arr, no_str)
        for name, kind in types.items()
    }


def to_yaml(value: Any) -> str:
    """Return what :func:`to_dict` or :func:`field` gives as text, without a final line break."""
    text: str = yaml.dump(
        value,
        Dumper=_Dumper,
        sort_keys=False,
        width=2**31,
        allow_unicode=True,
        default_flow_style=False,
    )
    return text.rstrip('\n').removesuffix('\n...')


def field(message: Message, path: str, **shortening: Any) -> Any:
    """Return one field, such as ``header.stamp`` or ``poses[0].x``, like :func:`to_dict`.

    Raises:
        CommandError: There is no such field.
    """
    value, kind = message, ''
    for name, index in re.findall(r'(\w+)|\[(\d+)\]', path):
        try:
            if name:
                kind = value.get_fields_and_field_types()[name]
                value = getattr(value, name)
            else:
                kind, value = '', value[int(index)]
        except (AttributeError, KeyError, IndexError, TypeError):
            raise CommandError(f"Invalid field '{path}': no '{name or index}' in it") from None
    options = {'truncate': None, 'no_arr': False, 'no_str': False} | shortening
    return _plain(value, kind, options['truncate'], options['no_arr'], options['no_str'])


def fill(message: Message, values: Mapping[str, Any]) -> None:
    """Set fields of a message from YAML values; numbers become the type of their field.

    Raises:
        CommandError: A field does not exist, or does not take its value.
    """
    types = message.get_fields_and_field_types()
    for name, value in values.items():
        if name not in types:
            raise CommandError(
                f"{type(message).__name__} has no field '{name}'; it has {sorted(types)}"
            )
        present = getattr(message, name)
        try:
            setattr(message, name, _convert(present, types[name], value))
        except (AssertionError, TypeError, ValueError, OverflowError) as error:
            raise CommandError(f"field '{name}' does not take {value!r}: {error}") from error


def _convert(present: Any, kind: str, value: Any) -> Any:
    if hasattr(present, 'get_fields_and_field_types'):
        fill(present, _mapping(value))
        return present
    match = re.fullmatch(r'sequence<(.+?)(?:, \d+)?>|(.+)\[\d*\]', kind)
    if match and (item := match[1] or match[2]) and '/' in item:
        filled = [load(item)() for _ in value]
        for message, values in zip(filled, value, strict=True):
            fill(message, _mapping(values))
        return filled
    if isinstance(present, float):
        return float(value)
    if isinstance(present, np.ndarray):
        return np.asarray(value, dtype=present.dtype)
    if isinstance(present, array.array):
        return array.array(present.typecode, value)
    return value


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise CommandError(f'expected fields with values, got {value!r}')
    return value


def _plain(value: Any, kind: str, truncate: int | None, no_arr: bool, no_str: bool) -> Any:
    if hasattr(value, 'get_fields_and_field_types'):
        return to_dict(value, truncate=truncate, no_arr=no_arr, no_str=no_str)
    if isinstance(value, bytes):
        return (
            value.decode('latin-1')
            if len(value) == 1
            else _plain(list(value), kind, truncate, no_arr, no_str)
        )
    if isinstance(value, str):
        if no_str:
            return f'<string length: <{len(value)}>>'
        return value if truncate is None or len(value) <= truncate else value[:truncate] + '...'
    if isinstance(value, array.array | np.ndarray | Sequence):
        return _sequence(value, kind, truncate, no_arr, no_str)
    return value.item() if isinstance(value, np.generic) else value


def _sequence(value: Any, kind: str, truncate: int | None, no_arr: bool, no_str: bool) -> Any:
    if no_arr:
        if kind.startswith('sequence'):
            item = re.sub(r'^sequence<(.+?)(, \d+)?>$', r'\1', kind)
            return f'<sequence type: {item}, length: {len(value)}>'
        return f'<array type: {kind}>'
    kept = value if truncate is None else value[:truncate]
    listed = (
        kept.tolist()
        if isinstance(kept, array.array | np.ndarray)
        else [_plain(item, '', truncate, no_arr, no_str) for item in kept]
    )
    return listed if len(kept) == len(value) else [*listed, '...']


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True
