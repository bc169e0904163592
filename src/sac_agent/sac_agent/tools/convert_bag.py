"""Make transitions from a bag of raw topics: ``convert_bag ROBOT.yaml --bag BAG --output BAG``.

The agent's own observation, action and task code runs over the recorded sensor messages, as if a
person had sent the recorded commands. A command of type JointCommand names the measurement it
answers, so observation, reward and end come out as they would have live; for other command types
the newest measurement before the command is taken.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
import shutil
import sys
from typing import Any, TextIO

import numpy as np

from sac_agent.config import from_file, RobotConfig
from sac_agent.episode.machine import Event
from sac_agent.errors import ConfigError
from sac_agent.journal import Journal, JournalError
from sac_agent.pilot import Pilot
from sac_agent.records import Observed, Outcome, Sample, StepRecord, Truncation
from sac_agent.tools.raw_bag import RawBag
from sac_core.bag import BagError, BagReader, Definitions
from sac_core.bag.transitions import AGENT_SPEC, TRANSITION

USAGE = 2


def records(pilot: Pilot, bag: RawBag) -> Iterator[StepRecord]:
    """Yield the steps of a raw bag.

    Raises:
        BagError: The bag is damaged, or a topic of the robot stands for two of the bag.
        ConfigError: A command does not fit the configuration.
    """
    period = round(1e9 * pilot.config.control_period)
    pilot.machine.on(Event.HUMAN_ON, 0.0)
    acted = 0  # stamp of the sample that the last command answered
    last: Sample | None = None  # nearest to one period after it

    def cut() -> Outcome:
        if last is None:
            return pilot.interrupt(Truncation.OPERATOR)
        if pilot.step + 1 < pilot.config.episode.time_limit:
            pilot.stop_after_step(Truncation.OPERATOR)
        return pilot.observe(last)

    for event in bag.events():
        if isinstance(event, Sample):
            late = event.stamp - acted
            if pilot.in_episode and period // 2 <= late:
                if last is None or abs(late - period) < abs(last.stamp - acted - period):
                    last = event
                if late > 3 * period // 2:
                    yield from _recorded(cut())
            continue
        if pilot.in_episode and event.sample.stamp > acted:
            if event.sample.stamp - acted <= 3 * period // 2:
                yield from _recorded(pilot.observe(event.sample))
            else:
                yield from _recorded(cut())
        if not pilot.in_episode:
            pilot.begin(event.sample)
        if pilot.wants_action:
            pilot.human(event.commands)
            pilot.act()
            acted, last = event.sample.stamp, None
    if pilot.in_episode:
        yield from _recorded(cut())


def _recorded(outcome: Outcome) -> Iterator[StepRecord]:
    if outcome.record is not None:
        yield outcome.record


def convert(config: RobotConfig, bags: list[Path], output: Path, namespace: str = '') -> int:
    """Write the transitions of raw bags into a new bag; return how many.

    Raises:
        BagError: A bag is damaged or holds no step, or the output exists.
        JournalError: The output cannot be a journal.
        ConfigError: Configuration and bag do not fit together.
    """
    if output.exists():
        raise BagError(f'{output} exists already; choose another output')
    bag = RawBag(Pilot(config, now=0.0), BagReader(bags), namespace)
    try:
        return _convert(bag, output)
    except BaseException:
        shutil.rmtree(output, ignore_errors=True)
        raise


def _convert(bag: RawBag, output: Path) -> int:
    pilot = bag.pilot
    agent_id = pilot.spec.agent_id
    journal = Journal(output, agent_id, replace(pilot.config.journal, sync=False))
    definitions = journal.definitions
    stamp = 0
    for record in records(pilot, bag):
        stamp = max(stamp, record.next_observation.stamp)
        if not journal.last_sequence:
            spec = definitions.new(AGENT_SPEC, **spec_fields(pilot, journal.stream_id))
            journal.write('/agent_spec', stamp, definitions.encode(spec, AGENT_SPEC))
        message = definitions.new(
            TRANSITION,
            **transition_fields(definitions, record),
            agent_id=agent_id,
            stream_id=journal.stream_id,
            sequence=journal.last_sequence + 1,
        )
        journal.write_transition(stamp, definitions.encode(message, TRANSITION))
        if journal.last_sequence % 64 == 0:
            journal.commit()
    journal.close()
    if not journal.last_sequence:
        raise BagError(
            'the bag holds no step: no command answers a complete set of sensor values'
            + (f' ({bag.refused} messages unusable: {bag.refusal})' if bag.refused else '')
        )
    return journal.last_sequence


def spec_fields(pilot: Pilot, stream_id: str) -> dict[str, Any]:
    """Return the fields of AgentSpec.msg."""
    spec = pilot.spec
    return {
        'agent_id': spec.agent_id,
        'stream_id': stream_id,
        'task': spec.task,
        'spec_hash': spec.spec_hash(),
        'control_period': spec.control_period,
        'observation_names': list(spec.observation.names),
        'image_shape': np.array(spec.observation.image_shape or (0, 0, 0), dtype=np.uint32),
        'action_names': list(spec.action_names),
        'sensor_names': list(spec.sensor_names),
        'reward_names': list(spec.reward_names),
        'config': spec.config,
    }


def transition_fields(definitions: Definitions, record: StepRecord) -> dict[str, Any]:
    """Return the fields of Transition.msg that a record knows."""
    same = (
        'episode step segment_start action sampled_action latent clipped policy_version command '
        'reward reward_terms terminated truncated evaluation observation_age command_latency '
        'deadline_missed'
    )
    first = record.segment_start
    return {
        **{name: getattr(record, name) for name in same.split()},
        'header': _header(definitions, record.next_observation.stamp),
        'source': int(record.source),
        'truncation_reason': int(record.truncation_reason),
        'observation': _observation(definitions, record.observation, with_image=first),
        'next_observation': _observation(definitions, record.next_observation, with_image=True),
    }


def _observation(definitions: Definitions, observed: Observed, *, with_image: bool) -> Any:
    image = observed.image if with_image else None
    return definitions.new(
        'sac_msgs/msg/Observation',
        stamp=_time(definitions, observed.stamp),
        vector=observed.vector,
        sensors=observed.sensors,
        image=np.zeros(0, np.uint8) if image is None else image.ravel(),
    )


def _header(definitions: Definitions, stamp: int) -> Any:
    return definitions.new('std_msgs/msg/Header', stamp=_time(definitions, stamp))


def _time(definitions: Definitions, stamp: int) -> Any:
    seconds, nanoseconds = divmod(stamp, 1_000_000_000)
    return definitions.new('builtin_interfaces/msg/Time', sec=seconds, nanosec=nanoseconds)


def main(arguments: list[str] | None = None, output: TextIO = sys.stdout) -> int:
    """Convert; return the exit code."""
    parser = argparse.ArgumentParser(prog='convert_bag', description=__doc__)
    parser.add_argument('file', type=Path, help='ROS parameter file with a sac_agent section')
    parser.add_argument('--bag', type=Path, action='append', required=True, help='may be repeated')
    parser.add_argument('--output', type=Path, required=True, help='directory of the new bag')
    parser.add_argument('--namespace', default='', help='of the robot in the bag')
    options = parser.parse_args(arguments)
    try:
        config = from_file(options.file)
        count = convert(config, options.bag, options.output, options.namespace)
    except (BagError, ConfigError, JournalError, OSError) as error:
        sys.stderr.write(f'convert_bag: {" ".join(str(error).split())}\n')
        return USAGE
    output.write(f'{count} transitions in {options.output}\n')
    return 0


def run() -> None:
    """Console script."""
    sys.exit(main())


if __name__ == '__main__':
    run()
