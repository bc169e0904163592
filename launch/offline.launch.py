"""Learn from bags alone: ``ros2 launch sac_agent offline.launch.py bag:=BAG robot:=FILE``.

Nothing moves. Afterwards a robot goes on: ``resume:=RUN_DIR settings:=RUN_DIR/go_on.yaml``.
"""

import shlex
import sys

from launch.actions import DeclareLaunchArgument
from launch_ros.actions import Node

from sac_agent import launching

ARGUMENTS = [
    DeclareLaunchArgument(
        'bag', description='Bags in the order of recording, with blanks between or bag:= repeated.'
    ),
    DeclareLaunchArgument(
        'robot', default_value='', description='YAML file with the sac_learner section.'
    ),
    DeclareLaunchArgument(
        'steps', default_value='100000', description='Gradient updates of the whole run.'
    ),
    DeclareLaunchArgument(
        'run_dir', default_value='', description='Where the run is kept. Default: runs/offline-...'
    ),
    DeclareLaunchArgument(
        'environment',
        default_value='auto',
        description='Twin to evaluate in, e.g. sac/DclawValve-v0; auto: that of the robot; none.',
    ),
    DeclareLaunchArgument(
        'evaluate_every', default_value='10000', description='Updates between two evaluations.'
    ),
    DeclareLaunchArgument('episodes', default_value='50', description='Episodes of each.'),
    DeclareLaunchArgument('seed', default_value='0', description='Of networks and sampling.'),
    DeclareLaunchArgument(
        'set',
        default_value='critic_layer_norm=true updates_per_step=4',
        description='Settings over those of the robot file, NAME=VALUE with blanks between. Layer '
        'normalisation keeps the value of actions that no bag holds bounded; four updates per '
        'step are for the robot that goes on.',
    ),
]


def start(context):
    """Start the one process there is."""
    value = launching.values(context, ARGUMENTS)
    launching.whole_numbers(value, 'steps', 'evaluate_every', 'episodes', 'seed')
    arguments = [part for bag in _bags(value['bag']) for part in ('--bag', bag)]
    for name in ('steps', 'robot', 'run_dir', 'environment', 'evaluate_every', 'episodes', 'seed'):
        if value[name]:
            arguments += [f'--{name.replace("_", "-")}', value[name]]
    if value['set']:
        arguments += ['--set', *value['set'].split()]
    return [
        Node(
            package='sac_learner',
            executable='offline',
            output='screen',
            arguments=arguments,
            sigterm_timeout='30',  # saving takes a while on a busy machine
            on_exit=_after,
        )
    ]


def _bags(text):
    """Return all bags; of a repeated argument launch itself keeps the last one only."""
    given = [item.removeprefix('bag:=') for item in sys.argv if item.startswith('bag:=')]
    return [bag for item in (given if text in given else [text]) for bag in shlex.split(item)]


def _after(event, context):
    if event.returncode != 0 and not context.is_shutdown:
        raise RuntimeError('learning from bags has failed, see the message above')


def generate_launch_description():
    """Check what was given, then start."""
    return launching.description(ARGUMENTS, start)
