"""The files of a replay directory and how a slot is laid out in them.

A slot holds one frame and, if there is one, the transition that led to it. ``rows`` has the
frame's vector, then the transition's action, reward and ``continues`` (0 if it terminated, or 1);
``images`` the frame's pixels; ``back`` the distance in slots to the frame the transition came from
(NO_TRANSITION without one); ``forward`` the distance to the frame the next transition leads to
(0: none yet); ``meta`` who recorded it. All numbers are little-endian.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from sac_learner.replay.errors import ReplayError
from sac_learner.replay.files import write_synced

FORMAT = 'sac_ros2 replay'
VERSION = 1
HEADER = 'header.json'
NO_TRANSITION = 2**32 - 1

FIRST = 1  # a segment's first frame
TERMINATED = 2
TRUNCATED = 4
UNTRAINED = 8  # the step is not meant for training

META = np.dtype([('sequence', '<u8'), ('stream', '<u2'), ('flags', 'u1')])


def flags(terminated: bool, truncated: bool, train: bool) -> int:
    """Return the flags of a step."""
    return (
        (TERMINATED if terminated else 0)
        | (TRUNCATED if truncated else 0)
        | (0 if train else UNTRAINED)
    )


def default_reserve(capacity: int) -> int:
    """Return how many slots are kept beyond ``capacity``.

    They keep a batch whole while the writer goes on, the window of the last checkpoint
    complete, and the window of the last flush intact when the power fails.
    """
    return max(capacity // 40, min(capacity, 4096), 64)


@dataclass(frozen=True)
class Layout:
    """Sizes of a replay; fixed when it is created."""

    capacity: int  # slots that can be sampled
    reserve: int  # slots beyond them
    vector_size: int
    action_size: int
    image_shape: tuple[int, int, int] | None  # height, width, channels
    spec_hash: str = ''

    def __post_init__(self) -> None:
        """Check the sizes."""
        if not 4 <= self.capacity < 2**31:
            raise ValueError(f'capacity must lie in [4, 2**31), got {self.capacity}')
        if self.reserve < 4:
            raise ValueError(f'reserve must be at least 4 slots, got {self.reserve}')
        if self.vector_size < 0 or self.action_size < 1:
            raise ValueError(
                f'vector_size must be >= 0 and action_size >= 1, '
                f'got {self.vector_size} and {self.action_size}'
            )
        shape = self.image_shape
        if shape is not None and (len(shape) != 3 or min(shape) < 1):
            raise ValueError(f'image_shape must be (height, width, channels), got {shape}')
        if self.vector_size == 0 and shape is None:
            raise ValueError('an observation needs a vector, an image, or both')

    @property
    def slots(self) -> int:
        """Slots in the files."""
        return self.capacity + self.reserve

    @property
    def row_size(self) -> int:
        """Floats in one row: vector, action, reward, continues."""
        return self.vector_size + self.action_size + 2

    @property
    def image_size(self) -> int:
        """Bytes of one image; 0 without a camera."""
        return 0 if self.image_shape is None else int(np.prod(self.image_shape))

    @property
    def slot_bytes(self) -> int:
        """Bytes of one slot in all files together."""
        return 4 * self.row_size + self.image_size + 8 + META.itemsize

    def window_start(self, head: int) -> int:
        """Return where the window of what can be sampled begins, before slot ``head``."""
        return max(0, head - self.capacity)

    def arrays(self) -> dict[str, tuple[Any, tuple[int, ...]]]:
        """Return data type and shape of each data file, by name."""
        arrays: dict[str, tuple[Any, tuple[int, ...]]] = {
            'rows': ('<f4', (self.slots, self.row_size)),
            'back': ('<u4', (self.slots,)),
            'forward': ('<u4', (self.slots,)),
            'meta': (META, (self.slots,)),
        }
        if self.image_size:
            arrays['images'] = ('u1', (self.slots, self.image_size))
        return arrays

    def write(self, directory: Path) -> None:
        """Write the header, which makes the directory a replay."""
        content = {'format': FORMAT, 'version': VERSION, **asdict(self)}
        content['digest'] = _digest(content)
        write_synced(directory / HEADER, json.dumps(content, indent=1).encode() + b'\n')


def read_layout(directory: Path) -> Layout:
    """Return the layout of the replay in ``directory``.

    Raises:
        ReplayError: There is none, its header is damaged, or another version wrote it.
    """
    path = directory / HEADER
    try:
        content = json.loads(path.read_text())
        digest = content.pop('digest')
        name, version = content.pop('format'), content.pop('version')
    except FileNotFoundError as error:
        raise ReplayError(f'{directory} holds no replay: {HEADER} is missing') from error
    except (ValueError, KeyError, AttributeError, OSError) as error:
        raise ReplayError(f'{path} is damaged: {error!r}') from error
    if name != FORMAT or version != VERSION:
        raise ReplayError(
            f'{path} is {name!r} version {version!r}, this program reads {FORMAT!r} '
            f'version {VERSION}; start a new run directory'
        )
    if digest != _digest({'format': name, 'version': version, **content}):
        raise ReplayError(f'{path} is damaged: its digest does not match')
    shape = content.pop('image_shape')
    try:
        return Layout(**content, image_shape=None if shape is None else tuple(shape))
    except (TypeError, ValueError) as error:
        raise ReplayError(f'{path} is damaged: {error}') from error


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
