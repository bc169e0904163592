"""Checkpoints: all a run needs to go on exactly, saved while it goes on."""

from sac_learner.checkpoint.checkpoints import Checkpoints
from sac_learner.checkpoint.errors import CheckpointError
from sac_learner.checkpoint.generator import generator_state, restore_generator
from sac_learner.checkpoint.snapshot import PolicySnapshot, Snapshot
from sac_learner.checkpoint.stored import Checkpoint

__all__ = [
    'Checkpoint',
    'CheckpointError',
    'Checkpoints',
    'PolicySnapshot',
    'Snapshot',
    'generator_state',
    'restore_generator',
]
