"""How an agent introduces itself: what the numbers of its transitions mean."""

import yaml

from sac_agent.config import RobotConfig
from sac_agent.settings import plain
from sac_core.spec import AgentSpec, ObservationSpec


def agent_spec(
    config: RobotConfig,
    stream_id: str,
    *,
    observation_names: tuple[str, ...],
    action_names: tuple[str, ...],
    sensor_names: tuple[str, ...],
    reward_names: tuple[str, ...],
) -> AgentSpec:
    """Return the spec of an agent.

    Args:
        config: Of the robot; the spec carries all of it.
        stream_id: Identity of the agent's journal.
        observation_names: One per element of the observation vector.
        action_names: One per element of an action.
        sensor_names: One per raw sensor value.
        reward_names: One per reward term.
    """
    size = config.image.size
    return AgentSpec(
        agent_id=config.agent_id or 'robot',
        stream_id=stream_id,
        task=config.task,
        control_period=config.control_period,
        observation=ObservationSpec(
            names=observation_names,
            image_shape=(size, size, 3) if config.image.source else None,
        ),
        action_names=action_names,
        sensor_names=sensor_names,
        reward_names=reward_names,
        config=yaml.safe_dump(plain(config), sort_keys=True),
    )
