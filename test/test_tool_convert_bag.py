"""A bag of raw topics becomes the transitions that the agent would have recorded live."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sac_agent.config import from_file, RobotConfig
from sac_agent.pilot import Pilot
from sac_agent.records import Sample, StepRecord
from sac_agent.tools import convert_bag, verify_bag
from sac_core.bag import BagError, BagWriter, Definitions
from sac_core.bag.transitions import JOINT_COMMAND, transitions

ROOT = Path(__file__).resolve().parents[1]
JOINT_STATE = 'sensor_msgs/msg/JointState'
PERIOD = 100_000_000


@pytest.fixture(autouse=True)
def messages(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = tmp_path_factory.mktemp('prefix')
    (prefix / 'share' / 'sac_msgs').mkdir(parents=True)
    (prefix / 'share' / 'sac_msgs' / 'msg').symlink_to(ROOT / 'src' / 'sac_msgs' / 'msg')
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(prefix))


@pytest.fixture
def config() -> RobotConfig:
    made = from_file(ROOT / 'config' / 'dclaw_valve.yaml')
    return replace(
        made,
        warmup=replace(made.warmup, steps=10_000),
        episode=replace(made.episode, time_limit=15),
        smoothing=replace(made.smoothing, correlation=0.5),
    )


def record(config: RobotConfig, bag: Path, episodes: int) -> list[StepRecord]:
    """Run an agent that records raw topics, with more samples than it uses; return its steps."""
    definitions = Definitions()
    pilot = Pilot(config, now=0.0)
    rng = np.random.default_rng(3)
    names = list(config.sensors['joint_states'].names)
    channel = config.actions['joints']
    raw = rng.uniform(-0.3, 0.3, pilot.layout.size)
    time = 5_000_000_000
    steps = []

    def stamp(nanoseconds: int) -> Any:
        sec, nanosec = divmod(nanoseconds, 10**9)
        return definitions.new('builtin_interfaces/msg/Time', sec=sec, nanosec=nanosec)

    with BagWriter(bag) as writer:
        writer.add_topic('/dclaw/joint_states', JOINT_STATE)
        writer.add_topic('/dclaw/joint_command', JOINT_COMMAND)
        writer.add_topic('/other', 'std_msgs/msg/String')

        def sense() -> Sample:
            nonlocal raw, time
            for _ in range(2):
                time += PERIOD // 2
                raw = raw + rng.normal(0, 0.05, raw.shape)
                header = definitions.new('std_msgs/msg/Header', stamp=stamp(time))
                message = definitions.new(
                    JOINT_STATE,
                    header=header,
                    name=names,
                    position=raw[: len(names)],
                    velocity=raw[len(names) :],
                )
                data = definitions.encode(message, JOINT_STATE)
                writer.write('/dclaw/joint_states', time + 1_000_000, data)
            return Sample(time, 0.0, raw.copy())

        for _ in range(episodes):
            pilot.begin(sense())
            while pilot.in_episode:
                observed = time
                values = pilot.act().channels['joints']
                command = definitions.new(
                    JOINT_COMMAND,
                    observation_stamp=stamp(observed),
                    names=list(channel.names),
                    values=values,
                )
                data = definitions.encode(command, JOINT_COMMAND)
                writer.write('/dclaw/joint_command', time + 2_000_000, data)
                outcome = pilot.observe(sense())
                assert outcome.record is not None
                steps.append(outcome.record)
            for _ in range(5):
                sense()  # a reset
    return steps


def test_converted_transitions_are_those_of_the_live_agent(config, tmp_path) -> None:
    live = record(config, tmp_path / 'raw', episodes=4)
    assert convert_bag.convert(config, [tmp_path / 'raw'], tmp_path / 'new') == len(live) == 60
    for step, found in zip(live, transitions(tmp_path / 'new'), strict=True):
        assert (found.episode, found.step, found.segment_start) == (
            step.episode,
            step.step,
            step.segment_start,
        )
        assert found.observation.sensors.tolist() == step.observation.sensors.tolist()
        assert found.next_observation.sensors.tolist() == step.next_observation.sensors.tolist()
        # Actions come from commands, so they are those that were applied, up to rounding.
        assert found.command == pytest.approx(step.command, abs=1e-12)
        assert found.observation.vector == pytest.approx(step.observation.vector, abs=2.0)
        free = ~step.clipped
        assert found.action[free] == pytest.approx(step.action[free], abs=1e-6)
        assert found.reward == step.reward
        assert (found.terminated, found.truncated) == (step.terminated, step.truncated)
        assert found.truncation_reason == int(step.truncation_reason)


def test_a_converted_bag_is_verified_like_any_other(config, tmp_path) -> None:
    record(config, tmp_path / 'raw', episodes=2)
    convert_bag.convert(config, [tmp_path / 'raw'], tmp_path / 'new')
    assert verify_bag.main(['--bag', str(tmp_path / 'new')]) == 0


def test_an_episode_that_stops_in_its_middle_is_truncated(config, tmp_path) -> None:
    long = replace(config, episode=replace(config.episode, time_limit=1000))
    record(config, tmp_path / 'raw', episodes=2)
    convert_bag.convert(long, [tmp_path / 'raw'], tmp_path / 'new')
    ends = [t.sequence for t in transitions(tmp_path / 'new') if t.truncated]
    assert ends == [15, 30]


def test_a_bag_without_steps_is_refused_and_leaves_nothing(config, tmp_path) -> None:
    with BagWriter(tmp_path / 'raw') as writer:
        writer.add_topic('/other', 'std_msgs/msg/String')
        writer.write('/other', 0, b'\0\1\0\0\0\0\0\0')
    with pytest.raises(BagError, match='holds no step'):
        convert_bag.convert(config, [tmp_path / 'raw'], tmp_path / 'new')
    assert not (tmp_path / 'new').exists()


def test_the_namespace_chooses_between_two_robots(config, tmp_path) -> None:
    record(config, tmp_path / 'raw', episodes=1)
    with pytest.raises(BagError, match='holds no step'):
        convert_bag.convert(config, [tmp_path / 'raw'], tmp_path / 'new', namespace='other')
    assert convert_bag.convert(config, [tmp_path / 'raw'], tmp_path / 'new', '/dclaw') == 15
