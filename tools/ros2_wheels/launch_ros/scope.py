"""What holds for every node of a group: namespace, parameters and remappings.

They are kept as JSON in the launch configurations, so that a group saves and restores them with
the rest.
"""

from __future__ import annotations

import json
from typing import Any

from launch.launch_context import LaunchContext

NAMESPACE = 'ros_namespace'
PARAMETERS = 'ros_global_parameters'
REMAPPINGS = 'ros_global_remappings'


def joined_namespace(context: LaunchContext, namespace: str | None) -> str | None:
    """Return an absolute namespace; a relative one is appended to the group's."""
    base = context.launch_configurations.get(NAMESPACE)
    if namespace is None:
        return base
    if not namespace.startswith('/') and base:
        namespace = f'{base}/{namespace}'
    return '/' + namespace.strip('/')


def append(context: LaunchContext, name: str, item: Any) -> None:
    """Add an item to a list that later nodes see."""
    context.launch_configurations[name] = json.dumps([*items(context, name), item])


def items(context: LaunchContext, name: str) -> list[Any]:
    """Return the list."""
    return list(json.loads(context.launch_configurations.get(name, '[]')))
