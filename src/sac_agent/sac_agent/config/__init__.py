"""Everything that makes an agent, from the `sac_agent` section of a parameter file."""

from sac_agent.config.files import (
    find_file,
    from_file,
    from_mapping,
    from_parameters,
    nodes,
    section,
)
from sac_agent.config.schema import (
    ActionConfig,
    COMMAND_TYPES,
    EpisodeConfig,
    EvaluationConfig,
    FieldConfig,
    HistoryConfig,
    ObservationConfig,
    RobotConfig,
    SensorConfig,
    TWIST_TYPES,
)

__all__ = [
    'ActionConfig',
    'COMMAND_TYPES',
    'EpisodeConfig',
    'EvaluationConfig',
    'FieldConfig',
    'find_file',
    'from_file',
    'from_mapping',
    'from_parameters',
    'HistoryConfig',
    'nodes',
    'ObservationConfig',
    'RobotConfig',
    'section',
    'SensorConfig',
    'TWIST_TYPES',
]
