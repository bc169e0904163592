"""Definitions of message types as a bag stores them, taken from the installed packages."""

from collections.abc import Iterator
import re

from rosbags.typesys import get_types_from_msg, get_typestore, Stores
from rosbags.typesys.store import Typestore

from ..packages import share


class Types:
    """A type store that learns types from the packages that define them."""

    def __init__(self) -> None:
        """Begin with those of ROS 2 Kilted."""
        self.store: Typestore = get_typestore(Stores.ROS2_KILTED)

    def learn(self, name: str) -> None:
        """Register a type and those of its fields, unless they are known."""
        if name in self.store.types:
            return
        package, _, short = name.replace('/msg/', '/').partition('/')
        text = (share(package) / 'msg' / f'{short}.msg').read_text()
        for nested in _nested(text, package):
            self.learn(nested)
        self.store.register(get_types_from_msg(text, name))


def _nested(text: str, package: str) -> Iterator[str]:
    for line in text.splitlines():
        words = line.split('#')[0].split()
        if len(words) < 2 or '=' in words[1]:
            continue
        kind = re.sub(r'\[.*\]$', '', words[0])
        if '/' in kind:
            yield kind if '/msg/' in kind else kind.replace('/', '/msg/')
        elif kind[0].isupper():
            yield 'std_msgs/msg/Header' if kind == 'Header' else f'{package}/msg/{kind}'
