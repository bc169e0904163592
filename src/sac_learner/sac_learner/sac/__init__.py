"""Soft Actor-Critic: configuration, objectives, networks and the updates, without ROS."""

from sac_learner.sac.agent import DivergenceError, Sac
from sac_learner.sac.backends import default_threads
from sac_learner.sac.batch import Batch
from sac_learner.sac.config import preset, PRESETS, SacConfig

__all__ = [
    'Batch',
    'DivergenceError',
    'PRESETS',
    'Sac',
    'SacConfig',
    'default_threads',
    'preset',
]
