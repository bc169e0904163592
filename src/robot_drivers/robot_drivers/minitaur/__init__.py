"""Minitaur: direct-drive quadruped behind a datagram link to its motor controller."""
