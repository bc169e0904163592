"""A moment of a run, taken out of it so that it can go on while the moment is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sac_core.policy_format import Architecture

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class PolicySnapshot:
    """A policy that an agent can load."""

    architecture: Architecture
    arrays: Arrays
    metadata: dict[str, str] = field(default_factory=dict)

    @classmethod
    def take(
        cls,
        architecture: Architecture,
        arrays: Mapping[str, npt.ArrayLike],
        metadata: Mapping[str, str] | None = None,
    ) -> PolicySnapshot:
        """Copy a policy."""
        return cls(architecture, _copies(arrays), dict(metadata or {}))


@dataclass(frozen=True)
class Snapshot:
    """What a checkpoint will hold.

    Attributes:
        arrays: Networks, optimisers, normaliser: any names, any shapes.
        values: Counters, settings, random states, the replay's mark: JSON values.
        policy: The present policy, if there is one.
    """

    arrays: Arrays
    values: dict[str, Any]
    policy: PolicySnapshot | None = None

    @classmethod
    def take(
        cls,
        arrays: Mapping[str, npt.ArrayLike],
        values: Mapping[str, Any],
        policy: PolicySnapshot | None = None,
    ) -> Snapshot:
        """Copy the arrays; this is all the time that saving takes from training."""
        return cls(_copies(arrays), dict(values), policy)


def _copies(arrays: Mapping[str, npt.ArrayLike]) -> Arrays:
    return {name: np.array(array, order='C') for name, array in arrays.items()}
