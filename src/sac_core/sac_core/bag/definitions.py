"""Message definitions as bags embed them, taken from the installed packages."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
import os
from pathlib import Path
import re
from typing import Any

import numpy as np
from rosbags.interfaces import Nodetype
from rosbags.typesys import get_types_from_msg, get_typestore, Stores

from sac_core.bag.errors import BagError

TEXTS = ('string', 'wstring')
_ABSENT = object()
SEPARATOR = '\n' + '=' * 80 + '\n'


@dataclass(frozen=True)
class Definition:
    """One message type.

    Attributes:
        name: E.g. ``sac_msgs/msg/Transition``.
        text: Its definition and those of its fields, as rosbag2 embeds them (``ros2msg``).
        digest: Hash of the type, as ``ros2 topic info -v`` prints it (RIHS01).
    """

    name: str
    text: str
    digest: str


class Definitions:
    """Finds definitions and (de)serialises messages without the generated Python classes."""

    def __init__(self, search: Mapping[str, Path] | None = None) -> None:
        """Begin with the common interfaces of ROS 2 Kilted.

        Args:
            search: Directory of the ``.msg`` files of packages that are not installed.
        """
        self.store = get_typestore(Stores.ROS2_KILTED)
        self._search = dict(search or {})
        self._known: dict[str, Definition] = {}

    def get(self, name: str) -> Definition:
        """Return the definition of a type.

        Raises:
            BagError: No installed package defines it.
        """
        if name not in self._known:
            self._known[name] = self._make(name)
        return self._known[name]

    def learn(self, name: str, text: str) -> None:
        """Take over a definition that a bag brings along; a known type stays as it is."""
        if name in self._known:
            return
        types = get_types_from_msg(text, name)
        self.store.register({k: v for k, v in types.items() if k not in self.store.fielddefs})
        self._known[name] = Definition(name, text, self.store.hash_rihs01(name))

    def new(self, name: str, /, **fields: Any) -> Any:
        """Return a message of a type; fields that are not given are zero or empty."""
        self.get(name)
        _, layout = self.store.fielddefs[name]
        values = {item: fields.get(item, _ABSENT) for item, _ in layout}
        for item, kind in layout:
            if values[item] is _ABSENT:
                values[item] = self._default(kind)
        return self.store.types[name](**values)

    def decode(self, data: bytes, name: str) -> Any:
        """Return the message behind serialised data, arrays as read-only numpy views.

        Bytes behind the message are ignored: rclpy leaves some there.

        Raises:
            BagError: The data are no such message.
        """
        self.get(name)
        if data[:2] not in (b'\0\0', b'\0\1'):
            raise BagError(
                f'{len(data)} bytes are no {name}: their encapsulation is not plain CDR'
            )
        definition = self.store.get_msgdef(name)
        decoder = definition.deserialize_cdr_le if data[1] else definition.deserialize_cdr_be
        try:
            message, _ = decoder(data[4:], 0, definition.cls, self.store)
        except Exception as error:  # the generated decoder raises whatever the bytes provoke
            raise BagError(f'{len(data)} bytes are no {name}: {error!r}') from error
        return message

    def canonical(self, data: bytes, name: str) -> bytes:
        """Return the one serialisation of a message: padding is zero and nothing follows it.

        What rclpy serialises holds leftovers of memory in its padding and behind its end; other
        readers refuse the latter, and equal messages differ.

        Raises:
            BagError: The data are no such message.
        """
        return self.encode(self.decode(data, name), name)

    def encode(self, message: Any, name: str) -> bytes:
        """Return a message serialised (CDR), encapsulation header included."""
        self.get(name)
        return bytes(self.store.serialize_cdr(message, name))

    def _default(self, kind: Any) -> Any:
        node, detail = kind
        if node == Nodetype.NAME:
            return self.new(detail)
        if node == Nodetype.BASE:
            base = detail[0]
            return '' if base in TEXTS else np.dtype(base).type(0).item()
        (inner, what), length = detail
        if inner == Nodetype.BASE and what[0] not in TEXTS:
            return np.zeros(length if node == Nodetype.ARRAY else 0, dtype=what[0])
        count = length if node == Nodetype.ARRAY else 0
        return [self._default(detail[0]) for _ in range(count)]

    def _make(self, name: str) -> Definition:
        texts: dict[str, str] = {}
        self._collect(name, texts)
        if name not in self.store.fielddefs:
            types: dict[str, Any] = {}
            for item, text in texts.items():
                types.update(get_types_from_msg(text, item))
            self.store.register({k: v for k, v in types.items() if k not in self.store.fielddefs})
        if name in texts:
            others = [item for item in texts if item != name]
            text = texts[name] + ''.join(
                f'{SEPARATOR}MSG: {item.replace("/msg/", "/")}\n{texts[item]}' for item in others
            )
        else:
            text, _ = self.store.generate_msgdef(name, ros_version=2)
        return Definition(name, text, self.store.hash_rihs01(name))

    def _collect(self, name: str, texts: dict[str, str]) -> None:
        path = self._path(name)
        if path is None:
            if name not in self.store.fielddefs:
                raise BagError(
                    f'no definition of {name} found; build and source the package that defines it'
                )
            generated, _ = self.store.generate_msgdef(name, ros_version=2)
            parts = generated.split('=' * 80 + '\n')
            texts.setdefault(name, parts[0])
            for part in parts[1:]:
                title, _, text = part.partition('\n')
                texts.setdefault(title.removeprefix('MSG: ').replace('/', '/msg/'), text)
            return
        texts[name] = path.read_text(encoding='utf-8')
        for nested in _nested(texts[name], name.split('/')[0]):
            if nested not in texts:
                self._collect(nested, texts)

    def _path(self, name: str) -> Path | None:
        package, _, short = name.partition('/msg/')
        folders = [self._search[package]] if package in self._search else []
        prefixes = os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep)
        folders += [Path(prefix) / 'share' / package / 'msg' for prefix in prefixes if prefix]
        for folder in folders:
            if (folder / f'{short}.msg').is_file():
                return folder / f'{short}.msg'
        return None


def _nested(text: str, package: str) -> Iterator[str]:
    for line in text.splitlines():
        words = line.split('#')[0].split()
        if len(words) < 2 or '=' in words[1]:
            continue
        kind = re.sub(r'\[.*\]$', '', words[0])
        if '/' in kind:
            yield kind if '/msg/' in kind else kind.replace('/', '/msg/')
        elif kind == 'Header':
            yield 'std_msgs/msg/Header'
        elif kind[0].isupper():
            yield f'{package}/msg/{kind}'
