"""An emulated hand in its own process, and the table of faults at the end of the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from robot_drivers.faults.rigs import environment, HandRig

FAULTS = pytest.StashKey[list[tuple[str, str, float]]]()


@pytest.fixture
def wall_hand() -> Iterator[HandRig]:
    hand = HandRig('wall')
    yield hand
    hand.close()


@pytest.fixture
def lockstep_hand() -> Iterator[HandRig]:
    hand = HandRig('lockstep')
    yield hand
    hand.close()


@pytest.fixture
def child_environment() -> dict[str, str]:
    return environment()


@pytest.fixture
def run(child_environment: dict[str, str], ros_domain_id: int) -> Iterator[Callable[..., Any]]:
    """Start driver nodes, each with somebody who talks to it."""
    from .driver_user import NODE, User

    users: list[Any] = []

    def start(hand: Any, **parameters: Any) -> Any:
        words = [f'{name}:={value}' for name, value in parameters.items()]
        arguments = [part for word in words for part in ('-p', word)]
        environment = child_environment | {'ROS_DOMAIN_ID': str(ros_domain_id)}
        user = User([*NODE, '-p', f'port:={hand.port}', *arguments], environment)
        users.append(user)
        return user

    yield start
    for user in users:
        user.close()


@pytest.fixture
def report_fault(request: pytest.FixtureRequest) -> Callable[[str, str, float], None]:
    """Return a function that puts a line into the table: fault, state reached, seconds."""

    def report(fault: str, state: str, seconds: float) -> None:
        request.config.stash.setdefault(FAULTS, []).append((fault, state, seconds))

    return report


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    rows = config.stash.get(FAULTS, [])
    if rows:
        terminalreporter.section('faults injected')
        for fault, state, seconds in rows:
            terminalreporter.write_line(f'{fault:<44} {state:<34} {seconds * 1000:7.1f} ms')
