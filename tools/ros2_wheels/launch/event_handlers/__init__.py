"""What may be done when something happens to a process, or at the end."""

from .on_action import OnExecutionComplete, OnProcessExit, OnProcessIO, OnProcessStart
from .on_shutdown import OnShutdown

__all__ = ['OnExecutionComplete', 'OnProcessExit', 'OnProcessIO', 'OnProcessStart', 'OnShutdown']
