"""Two hosts on one machine: network namespaces joined by a cable that can lose packets.

The kernel's own packet loss (netem, nftables) is often not there, so the cable is a thread that
carries Ethernet frames between two TAP devices: every frame is lost with the probability that is
asked for, from a seeded generator. Both hosts have their own /dev/shm, so that the middleware
cannot reach the other one through shared memory.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
import random
import select
import shutil
import struct
import subprocess
import tempfile
import threading

HOSTS = ('robot', 'workstation')
ADDRESSES = {host: f'10.79.0.{number}' for number, host in enumerate(HOSTS, 1)}
_TUNSETIFF = 0x400454CA
_TAP, _NO_INFO = 0x0002, 0x1000
_FRAME = 65536


class NoNamespacesError(RuntimeError):
    """This machine lets nobody make network namespaces here; the message says why."""


class Cable(threading.Thread):
    """Carries frames between two devices, and loses some.

    Attributes:
        loss: Share of frames that are lost, in [0, 1]; 1 is a pulled cable.
        carried: Frames that arrived.
        lost: Frames that did not.
    """

    def __init__(self, ends: tuple[int, int], seed: int) -> None:
        """Join two TAP devices, given by their file descriptors."""
        super().__init__(name='cable', daemon=True)
        self.loss = 0.0
        self.carried = self.lost = 0
        self._ends = ends
        self._random = random.Random(seed)
        self._wake = os.eventfd(0)

    def run(self) -> None:
        """Carry until `stop`."""
        first, second = self._ends
        other = {first: second, second: first}
        while True:
            ready, _, _ = select.select([*self._ends, self._wake], [], [])
            if self._wake in ready:
                return
            for end in ready:
                with contextlib.suppress(OSError):  # a device that is down carries nothing
                    frame = os.read(end, _FRAME)
                    if self._random.random() < self.loss:
                        self.lost += 1
                        continue
                    os.write(other[end], frame)
                    self.carried += 1

    def stop(self) -> None:
        """End the thread and take the devices away."""
        os.eventfd_write(self._wake, 1)
        self.join()
        for descriptor in (*self._ends, self._wake):
            os.close(descriptor)


class Network:
    """The hosts `robot` and `workstation`, and the cable between them; a context manager."""

    def __init__(self, seed: int = 0) -> None:
        """Make both hosts.

        Raises:
            NoNamespacesError: Not permitted, or a tool is missing.
        """
        if os.geteuid() != 0:
            raise NoNamespacesError('network namespaces need root')
        if shutil.which('ip') is None:
            raise NoNamespacesError("network namespaces need the program 'ip' (package iproute2)")
        self._name = f'chaos{os.getpid() % 100000:05d}{_serial():x}'
        self._directory = Path(tempfile.mkdtemp(prefix='chaos-hosts-'))
        self._namespaces: list[str] = []
        ends: list[int] = []
        try:
            for number, host in enumerate(HOSTS):
                ends.append(self._make(host, number))
        except (OSError, subprocess.CalledProcessError) as error:
            for end in ends:
                os.close(end)
            self._remove()
            text = getattr(error, 'stderr', '') or str(error)
            raise NoNamespacesError(f'network namespaces: {text.strip()}') from error
        self.cable = Cable((ends[0], ends[1]), seed)
        self.cable.start()

    def __enter__(self) -> Network:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def command(self, host: str, command: list[str]) -> list[str]:
        """Return a command that runs on a host."""
        memory = self._directory / host
        script = f'mount --bind {memory} /dev/shm && exec "$@"'
        return ['ip', 'netns', 'exec', self._namespace(host), 'sh', '-c', script, 'sh', *command]

    def close(self) -> None:
        """Remove everything."""
        self.cable.stop()
        self._remove()

    def _namespace(self, host: str) -> str:
        return f'{self._name}-{host}'

    def _make(self, host: str, number: int) -> int:
        namespace, device = self._namespace(host), f'{self._name[-9:]}{number}'
        (self._directory / host).mkdir()
        _ip('netns', 'add', namespace)
        self._namespaces.append(namespace)
        end = os.open('/dev/net/tun', os.O_RDWR)
        fcntl.ioctl(end, _TUNSETIFF, struct.pack('16sH14x', device.encode(), _TAP | _NO_INFO))
        _ip('link', 'set', device, 'netns', namespace)
        inside = ('-n', namespace)
        _ip(*inside, 'link', 'set', 'lo', 'up')
        _ip(*inside, 'address', 'add', f'{ADDRESSES[host]}/24', 'dev', device)
        _ip(*inside, 'link', 'set', device, 'up')
        return end

    def _remove(self) -> None:
        for namespace in self._namespaces:
            subprocess.run(['ip', 'netns', 'delete', namespace], capture_output=True, check=False)
        shutil.rmtree(self._directory, ignore_errors=True)


_count = 0


def _serial() -> int:
    global _count
    _count += 1
    return _count % 16


def _ip(*arguments: str) -> None:
    subprocess.run(['ip', *arguments], capture_output=True, text=True, check=True)
