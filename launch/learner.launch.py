"""The learner alone, on the workstation: ``ros2 launch sac_agent learner.launch.py robot:=...``.

The robots run agent.launch.py, on this or other computers; see docs/two_computers.md.
"""

from launch.actions import DeclareLaunchArgument, LogInfo, Shutdown, TimerAction
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from sac_agent import launching

ARGUMENTS = [
    DeclareLaunchArgument('robot', description='YAML file with the sac_learner section.'),
    DeclareLaunchArgument(
        'settings',
        default_value='',
        description='YAML file with further parameters, over those in robot.',
    ),
    DeclareLaunchArgument(
        'run_dir', default_value='', description='Where the run is kept. Default: runs/NAME-DATE.'
    ),
    DeclareLaunchArgument(
        'resume', default_value='', description='Run directory to go on with, instead of run_dir.'
    ),
    DeclareLaunchArgument(
        'steps',
        default_value='60000',
        description='Training steps of all robots together at which the run ends.',
    ),
    DeclareLaunchArgument('seed', default_value='0', description='Seed of learning.'),
    DeclareLaunchArgument(
        'demonstrations',
        default_value='',
        description='Bags, blanks between, from which half of every batch is drawn (RLPD).',
    ),
    DeclareLaunchArgument(
        'film', default_value='', description='Twin to film the learned policy in, module:Class.'
    ),
    DeclareLaunchArgument(
        'included', default_value='false', description='Set by launch files that include this one.'
    ),
]


def start(context):
    """Start the learner."""
    value = launching.values(context, ARGUMENTS)
    launching.whole_numbers(value, 'steps', 'seed')
    run_dir = launching.run_directory(value, new=True)
    return [LogInfo(msg=f'run directory: {run_dir}'), _learner(value, run_dir)]


def _learner(value, run_dir):
    """Return the learner; it is started again when it dies, and not when it has ended."""

    def after(event, context):
        launching.stop_on_configuration_error(event, context)
        if context.is_shutdown:
            return None
        if event.returncode == 0:
            return _end(value, run_dir)
        return [TimerAction(period=1.0, actions=[_learner(value, run_dir)])]

    return Node(
        package='sac_learner',
        executable='sac_learner',
        name='sac_learner',
        output='screen',
        parameters=[
            *launching.parameter_files(value),
            {
                'run_dir': run_dir,
                'seed': ParameterValue(value['seed'], value_type=int),
                'steps': ParameterValue(value['steps'], value_type=int),
                'demonstrations': ParameterValue(value['demonstrations'], value_type=str),
            },
        ],
        sigterm_timeout='30',  # saving and drawing take a while on a busy machine
        on_exit=after,
    )


def _end(value, run_dir):
    """Film the policy once the learner has ended by itself, then end the launch."""
    done = Shutdown(reason='the run is complete')
    if not value['film']:
        return [done]
    settings = ['--settings', value['settings']] if value['settings'] else []
    return [
        Node(
            package='sac_agent',
            executable='film',
            output='screen',
            arguments=[run_dir, '--robot', value['robot'], *settings, '--twin', value['film']],
            on_exit=[done],
        )
    ]


def generate_launch_description():
    """Check what was given, then start."""
    return launching.description(ARGUMENTS, start)
