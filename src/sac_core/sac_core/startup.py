"""The first moment of a node's process, before its slow imports are done."""

from importlib import import_module
import os
from pathlib import Path
import signal
import sys
from types import FrameType

CONFIGURATION_ERROR = 2  # exit code of our nodes: a person has to mend something first
_NO_START = 'failed to initialize rcl: '


def run(module: str) -> int:
    """Import a node's module and run its `main`; a signal before that ends the process quietly.

    Without this, Ctrl-C during the import of a large library prints a traceback. The node
    replaces the handlers by its own. Arguments or parameter files that ROS itself cannot read
    end the process with one line and CONFIGURATION_ERROR, for starting it again would not help.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    main = import_module(module).main
    try:
        return int(main() or 0)
    except RuntimeError as error:  # RCLError and UnknownROSArgsError of rclpy.init
        reason = ' '.join(str(error).split())
        if type(error).__name__ == 'UnknownROSArgsError':
            reason = f'unknown ROS arguments {reason}'
        elif not reason.startswith(_NO_START):
            raise
        sys.stderr.write(f'{Path(sys.argv[0]).name}: {reason.removeprefix(_NO_START)}\n')
        return CONFIGURATION_ERROR


def _end(number: int, frame: FrameType | None) -> None:
    del number, frame
    os._exit(0)
