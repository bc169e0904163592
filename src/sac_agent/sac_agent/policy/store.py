"""Which policy acts: offers are checked, adopted between two steps, kept for rollback."""

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from sac_agent.policy.network import NumpyPolicy
from sac_core.policy_format import Architecture, checksum, unpack
from sac_core.spec import AgentSpec

KEPT = 8
"""Policies kept for rollback, besides the best one."""


@dataclass(frozen=True)
class PolicyOffer:
    """Weights as they arrive; fields as in PolicyWeights.msg.

    Attributes:
        stamp: Publication time [ns].
        data: Little-endian float32 in layout order.
        updates: Gradient updates behind them.
        averaged: As `data`, what is evaluated instead; empty: nothing else.
    """

    learner_id: str
    version: int
    stamp: int
    spec_hash: str
    architecture: str
    crc32: int
    data: bytes | memoryview
    updates: int = 0
    averaged_crc32: int = 0
    averaged: bytes | memoryview = b''


@dataclass(frozen=True)
class HeldPolicy:
    """A policy that passed every check.

    Attributes:
        network: Explores.
        offer: How it came, None from a file.
        averaged: Mean of the policy over updates, None: there is none.
    """

    learner_id: str
    version: int
    stamp: int
    network: NumpyPolicy
    offer: PolicyOffer | None = None
    averaged: NumpyPolicy | None = None

    @property
    def evaluated(self) -> NumpyPolicy:
        """What acts in evaluation episodes."""
        return self.averaged or self.network


class PolicyStore:
    """Holds the policy in use, the newest one, earlier ones and the best.

    Attributes:
        current: Policy in use, None before the first.
        newest: Last accepted offer.
        refused: Number of offers refused.
        refusal: Why the last of them was refused.
        pinned: A rollback is in force, so new policies are kept but not used.
    """

    def __init__(self, spec: AgentSpec) -> None:
        """Start without a policy, for agents of this spec."""
        self._spec = spec
        self._hash = spec.spec_hash()
        self._history: OrderedDict[int, HeldPolicy] = OrderedDict()
        self._best: HeldPolicy | None = None
        self.current: HeldPolicy | None = None
        self.newest: HeldPolicy | None = None
        self.refused = 0
        self.refusal = ''
        self.pinned = False

    @property
    def version(self) -> int:
        """Version in use, 0 before the first."""
        return self.current.version if self.current else 0

    def offer(self, offer: PolicyOffer) -> str:
        """Check an offer and keep it for the next `adopt`; return '' or why it is refused.

        An offer that is already held is ignored without being counted, unless it brings the
        average that was lacking.
        """
        newest = self.newest
        if (
            newest is not None
            and offer.learner_id == newest.learner_id
            and offer.version <= newest.version
        ):
            if offer.version < newest.version:
                return self._refuse(
                    f'version {offer.version} is older than version {newest.version} in use'
                )
            if newest.averaged or not offer.averaged:
                return ''
        try:
            network = self._checked(offer, offer.data, offer.crc32)
            averaged = (
                self._checked(offer, offer.averaged, offer.averaged_crc32)
                if offer.averaged
                else None
            )
        except (ValueError, TypeError, ArithmeticError, MemoryError, RecursionError) as error:
            return self._refuse(f'version {offer.version}: {error}')
        self.newest = HeldPolicy(
            offer.learner_id, offer.version, offer.stamp, network, offer, averaged
        )
        self._history[offer.version] = self.newest
        while len(self._history) > KEPT:
            self._history.popitem(last=False)
        return ''

    def adopt(self) -> bool:
        """Use the newest policy from now on, unless one is pinned; return whether it changed."""
        if self.pinned or self.newest is None or self.newest is self.current:
            return False
        self.current = self.newest
        return True

    def use(self, network: NumpyPolicy, version: int) -> None:
        """Use a policy from a file.

        Raises:
            ValueError: It does not fit the agent.
        """
        self._fits(network.architecture)
        self.current = self.newest = HeldPolicy('file', version, 0, network)

    def mark_best(self) -> None:
        """Remember the policy in use as the best so far."""
        self._best = self.current

    def rollback(self, version: int = 0) -> HeldPolicy:
        """Use an earlier policy and stay with it; the newest one ends the rollback.

        Args:
            version: Of the policy, 0: the one that evaluated best.

        Raises:
            ValueError: It is not held.
        """
        held = self._history | {p.version: p for p in (self._best, self.newest) if p}
        chosen = self._best if version == 0 else held.get(version)
        if chosen is None:
            raise ValueError(
                'no policy was evaluated yet; give a version'
                if version == 0
                else f'version {version} is not held; there are {sorted(held)}'
            )
        self.current = chosen
        self.pinned = chosen is not self.newest
        return chosen

    def follow(self) -> None:
        """End a rollback: the newest policy is used at the next `adopt`."""
        self.pinned = False

    def _refuse(self, reason: str) -> str:
        self.refused += 1
        self.refusal = reason
        return reason

    def _checked(self, offer: PolicyOffer, data: bytes | memoryview, crc32: int) -> NumpyPolicy:
        if offer.spec_hash != self._hash:
            raise ValueError(
                f'trained for spec {offer.spec_hash!r}, this agent has {self._hash!r}'
            )
        crc = checksum(data)
        if crc != crc32:
            raise ValueError(f'checksum is {crc:#010x}, announced as {crc32:#010x}')
        architecture = Architecture.from_json(offer.architecture)
        self._fits(architecture)
        arrays = unpack(data, architecture)
        if not (arrays['observation.std'] > 0).all():
            raise ValueError('observation.std must be positive')
        network = NumpyPolicy(architecture, arrays)
        shape = architecture.image_shape
        image = None if shape is None else np.zeros(shape, dtype=np.uint8)
        with np.errstate(all='ignore'):
            action, _, _ = network.act(np.zeros(architecture.vector_size), image)
        if not np.isfinite(action).all():
            raise ValueError('the action at observation 0 is not finite')
        return network

    def _fits(self, architecture: Architecture) -> None:
        observation = self._spec.observation
        expected = (observation.vector_size, observation.image_shape, self._spec.action_size)
        given = (architecture.vector_size, architecture.image_shape, architecture.action_size)
        if given != expected:
            raise ValueError(
                f'vector size, image shape and action size are {given}, the agent needs {expected}'
            )
