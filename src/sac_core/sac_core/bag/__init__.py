"""Bags in the format of rosbag2, written and read without rosbag2, and whole after a kill."""

from sac_core.bag.definitions import Definition, Definitions
from sac_core.bag.errors import BagError
from sac_core.bag.messages import RawMessage, Topic
from sac_core.bag.reader import BagReader
from sac_core.bag.writer import BagWriter

__all__ = [
    'BagError',
    'BagReader',
    'BagWriter',
    'Definition',
    'Definitions',
    'RawMessage',
    'Topic',
]
