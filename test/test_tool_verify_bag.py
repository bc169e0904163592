"""``verify_bag`` repeats what an agent did, and names the step that is not so."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sac_core.bag import BagReader, BagWriter, Definitions
from sac_core.bag.transitions import key, POLICY, TRANSITION

from .recorded_run import config, Run, verify

ROOT = Path(__file__).resolve().parents[1]


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


def test_evaluations_are_of_the_average(tmp_path, definitions) -> None:
    run = Run(tmp_path / 'dclaw', definitions, config())
    run.policy(averaged=True)
    run.episode()
    run.episode()
    run.pilot.evaluate(1)
    run.episode()
    run.close()
    code, text = verify('--bag', tmp_path / 'dclaw')
    assert code == 0, text
    assert '60 steps verified, 60 of them bit for bit' in text
    with BagWriter(tmp_path / 'without', definitions=definitions) as writer:
        reader = BagReader(tmp_path / 'dclaw')
        for raw in reader.messages():
            data = raw.data
            if raw.type == POLICY:
                message = reader.decode(raw)
                message.averaged = message.averaged[:0]
                data = definitions.encode(message, raw.type)
            writer.add_topic(raw.topic, raw.type)
            writer.write(raw.topic, raw.stamp, data)
    code, text = verify('--bag', tmp_path / 'without')
    assert code == 1
    assert 'step 0 of episode 2' in text
    assert 'sampled_action' in text


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
