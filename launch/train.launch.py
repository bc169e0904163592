"""Learner and agent of any robot: ``ros2 launch sac_agent train.launch.py robot:=my_robot.yaml``.

The robot's driver runs already, or a launch file that includes this one starts it.
"""

import datetime
from pathlib import Path
import subprocess

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    LogInfo,
    OpaqueFunction,
    Shutdown,
    TimerAction,
)
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import ExecutableInPackage

ARGUMENTS = [
    DeclareLaunchArgument('robot', description='YAML file of robot, task and learner.'),
    DeclareLaunchArgument(
        'task', default_value='', description='Task instead of the one in the file, module:Class.'
    ),
    DeclareLaunchArgument(
        'namespace', default_value='robot', description='Namespace of the agent.'
    ),
    DeclareLaunchArgument(
        'run_dir', default_value='', description='Where the run is kept. Default: runs/NAME-DATE.'
    ),
    DeclareLaunchArgument(
        'resume', default_value='', description='Run directory to go on with, instead of run_dir.'
    ),
    DeclareLaunchArgument(
        'steps', default_value='60000', description='Training steps at which the run ends.'
    ),
    DeclareLaunchArgument('seed', default_value='0', description='Seed of the whole run.'),
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
GLOBAL_TOPICS = ['transition', 'agent_spec', 'agent_status', 'episode', 'evaluation', 'policy',
                 'learner_status']  # fmt: skip
CONFIGURATION_ERROR = 2  # exit code of our nodes: a person has to mend something first
TOOL_ARGUMENTS = {'sigterm_timeout', 'sigkill_timeout'}


def refuse_unknown_arguments(context):
    """Raise on a misspelt argument; launch itself would ignore it."""
    known = {argument.name for argument in ARGUMENTS} | TOOL_ARGUMENTS
    given = set(context.launch_configurations)
    if context.launch_configurations.get('included') == 'true':
        return
    if unknown := sorted(given - known):
        raise RuntimeError(f'unknown argument {unknown[0]!r}; there are {sorted(known)}')


def stop_on_configuration_error(event, context):
    """End the launch with an error where restarting cannot help."""
    if event.returncode == CONFIGURATION_ERROR:
        raise RuntimeError(f'{event.process_name} cannot run, see its message above')


def start(context):
    """Check the configuration, then start learner and agent."""
    value = {name.name: LaunchConfiguration(name.name).perform(context) for name in ARGUMENTS}
    check = ExecutableInPackage(executable='check_config', package='sac_agent').perform(context)
    command = [check, value['robot'], *(['--task', value['task']] if value['task'] else [])]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    if checked.returncode != 0:
        raise RuntimeError((checked.stderr or checked.stdout).strip().splitlines()[-1])
    if not value['steps'].isdigit() or not value['seed'].isdigit():
        raise RuntimeError(
            f'steps and seed must be whole numbers, got {value["steps"]!r} and {value["seed"]!r}'
        )
    run_dir = _run_directory(value)
    lockstep = value['clock'] == 'lockstep'
    common = [
        value['robot'],
        {
            'run_dir': run_dir,
            'seed': ParameterValue(value['seed'], value_type=int),
        },
    ]
    agent = _agent(value, common, lockstep)
    if value['evaluate']:
        return [agent]
    learner = _learner(value, common, run_dir)
    return [LogInfo(msg=f'run directory: {run_dir}'), learner, agent]


def _learner(value, common, run_dir):
    """Return the learner; it is started again when it dies, and not when it has ended."""

    def after(event, context):
        stop_on_configuration_error(event, context)
        if context.is_shutdown:
            return None
        if event.returncode == 0:
            return _end(value, run_dir)
        return [TimerAction(period=1.0, actions=[_learner(value, common, run_dir)])]

    return Node(
        package='sac_learner',
        executable='sac_learner',
        name='sac_learner',
        output='screen',
        parameters=[*common, {'steps': ParameterValue(value['steps'], value_type=int)}],
        sigterm_timeout='30',  # saving and drawing take a while on a busy machine
        on_exit=after,
    )


def _run_directory(value):
    if value['resume']:
        run_dir = Path(value['resume']).resolve()
        if not (run_dir / 'environment.json').exists():
            raise RuntimeError(f'resume: {run_dir} holds no run; give the run directory itself')
        return str(run_dir)
    date = datetime.datetime.now().strftime('%Y%m%d-%H%M%S')
    run_dir = Path(value['run_dir'] or f'runs/{Path(value["robot"]).stem}-{date}').resolve()
    if (run_dir / 'environment.json').exists() and not value['evaluate']:
        raise RuntimeError(f'run_dir: {run_dir} holds a run already; go on with resume:={run_dir}')
    return str(run_dir)


def _agent(value, common, lockstep):
    parameters = {
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
        namespace=value['namespace'],
        output='screen',
        parameters=[*common, parameters],
        remappings=[(name, f'/{name}') for name in GLOBAL_TOPICS],
        respawn=not value['evaluate'],
        respawn_delay=1.0,
        on_exit=_after_evaluation if value['evaluate'] else stop_on_configuration_error,
    )


def _after_evaluation(event, context):
    if event.returncode != 0:
        raise RuntimeError(f'the evaluation failed with exit code {event.returncode}')
    return [Shutdown(reason='evaluation is done')]


def _end(value, run_dir):
    """Film the policy once the learner has ended by itself, then end the launch."""
    done = Shutdown(reason='the run is complete')
    if not value['film']:
        return [done]
    return [
        Node(
            package='sac_agent',
            executable='film',
            output='screen',
            arguments=[run_dir, '--robot', value['robot'], '--twin', value['film']],
            on_exit=[done],
        )
    ]


def generate_launch_description():
    """Check what was given, then start what is needed."""
    return LaunchDescription(
        [
            OpaqueFunction(function=refuse_unknown_arguments),
            *ARGUMENTS,
            OpaqueFunction(function=start),
        ]
    )
