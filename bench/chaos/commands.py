"""What the processes of one robot are started with: program, parameters, renamed topics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ament_index_python.packages import get_package_prefix, get_package_share_directory

from chaos.kinds import Kind

SHARED_TOPICS = (
    'transition', 'agent_spec', 'agent_status', 'episode', 'evaluation', 'policy',
    'learner_status',
)  # fmt: skip


def emulator(
    kind: Kind, port: str, master: int, control: int, *, clock: str, seed: int
) -> list[str]:
    """Return the command of the emulated robot.

    Args:
        kind: The robot.
        port: Where the driver finds it.
        master: D'Claw: none; Minitaur: UDP port of commands; Sawyer: of the ROS 1 master.
        control: Sawyer: where faults are injected.
        clock: wall or lockstep.
        seed: Of its noise.
    """
    program = _executable('robot_drivers', f'{kind.name}_emulator')
    common = ['--clock', clock, '--seed', str(seed)]
    if kind.name == 'dclaw':
        return [program, '--link', port, *common]
    if kind.name == 'minitaur':
        return [program, '--robot-port', str(master), *common]
    ports = ['--master-port', str(master), '--control-port', str(control)]
    return [program, *ports, *common]


def driver(kind: Kind, port: str, more: Sequence[str], *, clock: str, speed: float) -> list[str]:
    """Return the command of the driver.

    Args:
        kind: The robot.
        port: Where it is.
        more: More parameters, NAME:=VALUE.
        clock: wall or lockstep.
        speed: Simulated seconds per second in lockstep; 0: as fast as it is learned from.
    """
    return [
        _executable('robot_drivers', 'robot_node'),
        *_ros_arguments(
            'driver', kind.name, _config(kind),
            [f'robot:={kind.name}', 'backend:=sim', f'clock:={clock}', f'speed:={speed}',
             'recover:=true',
             f'port:={port}', *more],
        ),
    ]  # fmt: skip


def agent(kind: Kind, run: Path, more: Sequence[str], *, clock: str, seed: int) -> list[str]:
    """Return the command of the agent.

    Args:
        kind: The robot.
        run: Where its journal goes.
        more: More parameters, NAME:=VALUE.
        clock: wall or lockstep.
        seed: Of its exploration.
    """
    lockstep = clock == 'lockstep'
    return [
        _executable('sac_agent', 'sac_agent'),
        *_ros_arguments(
            'sac_agent', kind.name, _config(kind),
            [f'run_dir:={run}', f'seed:={seed}', 'evaluation.every:=0',
             f'trigger:={"observation" if lockstep else "timer"}',
             f'use_sim_time:={str(lockstep).lower()}',
             'journal.weights:=false', *more],
        ),
        *(word for topic in SHARED_TOPICS for word in ('-r', f'{topic}:=/{topic}')),
    ]  # fmt: skip


def learner(kind: Kind, run: Path, more: Sequence[str], *, seed: int) -> list[str]:
    """Return the command of the learner.

    Args:
        kind: The robot.
        run: Where replay and checkpoints go.
        more: More parameters, NAME:=VALUE.
        seed: Of its networks and batches.
    """
    return [
        _executable('sac_learner', 'sac_learner'),
        *_ros_arguments(
            'sac_learner', '', _config(kind),
            [f'run_dir:={run}', f'seed:={seed}', 'tensorboard:=false',
             'stop_when_solved:=false', 'checkpoint_period:=10.0', *more],
        ),
    ]  # fmt: skip


def _config(kind: Kind) -> Path:
    return Path(get_package_share_directory('sac_agent')) / 'config' / kind.config


def _executable(package: str, name: str) -> str:
    return str(Path(get_package_prefix(package)) / 'lib' / package / name)


def _ros_arguments(
    name: str, namespace: str, config: Path, parameters: Sequence[str]
) -> list[str]:
    words = ['--ros-args', '-r', f'__node:={name}']
    if namespace:
        words += ['-r', f'__ns:=/{namespace}']
    words += ['--params-file', str(config)]
    for parameter in parameters:
        words += ['-p', parameter]
    return words
