"""The policy in use, on the disk, so that an agent that starts again goes on with it."""

from collections.abc import Mapping
import json
import os
from pathlib import Path
import threading

from sac_agent.policy.store import HeldPolicy, PolicyOffer
from sac_core.policy_format import (
    Architecture,
    checksum,
    load_policy,
    pack,
    PolicyFormatError,
    save_policy,
    unpack,
)

NAME = 'policy.safetensors'
PERIOD = 1.0  # [s] between two writes; a killed agent goes on with a policy no older than that

_NOTED = {'learner_id': str, 'version': int, 'stamp': int, 'spec_hash': str, 'crc32': int,
          'updates': int}  # fmt: skip
"""What the file says besides the weights, as in `PolicyOffer`."""


class KeptPolicy:
    """Writes the newest policy in a thread of its own; does nothing without a directory.

    Attributes:
        problem: Why it is not on the disk, empty if it is; acting goes on.
    """

    def __init__(self, directory: Path | None) -> None:
        """Keep the policy in this directory."""
        self._path = directory / NAME if directory else None
        self._known: PolicyOffer | None = None  # is in the file, or is to be
        self._due: PolicyOffer | None = None
        self._news, self._closing = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self.problem = ''
        if self._path:
            self._thread = threading.Thread(target=self._run, name='kept policy', daemon=True)
            self._thread.start()

    def load(self) -> PolicyOffer | None:
        """Return what an earlier process kept, to be checked like any offer; None: nothing.

        Raises:
            ValueError: The file is not what an agent wrote.
        """
        if self._path is None or not self._path.exists():
            return None
        try:
            architecture, arrays, metadata = load_policy(self._path)
            noted = {name: kind(metadata[name]) for name, kind in _NOTED.items()}
            if metadata['seal'] != _seal(architecture, metadata):
                raise PolicyFormatError(f'{self._path} was changed since it was written')
            data = pack(arrays, architecture)
        except KeyError as error:
            raise PolicyFormatError(f'{self._path} was kept by no agent: no {error}') from error
        except (TypeError, MemoryError, RecursionError) as error:
            raise PolicyFormatError(f'{self._path} is damaged: {error}') from error
        self._known = PolicyOffer(architecture=architecture.to_json(), data=data, **noted)
        return self._known

    def keep(self, policy: HeldPolicy | None) -> None:
        """Have the policy in use written soon; returns at once."""
        offer = policy.offer if policy else None
        if self._thread is None or offer is None or offer is self._known:
            return
        self._known = self._due = offer
        self._news.set()

    def close(self, timeout: float = 5.0) -> None:
        """Write the newest one.

        Args:
            timeout: Time the disk may take [s].
        """
        if self._thread is not None:
            self._closing.set()
            self._news.set()
            self._thread.join(timeout)

    def _run(self) -> None:
        written: PolicyOffer | None = None
        closing = False
        while not closing:
            self._news.wait()
            self._news.clear()
            closing = self._closing.is_set()
            offer = self._due
            if offer is None or offer is written:
                continue
            try:
                self._write(offer)
                written, self.problem = offer, ''
            except Exception as error:  # a full disk, in the words of several libraries
                self.problem = f'the policy cannot be kept: {error}'
                self._news.set()  # once more
            self._closing.wait(PERIOD)

    def _write(self, offer: PolicyOffer) -> None:
        """Replace the file in one step."""
        assert self._path is not None  # or there is no thread
        architecture = Architecture.from_json(offer.architecture)
        noted = {name: str(getattr(offer, name)) for name in _NOTED}
        noted['seal'] = _seal(architecture, noted)
        beside = self._path.with_name(NAME + '.tmp')
        save_policy(beside, unpack(offer.data, architecture), architecture, noted)
        with beside.open('rb') as file:
            os.fsync(file.fileno())
        beside.replace(self._path)


def _seal(architecture: Architecture, metadata: Mapping[str, str]) -> str:
    """Return a checksum of what a file says besides the weights, which have their own."""
    said = [architecture.to_json(), *(metadata[name] for name in _NOTED)]
    return str(checksum(json.dumps(said).encode()))
