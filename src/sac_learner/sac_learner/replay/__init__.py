"""Replay memory in memory-mapped files: each frame once, none lost with the process."""

from sac_learner.replay.batch import ReplayBatch
from sac_learner.replay.errors import ReplayError, ReplayFullDiskError
from sac_learner.replay.replay import Replay
from sac_learner.replay.symmetric import SymmetricReplay
from sac_learner.replay.transition import ReplayMark, ReplayTransition

__all__ = [
    'Replay',
    'ReplayBatch',
    'ReplayError',
    'ReplayFullDiskError',
    'ReplayMark',
    'ReplayTransition',
    'SymmetricReplay',
]
