"""Finds robots by name, so that a new one needs no change to the node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from robot_drivers.robot import Connection, Robot

GROUP = 'robot_drivers.robots'
BUILT_IN = {
    'dclaw': 'robot_drivers.dclaw:ROBOT',
    'minitaur': 'robot_drivers.minitaur:ROBOT',
    'sawyer': 'robot_drivers.sawyer:ROBOT',
    'dclaw_gazebo': 'robot_drivers.gazebo:DCLAW',
    'minitaur_gazebo': 'robot_drivers.gazebo:MINITAUR',
    'sawyer_gazebo': 'robot_drivers.gazebo:SAWYER',
}


@dataclass(frozen=True)
class RobotType:
    """What the node needs to know to make a robot.

    ``config`` is a frozen dataclass; its fields become parameters of the node. ``create`` opens
    nothing. ``default_port`` is used when the port parameter is empty, by backend.
    """

    config: type[Any]
    create: Callable[[Any, Connection], Robot]
    default_port: dict[str, str]


def find_robot(name: str) -> RobotType:
    """Return the robot called ``name``, from this package or a package that declares one.

    Raises:
        ValueError: Nobody offers that robot.
    """
    offered = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name in offered:
        robot: RobotType = offered[name].load()
        return robot
    if name in BUILT_IN:
        module, _, attribute = BUILT_IN[name].partition(':')
        built_in: RobotType = getattr(import_module(module), attribute)
        return built_in
    names = sorted({*offered, *BUILT_IN})
    raise ValueError(f'no robot {name!r}; known are {names}; see entry-point group {GROUP}')
