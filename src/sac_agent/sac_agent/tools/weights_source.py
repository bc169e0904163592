"""The policies behind recorded actions, by version."""

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sac_agent.policy.network import NumpyPolicy
from sac_core.bag import BagError, BagReader
from sac_core.bag.transitions import POLICY
from sac_core.policy_format import (
    Architecture,
    checksum,
    load_policy,
    PolicyFormatError,
    unpack,
)

KEPT = 32
"""Policies in memory; a running agent uses the newest and few older ones."""


class Weights:
    """Policies from the bag itself and from other places."""

    def __init__(self, sources: list[Path]) -> None:
        """Note where further policies are: bags, policy files, directories of such files.

        Raises:
            BagError: A source is none of these.
        """
        self._networks: OrderedDict[int, NumpyPolicy] = OrderedDict()
        self._files: dict[int, Path] = {}
        self._bags: list[Path] = []
        for source in sources:
            files = sorted(source.rglob('*.safetensors')) if source.is_dir() else [source]
            if source.suffix == '.safetensors' or (source.is_dir() and files):
                for file in files:
                    self._note(file)
            else:
                BagReader(source)
                self._bags.append(source)

    def add(self, message: Any) -> None:
        """Take weights that a bag holds."""
        self._networks[int(message.version)] = _network(message)
        while len(self._networks) > KEPT:
            self._networks.popitem(last=False)

    def get(self, version: int) -> NumpyPolicy | None:
        """Return the policy of a version, None if it is nowhere."""
        if version not in self._networks:
            self._search(version)
        return self._networks.get(version)

    def _note(self, file: Path) -> None:
        try:
            _, _, metadata = load_policy(file)
        except PolicyFormatError as error:
            raise BagError(str(error)) from error
        self._files[int(metadata.get('version', '0') or 0)] = file

    def _search(self, version: int) -> None:
        if version in self._files:
            architecture, arrays, _ = load_policy(self._files[version])
            self._networks[version] = NumpyPolicy(architecture, arrays)
            return
        for message in self._stored():
            if int(message.version) == version:
                self.add(message)
                return

    def _stored(self) -> Iterator[Any]:
        for bag in self._bags:
            reader = BagReader(bag)
            for raw in reader.messages():
                if raw.type == POLICY:
                    yield reader.decode(raw)


def _network(message: Any) -> NumpyPolicy:
    data = bytes(message.data)
    if checksum(data) != message.crc32:
        raise BagError(
            f'weights of version {message.version} do not have the checksum they were sent with'
        )
    try:
        architecture = Architecture.from_json(message.architecture)
        return NumpyPolicy(architecture, unpack(data, architecture))
    except PolicyFormatError as error:
        raise BagError(f'weights of version {message.version}: {error}') from error
