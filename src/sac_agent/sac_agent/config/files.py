"""The configuration from a parameter file (offline tools), or from ROS parameters (node)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from sac_agent.config.schema import RobotConfig
from sac_agent.errors import ConfigError
from sac_agent.settings import flatten, load, unflatten

NODE = 'sac_agent'


def from_mapping(data: Mapping[str, Any], path: str = NODE) -> RobotConfig:
    """Return the configuration in a nested mapping.

    Raises:
        ConfigError: A key is unknown or missing, or a value is not admissible.
    """
    return load(RobotConfig, data, path)


def from_parameters(parameters: Mapping[str, Any]) -> RobotConfig:
    """Return the configuration in ROS parameters with dotted names."""
    return from_mapping(unflatten(parameters))


def section(path: Path, node: str = NODE) -> dict[str, Any]:
    """Return the parameters of one node in a ROS parameter file.

    Raises:
        ConfigError: The file cannot be read or has no such section.
    """
    content = _content(path)
    for key, value in content.items():
        if str(key).rsplit('/', 1)[-1] == node:
            if not isinstance(value, Mapping) or 'ros__parameters' not in value:
                raise ConfigError(f'{path}: section {key} lacks ros__parameters')
            return unflatten({str(k): v for k, v in value['ros__parameters'].items()})
    raise ConfigError(f'{path}: has no section /**/{node}, only {", ".join(map(str, content))}')


def nodes(path: Path) -> set[str]:
    """Return the names of the nodes that a ROS parameter file has sections for.

    Raises:
        ConfigError: The file cannot be read.
    """
    return {str(key).rsplit('/', 1)[-1] for key in _content(path)}


def _content(path: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f'{path}: cannot be read: {" ".join(str(error).split())}') from None
    if not isinstance(content, Mapping):
        raise ConfigError(f'{path}: must hold sections, one per node, got {content!r}')
    return content


def from_file(path: Path, *others: Path) -> RobotConfig:
    """Return the configuration in a ROS parameter file; see `section` and `from_mapping`.

    Args:
        path: The file of the robot.
        others: Further files, whose values win as with ROS; they may be of other nodes only.
    """
    try:
        found = flatten(section(path))
        for other in others:
            if NODE in nodes(other):
                found |= flatten(section(other))
        return from_mapping(unflatten(found))
    except ConfigError as error:
        text = str(error)
        named = any(text.startswith(str(file)) for file in (path, *others))
        raise ConfigError(text if named else f'{path}: {text}') from None


def find_file(name: str | Path) -> Path:
    """Return a robot's file, or one of settings over it, by path or as an installed one's name.

    Args:
        name: E.g. `minitaur_walk.yaml` or `settings/minitaur_terrain.yaml`.

    Raises:
        ConfigError: There is none.
    """
    path = Path(name)
    if path.is_file():
        return path
    candidates = [Path(__file__).resolve().parents[2] / 'config' / path]
    try:
        from ament_index_python.packages import get_package_share_directory

        candidates.append(Path(get_package_share_directory('sac_agent')) / 'config' / path)
    except (ImportError, LookupError, OSError):
        pass
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    looked = ', '.join(map(str, candidates))
    raise ConfigError(f'there is no robot file {name}; looked for {looked}')
