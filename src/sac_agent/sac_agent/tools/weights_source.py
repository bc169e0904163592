"""The policies behind recorded actions, by version."""

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

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


class Policies(NamedTuple):
    """What acts under one version; files of an averaged policy lack the one that explored."""

    exploring: NumpyPolicy | None
    evaluated: NumpyPolicy


class Weights:
    """Policies from the bag itself and from other places."""

    def __init__(self, sources: list[Path]) -> None:
        """Note where further policies are: bags, policy files, directories of such files.

        Raises:
            BagError: A source is none of these.
        """
        self._networks: OrderedDict[int, Policies] = OrderedDict()
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
        network = _network(message, bytes(message.data), message.crc32)
        averaged = bytes(getattr(message, 'averaged', b''))  # bags of 2026-11 have none
        self._networks[int(message.version)] = Policies(
            network,
            _network(message, averaged, message.averaged_crc32) if averaged else network,
        )
        while len(self._networks) > KEPT:
            self._networks.popitem(last=False)

    def get(self, version: int, *, explores: bool = True) -> NumpyPolicy | None:
        """Return the policy of a version that explores or is evaluated, None if it is nowhere."""
        if version not in self._networks:
            self._search(version)
        policies = self._networks.get(version)
        if policies is None:
            return None
        return policies.exploring if explores else policies.evaluated

    def _note(self, file: Path) -> None:
        try:
            _, _, metadata = load_policy(file)
        except PolicyFormatError as error:
            raise BagError(str(error)) from error
        self._files[int(metadata.get('version', '0') or 0)] = file

    def _search(self, version: int) -> None:
        if version in self._files:
            architecture, arrays, metadata = load_policy(self._files[version])
            network = NumpyPolicy(architecture, arrays)
            self._networks[version] = Policies(
                None if metadata.get('averaged') == 'true' else network, network
            )
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


def _network(message: Any, data: bytes, crc32: int) -> NumpyPolicy:
    if checksum(data) != crc32:
        raise BagError(
            f'weights of version {message.version} do not have the checksum they were sent with'
        )
    try:
        architecture = Architecture.from_json(message.architecture)
        return NumpyPolicy(architecture, unpack(data, architecture))
    except PolicyFormatError as error:
        raise BagError(f'weights of version {message.version}: {error}') from error
