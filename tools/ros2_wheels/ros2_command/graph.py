"""A hidden node that looks at the graph for one command."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
import os
import signal
import time
from typing import TypeVar

import rclpy
from rclpy.node import Node
from rclpy.task import Future

from .errors import CommandError

QUIET = 0.8  # [s] without news, after which the graph counts as known
PATIENCE = 4.0  # [s] until a graph without anything in it counts as empty

T = TypeVar('T')


@contextmanager
def hidden_node(options: argparse.Namespace | None = None) -> Iterator[Node]:
    """Provide a node that lists do not show.

    Raises:
        SystemExit: SIGTERM came, after which rclpy lets nothing go on.
    """
    arguments = (
        ['--ros-args', '-p', 'use_sim_time:=true']
        if getattr(options, 'use_sim_time', False)
        else None
    )
    with rclpy.init(args=arguments):
        node = rclpy.create_node(
            f'_ros2cli_{os.getpid()}', start_parameter_services=False, enable_rosout=False
        )
        try:
            yield node
        except Exception:
            if rclpy.ok():
                raise
            raise SystemExit(128 + signal.SIGTERM) from None
        finally:
            node.destroy_node()


def add_spin_time(parser: argparse.ArgumentParser) -> None:
    """Let the user say how long to look for others."""
    parser.add_argument(
        '--spin-time', type=float, default=None, metavar='S', help='time to discover the graph [s]'
    )
    parser.add_argument(
        '--no-daemon', action='store_true', help='has no effect, there is no daemon'
    )


def discover(node: Node, spin_time: float | None = None) -> None:
    """Wait until nothing new appears in the graph."""
    began = changed = time.monotonic()
    known = _size(node)
    while True:
        time.sleep(0.05)
        now = time.monotonic()
        if spin_time is not None:
            if now - began >= spin_time:
                return
            continue
        size = _size(node)
        if size != known:
            known, changed = size, now
        lonely = size <= 1
        if now - began >= (PATIENCE if lonely else 0.0) and now - changed >= QUIET:
            return


def wait_until(node: Node, find: Callable[[], T | None], timeout: float = PATIENCE) -> T | None:
    """Return what ``find`` finds as soon as it does, or None."""
    end = time.monotonic() + timeout
    while (found := find()) is None and time.monotonic() < end:
        rclpy.spin_once(node, timeout_sec=0.05)
    return found


def result_of(node: Node, future: Future, timeout: float = 10.0) -> object:
    """Return the result of a call.

    Raises:
        CommandError: It did not come.
    """
    rclpy.spin_until_future_complete(node, future, timeout_sec=timeout)
    if not future.done():
        raise CommandError(f'no answer within {timeout:.0f} s')
    return future.result()


def is_hidden(name: str) -> bool:
    """Tell whether a name has a part that begins with an underscore."""
    return any(part.startswith('_') for part in name.split('/'))


def node_names(node: Node, include_hidden: bool = False) -> list[str]:
    """Return the full names of the nodes in the graph."""
    names = [
        f'{namespace.rstrip("/")}/{name}'
        for name, namespace in node.get_node_names_and_namespaces()
    ]
    return sorted(name for name in names if include_hidden or not is_hidden(name))


def find_node(node: Node, name: str) -> tuple[str, str]:
    """Return name and namespace of a node in the graph.

    Raises:
        CommandError: There is none.
    """
    full = name if name.startswith('/') else f'/{name}'
    if wait_until(node, lambda: full in node_names(node, include_hidden=True) or None) is None:
        raise CommandError(f"Node not found: '{full}'; there are {node_names(node)}")
    namespace, _, base = full.rpartition('/')
    return base, namespace or '/'


def absolute(name: str) -> str:
    """Return a name with a leading slash."""
    return name if name.startswith('/') else f'/{name}'


def _size(node: Node) -> int:
    return len(node.get_node_names()) + len(node.get_topic_names_and_types())
