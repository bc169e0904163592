"""One number for what a replay holds, whatever the order in which its streams arrived."""

from __future__ import annotations

from collections.abc import Mapping
import hashlib

import numpy as np

from sac_learner.replay.layout import NO_TRANSITION
from sac_learner.replay.ring import Ring

BLOCK = 4096  # slots


def fingerprint(ring: Ring, streams: Mapping[str, int], low: int, head: int) -> str:
    """Return a hash of the slots in [low, head): equal contents, equal hash.

    Each stream counts by itself, in its own order, so the same robots give the same hash however
    their steps came to lie among each other.

    Args:
        ring: The slots.
        streams: Index of each stream in the slots, by name.
        low: Oldest position.
        head: Position behind the newest.
    """
    digests = {index: hashlib.sha256() for index in streams.values()}
    for start in range(low, head, BLOCK):
        slots = np.arange(start, min(start + BLOCK, head)) % ring.slots
        meta = ring.meta[slots]
        for index, digest in digests.items():
            own = slots[meta['stream'] == index]
            if not own.size:
                continue
            digest.update(ring.rows[own].tobytes())
            digest.update(ring.meta['sequence'][own].tobytes())
            digest.update(ring.meta['flags'][own].tobytes())
            # Which slots hold a transition; how far back it came from depends on the others.
            digest.update((ring.back[own] != NO_TRANSITION).tobytes())
            if ring.images is not None:
                digest.update(ring.images[own].tobytes())
    whole = hashlib.sha256()
    for name, index in sorted(streams.items()):
        whole.update(f'{name}\n{digests[index].hexdigest()}\n'.encode())
    return whole.hexdigest()
