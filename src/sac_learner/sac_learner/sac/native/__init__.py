"""The update as a compiled kernel (CPU)."""

import torch

from sac_learner.sac.batch import Inputs
from sac_learner.sac.config import SacConfig
from sac_learner.sac.learnables import Learnables
from sac_learner.sac.networks import Networks
from sac_learner.sac.noise import Draws
from sac_learner.sac.reference import Plan

Tensor = torch.Tensor


class NativeUpdate:
    """Placeholder until the kernel is built."""

    def __init__(
        self, shape: Networks, config: SacConfig, learnables: Learnables, *, threads: int
    ) -> None:
        """Never called while `missing` gives a reason."""

    @staticmethod
    def missing(shape: Networks, config: SacConfig, device: torch.device) -> str | None:
        """Return why the kernel cannot be used, or None."""
        return 'the kernel is not built'

    def __call__(self, inputs: Inputs, draws: Draws, plan: Plan) -> tuple[Tensor, Tensor | None]:
        """Take one step."""
        raise NotImplementedError
