"""The agent alone, on the robot: ``ros2 launch sac_agent agent.launch.py robot:=my_robot.yaml``.

The learner runs elsewhere, by learner.launch.py; see docs/two_computers.md.
"""

from pathlib import Path

from launch.actions import DeclareLaunchArgument, Shutdown
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from sac_agent import launching

ARGUMENTS = [
    DeclareLaunchArgument('robot', description='YAML file with the sac_agent section.'),
    DeclareLaunchArgument(
        'settings',
        default_value='',
        description='YAML file with further parameters, over those in robot.',
    ),
    DeclareLaunchArgument(
        'task', default_value='', description='Task instead of the one in the file, module:Class.'
    ),
    DeclareLaunchArgument(
        'namespace',
        default_value='',
        description='Namespace of the robot; with commas between, one agent for each.',
    ),
    DeclareLaunchArgument(
        'run_dir',
        default_value='',
        description='Where the journal is kept; the same one again goes on. '
        'Default: runs/NAME-DATE.',
    ),
    DeclareLaunchArgument(
        'steps',
        default_value='0',
        description='Training steps of all robots together at which the run ends, as given to the '
        'learner: a last evaluation follows. 0: none.',
    ),
    DeclareLaunchArgument(
        'seed',
        default_value='0',
        description='Seed of exploration, one more for each further robot.',
    ),
    DeclareLaunchArgument(
        'clock',
        default_value='wall',
        choices=['wall', 'lockstep'],
        description='lockstep: a simulated robot that waits for every command.',
    ),
    DeclareLaunchArgument(
        'evaluate',
        default_value='',
        description='Policy file or checkpoint to evaluate; nothing is learned.',
    ),
    DeclareLaunchArgument(
        'episodes', default_value='20', description='Evaluation episodes with evaluate:=.'
    ),
    DeclareLaunchArgument(
        'included', default_value='false', description='Set by launch files that include this one.'
    ),
]


def start(context):
    """Check the configuration, then start one agent per robot."""
    value = launching.values(context, ARGUMENTS)
    launching.whole_numbers(value, 'steps', 'seed', 'episodes')
    launching.check_robot_file(context, value)
    run_dir = launching.run_directory(value, new=False)
    names = launching.namespaces(value)
    if len(names) > 1:
        launching.refuse_shared_topics(value)
    if value['evaluate'] and len(names) > 1:
        raise RuntimeError('evaluate: needs one namespace, as one robot tries the policy')
    return [_agent(value, run_dir, names, number) for number in range(len(names))]


def _agent(value, run_dir, names, number):
    namespace = names[number]
    lockstep = value['clock'] == 'lockstep'
    remappings = [(name, f'/{name}') for name in launching.SHARED_TOPICS]
    if len(names) > 1:
        # Robots that are simulated side by side have a time each.
        remappings.append(('/clock', f'/{namespace}/clock'))
    parameters = {
        'run_dir': run_dir,
        'seed': int(value['seed']) + number,  # robots that explore alike would tell nothing new
        'trigger': 'observation' if lockstep else 'timer',
        'use_sim_time': lockstep,
        'autostart': True,
        'evaluation.final': ParameterValue(value['steps'], value_type=int),
    }
    if value['task']:
        parameters['task'] = value['task']
    if value['evaluate']:
        parameters['policy_file'] = str(Path(value['evaluate']).resolve())
        parameters['evaluation_episodes'] = int(value['episodes'])
    return Node(
        package='sac_agent',
        executable='sac_agent',
        name='sac_agent',
        namespace=namespace,
        output='screen',
        parameters=[*launching.parameter_files(value), parameters],
        remappings=remappings,
        respawn=not value['evaluate'],
        respawn_delay=1.0,
        on_exit=_after_evaluation if value['evaluate'] else launching.stop_on_configuration_error,
    )


def _after_evaluation(event, context):
    if event.returncode != 0:
        raise RuntimeError(f'the evaluation failed with exit code {event.returncode}')
    return [Shutdown(reason='evaluation is done')]


def generate_launch_description():
    """Check what was given, then start."""
    return launching.description(ARGUMENTS, start)
