"""Compute rewards and ends of recorded transitions anew: ``relabel --bag BAG --output BAG``.

The task object that rewards the running robot is asked again, with the raw sensor values of the
bag. Everything else stays, byte for byte; the agent spec and the episode summaries follow the new
rewards. A task that ends an episode in its middle splits it into segments there; where the new
task does not end it, but the recording stops, the last transition becomes truncated.
"""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
import shutil
import sys
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt
import yaml

from sac_agent.config import from_mapping, RobotConfig
from sac_agent.errors import ConfigError
from sac_agent.layout import SensorLayout
from sac_agent.records import Truncation
from sac_agent.settings import plain
from sac_agent.tasks.task import make_task, Task, Trajectory
from sac_core.bag import BagError, BagReader, BagWriter, RawMessage
from sac_core.bag.transitions import AGENT_SPEC, EPISODE, POLICY, TRANSITION

Array = npt.NDArray[np.float64]
Change = Callable[[RobotConfig], RobotConfig]
HISTORY = 3  # earlier actions that a running agent hands to the task

LATCHED = (AGENT_SPEC, POLICY)
USAGE = 2


class Relabeller:
    """Gives the transitions of one stream their new labels."""

    def __init__(self, spec: Any, change: Change) -> None:
        """Make the task of a recorded agent spec after `change` of its configuration.

        Raises:
            ConfigError: Task and recorded sensor values do not fit together.
        """
        self.config = change(from_mapping(yaml.safe_load(spec.config), 'config of the bag'))
        self.task: Task = make_task(
            self.config.task,
            self.config.task_parameters,
            SensorLayout(tuple(spec.sensor_names)),
            float(spec.control_period),
        )
        names = self.task.reward_names
        unknown = set(self.config.reward_weights) - set(names)
        if unknown:
            raise ConfigError(
                f'reward_weights: unknown {", ".join(sorted(unknown))}; '
                f'there are {", ".join(names)}'
            )
        weights = self.config.reward_weights
        self._weights = np.array([weights.get(name, 1.0) for name in names])
        self._actions: list[Array] = []
        self._sensors: list[Array] = []
        self._rewards: list[Array] = []
        self._image: Any = None
        self._cut = False
        self._ended = False

    def transition(self, message: Any) -> Any:
        """Return the message with new labels; it is changed in place."""
        if message.step == 0 or not self._sensors:
            self._actions, self._rewards = [], []
            self._sensors = [np.array(message.observation.sensors)]
            self._cut = False
        terms, terminated = self.label(message)
        if self._cut and not message.segment_start:
            # What follows an end is no continuation, and needs its image.
            message.segment_start = True
            if not len(message.observation.image) and self._image is not None:
                message.observation.image = self._image
        last = message.terminated or message.truncated
        if terminated:
            message.truncated, message.truncation_reason = False, int(Truncation.NONE)
        elif message.terminated:
            message.truncated, message.truncation_reason = True, int(Truncation.TIME_LIMIT)
        message.terminated = terminated
        message.reward_terms = terms
        message.reward = float(terms.sum())
        self._cut = terminated and not last
        self._ended = terminated
        self._image = message.next_observation.image
        self._actions.append(message.action.astype(np.float64))
        self._sensors.append(np.array(message.next_observation.sensors))
        self._rewards.append(terms)
        return message

    def label(self, message: Any) -> tuple[Array, bool]:
        """Return reward terms (R,) and end of a transition whose predecessors were labelled."""
        after = np.array(message.next_observation.sensors)
        terms = self.task.reward(
            np.array(message.observation.sensors),
            message.action.astype(np.float64),
            after,
            self._actions[-HISTORY:],
        )
        weighted = np.asarray(terms, dtype=np.float64) * self._weights
        return weighted, bool(self.task.terminated(after))

    def spec(self, message: Any) -> Any:
        """Return the agent spec with the new task; it is changed in place."""
        message.task = self.config.task
        message.reward_names = list(self.task.reward_names)
        message.config = yaml.safe_dump(plain(self.config), sort_keys=True)
        return message

    def summary(self, message: Any) -> Any:
        """Return the summary of the episode just labelled; it is changed in place."""
        if not self._actions or message.length != len(self._actions):
            return message  # not all of its steps are in the bag
        trajectory = Trajectory(
            np.array(self._sensors),
            np.array(self._actions),
            self._ended,
            self.task.period,
        )
        sums = np.array(self._rewards).sum(axis=0)
        metrics = self.task.metrics(trajectory)
        message.episode_return = float(np.array(self._rewards).sum())
        message.reward_names, message.reward_sums = list(self.task.reward_names), sums
        message.metric_names = list(metrics)
        message.metric_values = np.array(list(metrics.values()), dtype=np.float64)
        message.success = bool(self.task.success(trajectory))
        message.terminated = self._ended
        return message


def relabel(bags: list[Path], output: Path, change: Change, storage: str = 'mcap') -> int:
    """Write the messages of bags with new labels into a new bag; return how many transitions.

    Raises:
        BagError: A bag is damaged or lacks the agent spec, or the output exists.
        ConfigError: Task and recorded sensor values do not fit together.
    """
    if output.exists():
        raise BagError(f'{output} exists already; choose another output')
    reader = BagReader(bags)
    try:
        with BagWriter(output, storage=storage, definitions=reader.definitions) as writer:
            return _copy(reader, writer, change)
    except BaseException:
        # Half a data set looks like a whole one.
        shutil.rmtree(output, ignore_errors=True)
        raise


def _copy(reader: BagReader, writer: BagWriter, change: Change) -> int:
    streams: dict[str, Relabeller] = {}
    count = 0
    for raw in reader.messages():
        writer.add_topic(raw.topic, raw.type, latched=raw.type in LATCHED)
        writer.write(raw.topic, raw.stamp, _relabelled(raw, reader, streams, change))
        count += raw.type == TRANSITION
        if writer.pending > 1 << 20:
            writer.commit()
    return count


def _relabelled(
    raw: RawMessage, reader: BagReader, streams: dict[str, Relabeller], change: Change
) -> bytes:
    if raw.type not in (TRANSITION, AGENT_SPEC, EPISODE):
        return raw.data
    message = reader.decode(raw)
    if raw.type == AGENT_SPEC:
        fresh = Relabeller(message, change)
        known = streams.get(message.stream_id)
        if known is None or plain(known.config) != plain(fresh.config):
            streams[message.stream_id] = fresh
        changed = fresh.spec(message)
    else:
        labels = streams.get(message.stream_id)
        if labels is None:
            raise BagError(
                f'the bag holds transitions of stream {message.stream_id!r} but not its agent '
                'spec, which names the sensor values; record /agent_spec too'
            )
        changed = labels.transition(message) if raw.type == TRANSITION else labels.summary(message)
    return reader.definitions.encode(changed, raw.type)


def changed_task(task: str, parameters: Mapping[str, Any], weights: Mapping[str, float]) -> Change:
    """Return the change of configuration that the command line asks for.

    Args:
        task: New task, '' for the recorded one.
        parameters: Of the task, on top of the recorded ones if the task stays.
        weights: Factors of reward terms, on top of the recorded ones if the task stays.
    """

    def change(config: RobotConfig) -> RobotConfig:
        same = task in ('', config.task)
        return replace(
            config,
            task=task or config.task,
            task_parameters={**(config.task_parameters if same else {}), **parameters},
            reward_weights={**(config.reward_weights if same else {}), **weights},
        )

    return change


def main(arguments: list[str] | None = None, output: TextIO = sys.stdout) -> int:
    """Relabel; return the exit code."""
    parser = argparse.ArgumentParser(prog='relabel', description=__doc__)
    parser.add_argument('--bag', type=Path, action='append', required=True, help='may be repeated')
    parser.add_argument('--task', default='', help='entry point or module:Class')
    parser.add_argument('--output', type=Path, required=True, help='directory of the new bag')
    parser.add_argument('--storage', choices=('mcap', 'sqlite3'), default='mcap')
    parser.add_argument(
        '--parameter', action='append', default=[], metavar='NAME:=VALUE', help='of the task'
    )
    parser.add_argument(
        '--reward-weight', action='append', default=[], metavar='TERM:=VALUE', help='factor'
    )
    options = parser.parse_args(arguments)
    try:
        change = changed_task(
            options.task, _assigned(options.parameter), _assigned(options.reward_weight)
        )
        count = relabel(options.bag, options.output, change, options.storage)
    except (BagError, ConfigError, OSError) as error:
        sys.stderr.write(f'relabel: {" ".join(str(error).split())}\n')
        return USAGE
    output.write(f'{count} transitions relabelled into {options.output}\n')
    return 0


def _assigned(texts: list[str]) -> dict[str, Any]:
    values = {}
    for text in texts:
        name, separator, value = text.partition(':=')
        if not separator:
            raise ConfigError(f'must be NAME:=VALUE, got {text!r}')
        values[name] = yaml.safe_load(value)
    return values


def run() -> None:
    """Console script."""
    sys.exit(main())


if __name__ == '__main__':
    run()
