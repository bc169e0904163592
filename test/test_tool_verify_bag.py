"""``verify_bag`` repeats what an agent did, and names the step that is not so."""

from collections.abc import Callable, Iterator
from dataclasses import replace
import io
from pathlib import Path
import shutil
from typing import Any

import numpy as np
import pytest

from sac_agent.config import from_file, RobotConfig
from sac_agent.journal import Journal, JournalConfig
from sac_agent.pilot import Pilot
from sac_agent.policy.store import PolicyOffer
from sac_agent.records import Observed, Progress, Sample, StepRecord, Truncation
from sac_agent.tools import verify_bag
from sac_agent.tools.relabel import main as relabel
from sac_core.bag import BagReader, BagWriter, Definitions
from sac_core.bag.transitions import AGENT_SPEC, EPISODE, key, POLICY, TRANSITION, transitions
from sac_core.policy_format import Architecture, checksum, layout, pack

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope='module')
def definitions() -> Definitions:
    return Definitions({'sac_msgs': ROOT / 'src' / 'sac_msgs' / 'msg'})


def config(**changes: Any) -> RobotConfig:
    """Return a D'Claw with smooth noise and a rate limit, so that order matters."""
    made = from_file(ROOT / 'config' / 'dclaw_valve.yaml')
    made = replace(
        made,
        agent_id='dclaw',
        seed=7,
        smoothing=replace(made.smoothing, correlation=0.7),
        limits=replace(made.limits, action_rate=0.6),
        warmup=replace(made.warmup, steps=30),
        episode=replace(made.episode, time_limit=20),
    )
    return replace(made, **changes)


class Run:
    """An agent without ROS, whose sensors are random walks, and its journal."""

    def __init__(self, bag: Path, definitions: Definitions, made: RobotConfig) -> None:
        self.definitions = definitions
        self.journal = Journal(bag, 'dclaw', JournalConfig(), definitions=definitions)
        for name, kind in (('agent_spec', AGENT_SPEC), ('policy', POLICY), ('episode', EPISODE)):
            self.journal.add_topic(f'/{name}', kind)
        self.pilot = Pilot(
            made,
            now=0.0,
            stream_id=self.journal.stream_id,
            progress=Progress(self.journal.next_episode, self.journal.training_steps),
        )
        self.rng = np.random.default_rng(1)
        self.raw = self.rng.uniform(-0.5, 0.5, self.pilot.layout.size)
        self.time = 1_000_000_000
        self.version = 0
        self._write('/agent_spec', AGENT_SPEC, **self._spec())

    def episode(self, steps: int = 20) -> None:
        self.pilot.begin(self._sample())
        for _ in range(steps):
            self.pilot.act()
            self.pilot.sent(0.01, 0.002)
            outcome = self.pilot.observe(self._sample())
            if outcome.record is not None:
                self._transition(outcome.record)
            if outcome.episode is not None:
                record = outcome.episode
                self._write(
                    '/episode',
                    EPISODE,
                    agent_id='dclaw',
                    stream_id=self.journal.stream_id,
                    episode=record.episode,
                    length=record.length,
                    episode_return=record.episode_return,
                    reward_names=list(record.reward_sums),
                    reward_sums=np.array(list(record.reward_sums.values())),
                )

    def interrupted(self) -> None:
        """Run an episode, and another that ends with a step under way, which is not recorded."""
        self.episode()
        self.pilot.begin(self._sample())
        self.pilot.act()
        self.pilot.interrupt(Truncation.OPERATOR)

    def policy(self) -> None:
        """Publish new weights."""
        architecture = Architecture(
            vector_size=self.pilot.spec.observation.vector_size,
            action_size=self.pilot.spec.action_size,
            hidden=(32, 32),
        )
        arrays = {
            name: np.ones(shape) if name.endswith('std') else 0.2 * self.rng.normal(size=shape)
            for name, shape in layout(architecture)
        }
        data = pack(arrays, architecture)
        self.version += 1
        fields = {
            'learner_id': 'x',
            'version': self.version,
            'spec_hash': self.pilot.spec.spec_hash(),
            'architecture': architecture.to_json(),
            'crc32': checksum(data),
        }
        assert not self.pilot.policies.offer(PolicyOffer(stamp=self.time, data=data, **fields))
        self._write('/policy', POLICY, data=np.frombuffer(data, np.uint8), **fields)

    def close(self) -> None:
        self.journal.commit()
        self.journal.close()

    def _sample(self) -> Sample:
        self.time += 100_000_000
        self.raw = self.raw + self.rng.normal(0.0, 0.1, self.raw.shape)
        return Sample(self.time, 0.0, self.raw.copy())

    def _write(self, topic: str, kind: str, **fields: Any) -> None:
        message = self.definitions.new(kind, **fields)
        self.journal.write(topic, self.time, self.definitions.encode(message, kind))

    def _spec(self) -> dict[str, Any]:
        spec = self.pilot.spec
        return {
            'agent_id': spec.agent_id,
            'stream_id': spec.stream_id,
            'task': spec.task,
            'spec_hash': spec.spec_hash(),
            'control_period': spec.control_period,
            'observation_names': list(spec.observation.names),
            'action_names': list(spec.action_names),
            'sensor_names': list(spec.sensor_names),
            'reward_names': list(spec.reward_names),
            'config': spec.config,
        }

    def _observation(self, observed: Observed) -> Any:
        return self.definitions.new(
            'sac_msgs/msg/Observation', vector=observed.vector, sensors=observed.sensors
        )

    def _transition(self, record: StepRecord) -> None:
        same = (
            'episode step segment_start action sampled_action latent clipped policy_version '
            'command reward reward_terms terminated truncated evaluation observation_age '
            'command_latency deadline_missed'
        )
        message = self.definitions.new(
            TRANSITION,
            agent_id='dclaw',
            stream_id=self.journal.stream_id,
            sequence=self.journal.last_sequence + 1,
            source=int(record.source),
            truncation_reason=int(record.truncation_reason),
            observation=self._observation(record.observation),
            next_observation=self._observation(record.next_observation),
            **{name: getattr(record, name) for name in same.split()},
        )
        self.journal.write_transition(self.time, self.definitions.encode(message, TRANSITION))
        self.journal.commit()


@pytest.fixture(scope='module')
def recorded(tmp_path_factory: pytest.TempPathFactory, definitions: Definitions) -> Path:
    """Return two sessions of one agent: warm-up, policies, an episode that a person cuts."""
    path = tmp_path_factory.mktemp('recorded') / 'dclaw'
    for _ in range(2):
        run = Run(path, definitions, config())
        for _ in range(2):
            run.policy()
            run.episode()
            run.interrupted()
        run.close()
    return path


@pytest.fixture
def bag(recorded: Path, tmp_path: Path) -> Path:
    """Return a copy of the recorded bag."""
    return Path(shutil.copytree(recorded, tmp_path / 'dclaw'))


def verify(*arguments: str | Path) -> tuple[int, str]:
    output = io.StringIO()
    code = verify_bag.main([str(a) for a in arguments], output)
    return code, output.getvalue()


def edited(
    source: Path,
    target: Path,
    definitions: Definitions,
    change: Callable[[Any], None],
    number: int,
) -> Path:
    """Copy a bag, with one transition changed before it is written."""
    with BagWriter(target, definitions=definitions) as writer:
        for raw in BagReader(source).messages():
            writer.add_topic(raw.topic, raw.type)
            data = raw.data
            if raw.type == TRANSITION and key(data).sequence == number:
                message = definitions.decode(data, TRANSITION)
                change(message)
                data = definitions.encode(message, TRANSITION)
            writer.write(raw.topic, raw.stamp, data)
            writer.commit()
    return target


def test_a_run_is_repeated_bit_for_bit_over_restarts(bag: Path) -> None:
    code, text = verify('--bag', bag)
    assert code == 0, text
    assert '160 steps verified, 160 of them bit for bit' in text
    assert 'noise repeated from the seed for 160 of 160' in text


def test_noise_that_follows_from_no_seed_is_told_but_no_error(tmp_path, definitions) -> None:
    run = Run(tmp_path / 'dclaw', definitions, config())
    run.pilot._selector._noise._rng = np.random.default_rng(99)
    run.policy()
    run.episode()
    run.episode()
    run.episode()
    run.close()
    code, text = verify('--bag', tmp_path / 'dclaw')
    assert code == 0, text
    assert 'noise repeated from the seed for 30 of 60' in text


def corruptions() -> Iterator[tuple[str, Callable[[Any], None], str]]:
    def flip(path: str, index: int = 0) -> Callable[[Any], None]:
        def change(message: Any) -> None:
            *parents, name = path.split('.')
            for parent in parents:
                message = getattr(message, parent)
            values = getattr(message, name).copy()
            values.view(np.uint8)[index * values.itemsize] ^= 1  # the least significant bit
            setattr(message, name, values)

        return change

    yield 'vector', flip('next_observation.vector', 3), 'next_observation.vector'
    yield 'sensors', flip('next_observation.sensors', 9), 'next_observation|reward_terms|observ'
    yield 'action', flip('action'), 'action|next_observation.vector'
    yield 'sampled', flip('sampled_action', 2), 'sampled_action'
    yield 'latent', flip('latent', 8), 'latent'
    yield 'command', flip('command', 4), 'command'
    yield 'reward', lambda m: setattr(m, 'reward', m.reward + 1e-12), 'reward'
    yield 'terms', flip('reward_terms', 1), 'reward'
    yield 'end', lambda m: setattr(m, 'terminated', True), 'terminated'
    yield 'clipped', lambda m: setattr(m, 'clipped', ~m.clipped), 'clipped'
    yield 'version', lambda m: setattr(m, 'policy_version', 1), 'sampled_action'


@pytest.mark.parametrize(
    ('change', 'why'),
    [pytest.param(change, why, id=name) for name, change, why in corruptions()],
)
def test_one_changed_bit_names_the_step(bag, tmp_path, definitions, change, why) -> None:
    # Sequence 55 is sampled by policy 2.
    damaged = edited(bag, tmp_path / 'edited', definitions, change, 55)
    code, text = verify('--bag', damaged)
    assert code == 1
    assert any(word in text for word in why.split('|')), text
    assert '(sequence 55)' in text or '(sequence 56)' in text


@pytest.mark.parametrize('seed', range(10))
def test_one_altered_byte_of_the_file_names_the_step(bag, seed: int) -> None:
    path = sorted(bag.glob('*.mcap'))[0]
    found = [m for m in BagReader(path).messages() if m.type == TRANSITION]
    rng = np.random.default_rng(seed)
    chosen = found[rng.integers(len(found))]
    data = bytearray(path.read_bytes())
    place = data.index(chosen.data[200:240], chosen.position) + int(rng.integers(40))
    data[place] ^= 1 << int(rng.integers(8))
    path.write_bytes(data)
    code, text = verify('--bag', bag)
    assert code == 1
    assert str(key(chosen.data)) in text


def test_missing_weights_are_named_and_may_come_from_elsewhere(bag, tmp_path, definitions) -> None:
    with BagWriter(tmp_path / 'light', definitions=definitions) as writer:
        for raw in BagReader(bag).messages():
            if raw.type != POLICY:
                writer.add_topic(raw.topic, raw.type)
                writer.write(raw.topic, raw.stamp, raw.data)
    code, text = verify('--bag', tmp_path / 'light')
    assert code == 1
    assert 'weights of version' in text
    assert 'step 10 of episode 1 (sequence 31)' in text
    code, text = verify('--bag', tmp_path / 'light', '--weights', bag)
    assert code == 0, text


def test_a_missing_transition_is_named(bag, tmp_path, definitions) -> None:
    with BagWriter(tmp_path / 'gap', definitions=definitions) as writer:
        for raw in BagReader(bag).messages():
            if raw.type == TRANSITION and key(raw.data).sequence == 40:
                continue
            writer.add_topic(raw.topic, raw.type)
            writer.write(raw.topic, raw.stamp, raw.data)
    code, text = verify('--bag', tmp_path / 'gap')
    assert code == 1
    assert '(sequence 41): does not follow step 18 of episode 1 (sequence 39)' in text


def test_what_is_no_bag_is_a_usage_error(tmp_path, capsys) -> None:
    assert verify('--bag', tmp_path / 'none')[0] == 2
    assert 'does not exist' in capsys.readouterr().err


# Relabelling


def test_relabelling_with_the_same_task_changes_nothing(bag, tmp_path) -> None:
    assert relabel(['--bag', str(bag), '--output', str(tmp_path / 'new')]) == 0
    before = [m[:4] for m in BagReader(bag).messages() if m.type in (TRANSITION, POLICY)]
    after = [
        m[:4] for m in BagReader(tmp_path / 'new').messages() if m.type in (TRANSITION, POLICY)
    ]
    assert before == after
    assert verify('--bag', tmp_path / 'new')[0] == 0


def test_relabelled_transitions_differ_in_reward_and_ends_only(bag, tmp_path) -> None:
    target = tmp_path / 'new'
    arguments = ['--bag', str(bag), '--output', str(target), '--parameter', 'distance_cost:=5.0']
    assert relabel(arguments) == 0
    labels = {'reward', 'reward_terms', 'terminated', 'truncated', 'truncation_reason'}
    pairs = zip(transitions(bag), transitions(target), strict=True)
    for old, new in pairs:
        for name in old.__dataclass_fields__:
            if name[0].islower() and name not in labels | {'header'}:
                assert repr(getattr(old, name)) == repr(getattr(new, name)), name
        assert new.reward_terms[0] == 2.5 * old.reward_terms[0]
    assert verify('--bag', target)[0] == 0


def test_summaries_follow_the_new_rewards(bag, tmp_path) -> None:
    arguments = ['--bag', str(bag), '--output', str(tmp_path / 'new')]
    assert relabel([*arguments, '--reward-weight', 'distance:=0.0']) == 0
    reader = BagReader(tmp_path / 'new')
    for raw in reader.messages():
        if raw.type == EPISODE:
            summary = reader.decode(raw)
            assert summary.reward_sums[0] == 0.0
            assert summary.episode_return == pytest.approx(summary.reward_sums.sum())


def test_a_task_that_does_not_fit_the_recorded_sensors_is_refused(bag, tmp_path, capsys) -> None:
    arguments = ['--bag', str(bag), '--output', str(tmp_path / 'new')]
    assert relabel([*arguments, '--task', 'minitaur_walk']) == 2
    assert "has no element 'motor_front_leftL_joint'" in capsys.readouterr().err
    assert relabel([*arguments, '--task', 'nothing:Such']) == 2
    assert 'cannot be imported' in capsys.readouterr().err


def test_an_existing_output_is_left_alone(bag, capsys) -> None:
    assert relabel(['--bag', str(bag), '--output', str(bag)]) == 2
    assert 'exists already' in capsys.readouterr().err


ENDING = """
import numpy as np
from sac_agent.tasks.task import Task


class Ending(Task):
    reward_names = ('height',)

    def reward(self, before, action, after, history):
        return np.array([after[0] + len(history)])

    def terminated(self, after):
        return bool(after[0] > 0.0)


class Endless(Task):
    reward_names = ('nothing',)

    def reward(self, before, action, after, history):
        return np.zeros(1)
"""


@pytest.fixture
def tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'relabel_tasks.py').write_text(ENDING)
    monkeypatch.syspath_prepend(tmp_path)


def relabelled(bag: Path, target: Path, task: str) -> list[Any]:
    assert relabel(['--bag', str(bag), '--output', str(target), '--task', task]) == 0
    return list(transitions(target))


def test_an_end_inside_an_episode_begins_a_segment(bag, tmp_path, tasks) -> None:
    old = list(transitions(bag))
    new = relabelled(bag, tmp_path / 'new', 'relabel_tasks:Ending')
    assert {bool(t.terminated) for t in new} == {True, False}
    for before, found, following in zip(old, new, new[1:], strict=False):
        assert found.terminated == (found.next_observation.sensors[0] > 0.0)
        assert found.truncated == (before.truncated and not found.terminated)
        if found.terminated:
            assert following.segment_start
    code, text = verify('--bag', tmp_path / 'new')
    assert code == 0, text


def test_an_end_that_is_none_any_more_becomes_a_truncation(bag, tmp_path, tasks) -> None:
    relabelled(bag, tmp_path / 'ending', 'relabel_tasks:Ending')
    ended = {t.sequence for t in transitions(tmp_path / 'ending') if t.terminated}
    new = relabelled(tmp_path / 'ending', tmp_path / 'endless', 'relabel_tasks:Endless')
    assert not any(t.terminated for t in new)
    assert {t.sequence for t in new if t.truncated} >= ended


def test_the_agent_spec_names_the_new_task(bag, tmp_path, tasks) -> None:
    relabelled(bag, tmp_path / 'new', 'relabel_tasks:Ending')
    reader = BagReader(tmp_path / 'new')
    specs = [reader.decode(m) for m in reader.messages() if m.type == AGENT_SPEC]
    assert [(s.task, list(s.reward_names)) for s in specs] == [
        ('relabel_tasks:Ending', ['height'])
    ] * len(specs)
