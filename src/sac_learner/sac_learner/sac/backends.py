"""The forms of the update, and which of them serves."""

import os
from typing import Protocol

import torch

from sac_learner.sac.batch import Inputs
from sac_learner.sac.config import SacConfig
from sac_learner.sac.fast import FastUpdate
from sac_learner.sac.learnables import Learnables
from sac_learner.sac.native import NativeUpdate
from sac_learner.sac.networks import Networks
from sac_learner.sac.noise import Draws
from sac_learner.sac.reference import ReferenceUpdate
from sac_learner.sac.schedule import Plan

Tensor = torch.Tensor

BACKENDS = ('auto', 'native', 'torch', 'reference')


def default_threads() -> int:
    """Return the threads that leave two cores to the agent and the driver, 1 to 4.

    The calling thread is one of them. More than four were not measured.
    """
    return max(1, min(4, len(os.sched_getaffinity(0)) - 2))


class Update(Protocol):
    """One form of the update; all forms agree with `ReferenceUpdate`."""

    def __call__(self, inputs: Inputs, draws: Draws, plan: Plan) -> tuple[Tensor, Tensor | None]:
        """Take one step and return the values of `CRITIC_METRICS` and `ACTOR_METRICS`."""

    def finish(self) -> None:
        """Wait until the steps are taken and what they returned can be read."""


def choose_update(
    backend: str,
    shape: Networks,
    config: SacConfig,
    learnables: Learnables,
    device: torch.device,
    threads: int,
) -> tuple[str, Update]:
    """Return an update that has every option of `config`, and the name of its backend.

    Args:
        backend: One of `BACKENDS`; 'auto' takes the fastest.
        shape: Of the networks.
        config: Settings.
        learnables: What it shall learn.
        device: Where to compute.
        threads: CPU threads, at least 1.

    Raises:
        ValueError: `backend` is unknown or lacks an option of `config`.
    """
    if backend not in BACKENDS:
        raise ValueError(f'backend must be one of {BACKENDS}, got {backend!r}')
    arguments = (shape, config, learnables)
    if backend == 'reference':
        return 'reference', ReferenceUpdate(*arguments)
    if backend in ('auto', 'native'):
        reason = NativeUpdate.missing(shape, config, device)
        if reason is None:
            return 'native', NativeUpdate(*arguments, threads=threads)
        if backend == 'native':
            raise ValueError(f'the native update cannot be used: {reason}; use torch or auto')
    if FastUpdate.supports(shape, config, device):
        return 'torch', FastUpdate(*arguments)
    return 'torch', ReferenceUpdate(*arguments, fused=True)
