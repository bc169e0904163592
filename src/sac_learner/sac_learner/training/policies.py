"""Policies under their numbers, and which of them evaluated best."""

from dataclasses import dataclass
from typing import Any

from sac_core.policy_format import Architecture
from sac_learner.checkpoint import Checkpoints
from sac_learner.sac.agent import PolicyArrays, Sac

KEPT = 100


@dataclass
class Policy:
    """One published policy.

    Attributes:
        arrays: Of the policy that learns, which explores.
        averaged: Of its mean over updates, None where the settings ask for none.
    """

    version: int
    updates: int
    architecture: Architecture
    arrays: PolicyArrays
    averaged: PolicyArrays | None = None

    @property
    def evaluated(self) -> PolicyArrays:
        """What is evaluated, and kept if it is the best."""
        return self.arrays if self.averaged is None else self.averaged


class Policies:
    """Numbers policies, and remembers the newest ones until they have been evaluated.

    Attributes:
        version: Number of the newest one, 0 before the first.
        best: Score, version and updates of the best one, empty before the first evaluation.
    """

    def __init__(self, checkpoints: Checkpoints, spec_hash: str) -> None:
        """Begin without any; the best one is kept among the checkpoints."""
        self.version = 0
        self.best: dict[str, Any] = {}
        self._checkpoints, self._spec_hash = checkpoints, spec_hash
        self._newest: dict[int, Policy] = {}

    def new(self, sac: Sac) -> Policy:
        """Return the present policy under a new version."""
        self.version += 1
        architecture, arrays = sac.policy()
        averaged = sac.policy(averaged=True)[1] if sac.averages else None
        policy = Policy(self.version, sac.updates, architecture, arrays, averaged)
        self._newest[self.version] = policy
        for old in [v for v in self._newest if v <= self.version - KEPT]:
            del self._newest[old]
        return policy

    def outnumber(self, version: int) -> None:
        """Number the next policy above one that an agent has.

        It may be of an earlier life of this learner, which got further than its last checkpoint;
        its evaluation must not count for another policy of the same number.
        """
        self.version = max(self.version, version)

    def evaluated(self, version: int, success_rate: float, mean_return: float) -> bool:
        """Keep a policy if it evaluated best so far, and return whether it did."""
        score = [success_rate, mean_return]
        policy = self._newest.get(version)
        if policy is None or (self.best and score <= self.best['score']):
            return False
        self.best = {'score': score, 'version': version, 'updates': policy.updates}
        self._checkpoints.save_best(
            policy.architecture,
            policy.evaluated,
            {
                'spec_hash': self._spec_hash,
                'version': str(version),
                'updates': str(policy.updates),
                'averaged': str(policy.averaged is not None).lower(),
            },
        )
        return True
