"""What a launch says: on the screen, and in ``launch.log`` of a directory of its own."""

from __future__ import annotations

from datetime import datetime
import os
from pathlib import Path
import socket
import sys
import time
from typing import TextIO


class LaunchLog:
    """Screen and log file of one launch."""

    def __init__(self) -> None:
        """Begin without a directory; it is made when the first line is written to it."""
        self._directory: Path | None = None
        self._files: dict[str, TextIO] = {}
        self.debug_enabled = False

    @property
    def directory(self) -> Path:
        """Where the log files of this launch are."""
        if self._directory is None:
            self._directory = _make_directory()
        return self._directory

    def log(self, level: str, logger: str, message: str) -> None:
        """Write a message to screen and log file."""
        if level == 'DEBUG' and not self.debug_enabled:
            return
        self.screen(f'[{level}] [{logger}]: {message}')
        self.file('launch.log', f'[{level}] [{logger}]: {message}')

    def screen(self, line: str) -> None:
        """Write a line to the screen, as long as somebody reads it."""
        try:
            sys.stdout.write(f'{line}\n')
            sys.stdout.flush()
        except BrokenPipeError:
            # Ending the processes matters more than telling about it.
            sys.stdout = Path(os.devnull).open('w')  # noqa: SIM115

    def file(self, name: str, line: str) -> None:
        """Write a line with its time to a file of the log directory."""
        if name not in self._files:
            self._files[name] = (self.directory / name).open('a', buffering=1)
        self._files[name].write(f'{time.time():.7f} {line}\n')

    def close(self) -> None:
        """Close the files; the next line opens a new directory."""
        for file in self._files.values():
            file.close()
        self._files.clear()
        self._directory = None


LOG = LaunchLog()


class Logger:
    """Messages under one name."""

    def __init__(self, name: str) -> None:
        """Take the name."""
        self.name = name

    def debug(self, message: str) -> None:
        """Write what helps to find an error in a launch file."""
        LOG.log('DEBUG', self.name, message)

    def info(self, message: str) -> None:
        """Write what happened."""
        LOG.log('INFO', self.name, message)

    def warning(self, message: str) -> None:
        """Write what may be unintended."""
        LOG.log('WARNING', self.name, message)

    def error(self, message: str) -> None:
        """Write what went wrong."""
        LOG.log('ERROR', self.name, message)


def get_logger(name: str = 'launch') -> Logger:
    """Return a logger."""
    return Logger(name)


def log_root() -> Path:
    """Return where logs go: $ROS_LOG_DIR, $ROS_HOME/log or ~/.ros/log."""
    if directory := os.environ.get('ROS_LOG_DIR'):
        return Path(directory).expanduser()
    return Path(os.environ.get('ROS_HOME') or '~/.ros').expanduser() / 'log'


def _make_directory() -> Path:
    stamp = datetime.now().strftime('%Y-%m-%d-%H-%M-%S-%f')
    directory = log_root() / f'{stamp}-{socket.gethostname()}-{os.getpid()}'
    directory.mkdir(parents=True, exist_ok=True)
    latest = log_root() / 'latest'
    fresh = log_root() / f'.latest-{os.getpid()}'
    try:
        fresh.symlink_to(directory.name)
        fresh.replace(latest)
    except OSError:  # the link is a comfort; something else may be in its place
        fresh.unlink(missing_ok=True)
    return directory
