"""ROS parameters of the agent node: described, checked, and live where that is safe."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, get_type_hints

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from sac_agent.config import from_parameters, RobotConfig
from sac_agent.errors import ConfigError
from sac_agent.settings import load, option


@dataclass(frozen=True)
class NodeConfig:
    """What concerns the process, not the robot."""

    autostart: bool = option(True, 'Configure and activate without being asked.')
    run_dir: str = option('', 'Directory of the run; empty: nothing is kept on disk.')
    policy_file: str = option('', 'Policy to evaluate; then the node ends.')
    evaluation_episodes: int = option(20, 'Episodes with policy_file.', range=(1, 100_000))
    realtime_priority: int = option(
        8, "Wall clock: SCHED_FIFO priority, where permitted, below the driver's; 0: none.",
        range=(0, 99),
    )  # fmt: skip


_NODE_NAMES = tuple(item.name for item in fields(NodeConfig))
_FOREIGN = ('use_sim_time', 'start_type_description_service', 'qos_overrides')


def read(node: Node) -> tuple[RobotConfig, NodeConfig]:
    """Return both configurations of a node that declares its parameters from overrides.

    An agent without a name is called after the namespace of its node.
    Live parameters that no file gives are declared with their defaults.

    Raises:
        ConfigError: A parameter is unknown, missing or not admissible.
    """
    given = _values(node)
    own = {name: value for name, value in given.items() if name in _NODE_NAMES}
    node_config = load(NodeConfig, own)
    config = _robot_config(node, given)
    for name, value in _defaults(config).items():
        if name not in given:
            node.declare_parameter(name, value, ParameterDescriptor(dynamic_typing=True))
    descriptions = _descriptions(RobotConfig) | _descriptions(NodeConfig)
    for name in node.get_parameters_by_prefix(''):
        if name in descriptions:
            parameter = node.get_parameter(name)
            node.set_descriptor(name, _descriptor(descriptions[name], parameter))
    return config, node_config


def on_change(node: Node, apply: Callable[[RobotConfig, Mapping[str, Any]], None]) -> None:
    """Call `apply(config, changes)` for every admissible change of live parameters.

    A change is refused, with the reason, where the parameter is fixed or the value not
    admissible, also by ConfigError from `apply`.
    """

    def callback(parameters: list[Parameter[Any]]) -> SetParametersResult:
        changes = {p.name: _plain(p.value) for p in parameters if not _is_foreign(p.name)}
        if not changes:
            return SetParametersResult(successful=True)
        fixed = [name for name in changes if not is_live(name)]
        if fixed:
            return SetParametersResult(successful=False, reason=f'{fixed[0]} is fixed at start')
        try:
            apply(_robot_config(node, _values(node) | changes), changes)
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(callback)


def is_live(name: str) -> bool:
    """Return whether a parameter may change while the agent runs."""
    item = _descriptions(RobotConfig).get(name)
    return name.startswith('reward_weights.') or bool(item and item.metadata.get('live'))


def _robot_config(node: Node, values: Mapping[str, Any]) -> RobotConfig:
    config = from_parameters({n: v for n, v in values.items() if n not in _NODE_NAMES})
    if config.agent_id:
        return config
    return replace(config, agent_id=node.get_namespace().strip('/').replace('/', '.') or 'robot')


def _values(node: Node) -> dict[str, Any]:
    parameters = node.get_parameters_by_prefix('')
    return {
        name: _plain(parameter.value)
        for name, parameter in parameters.items()
        if not _is_foreign(name) and parameter.value is not None
    }


def _is_foreign(name: str) -> bool:
    return name.split('.')[0] in _FOREIGN


def _plain(value: Any) -> Any:
    return list(value) if hasattr(value, '__len__') and not isinstance(value, str) else value


def _descriptions(config_type: type[Any], prefix: str = '') -> dict[str, Any]:
    found: dict[str, Any] = {}
    hints = get_type_hints(config_type)
    for item in fields(config_type):
        if is_dataclass(hints[item.name]):
            found |= _descriptions(hints[item.name], f'{prefix}{item.name}.')
        else:
            found[prefix + item.name] = item
    return found


def _defaults(config: RobotConfig) -> dict[str, Any]:
    defaults = {}
    for name, item in _descriptions(RobotConfig).items():
        if item.metadata.get('live'):
            defaults[name] = item.default
    return defaults


def _descriptor(item: Any, parameter: Parameter[Any]) -> ParameterDescriptor:
    text = str(item.metadata.get('doc', ''))
    if 'choices' in item.metadata:
        text += f' One of {", ".join(item.metadata["choices"])}.'
    descriptor = ParameterDescriptor(
        name=parameter.name,
        type=parameter.type_.value,
        description=text,
        read_only=not item.metadata.get('live', False),
    )
    if 'range' in item.metadata:
        low, high = item.metadata['range']
        if parameter.type_ in (Parameter.Type.DOUBLE, Parameter.Type.DOUBLE_ARRAY):
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=float(low), to_value=float(high))
            ]
        elif parameter.type_ in (Parameter.Type.INTEGER, Parameter.Type.INTEGER_ARRAY):
            descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high))]
    return descriptor
