"""What the launch files share: arguments, robots and run directories, and when to give up."""

from sac_agent.launching.arguments import (
    namespaces,
    number,
    parameter_files,
    refuse_unknown_arguments,
    run_arguments,
    run_directory,
    values,
    whole_numbers,
)
from sac_agent.launching.launch_file import (
    description,
    include,
    SHARED_TOPICS,
    stop_on_configuration_error,
)
from sac_agent.launching.robots import (
    check_robot_file,
    free_port,
    refuse_shared_topics,
    robot_and_learner,
    simulated_robots,
)

__all__ = [
    'check_robot_file',
    'description',
    'free_port',
    'include',
    'namespaces',
    'number',
    'parameter_files',
    'refuse_shared_topics',
    'refuse_unknown_arguments',
    'robot_and_learner',
    'run_arguments',
    'run_directory',
    'SHARED_TOPICS',
    'simulated_robots',
    'stop_on_configuration_error',
    'values',
    'whole_numbers',
]
