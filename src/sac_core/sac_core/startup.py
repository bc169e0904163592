"""The first moment of a node's process, before its slow imports are done."""

from importlib import import_module
import os
import signal
from types import FrameType


def run(module: str) -> int:
    """Import a node's module and run its `main`; a signal before that ends the process quietly.

    Without this, Ctrl-C during the import of a large library prints a traceback. The node
    replaces the handlers by its own.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    return int(import_module(module).main() or 0)


def _end(number: int, frame: FrameType | None) -> None:
    del number, frame
    os._exit(0)
