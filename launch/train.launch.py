"""Learner and agents of any robot: ``ros2 launch sac_agent train.launch.py robot:=my_robot.yaml``.

The robot's driver runs already, or a launch file that includes this one starts it.
"""

from pathlib import Path

from launch.actions import DeclareLaunchArgument

from sac_agent import launching

HERE = Path(__file__).resolve().parent
ARGUMENTS = [
    DeclareLaunchArgument('robot', description='YAML file of robot, task and learner.'),
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
    DeclareLaunchArgument(
        'seed', default_value='0', description='Seed of the whole run; further robots count on.'
    ),
    DeclareLaunchArgument(
        'demonstrations',
        default_value='',
        description='Bags, blanks between, from which half of every batch is drawn (RLPD).',
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
        'film', default_value='', description='Twin to film the learned policy in, module:Class.'
    ),
    DeclareLaunchArgument(
        'included', default_value='false', description='Set by launch files that include this one.'
    ),
]
AGENT = [
    'robot', 'settings', 'task', 'namespace', 'steps', 'seed', 'clock', 'evaluate', 'episodes',
]  # fmt: skip
LEARNER = ['robot', 'settings', 'resume', 'steps', 'seed', 'film', 'demonstrations']


def start(context):
    """Start the agents, which check the configuration, then the learner."""
    value = launching.values(context, ARGUMENTS)
    learns = not value['evaluate']
    both = {'run_dir': launching.run_directory(value, new=learns), 'included': 'true'}
    agent = {**both, **{name: value[name] for name in AGENT}}
    learner = {**both, **{name: value[name] for name in LEARNER}}
    included = [launching.include(HERE / 'agent.launch.py', agent)]
    if learns:
        included.append(launching.include(HERE / 'learner.launch.py', learner))
    return included


def generate_launch_description():
    """Check what was given, then start what is needed."""
    return launching.description(ARGUMENTS, start)
