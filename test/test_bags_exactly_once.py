"""Journal, outbox, intake and replay together: each committed transition is in replay once."""

import os
from pathlib import Path
import random
from typing import Any

import numpy as np
import pytest

from sac_agent.journal import Journal, JournalConfig, Outbox
from sac_core.bag import Definitions
from sac_core.bag.transitions import TRANSITION, transitions
from sac_learner.intake.intake import Intake
from sac_learner.replay import Replay, ReplayTransition

ROOT = Path(__file__).resolve().parents[1]
SIZE = 3


@pytest.fixture(scope='module')
def definitions() -> Definitions:
    return Definitions({'sac_msgs': ROOT / 'src' / 'sac_msgs' / 'msg'})


class Agent:
    """An agent's recording half, which may die at any moment."""

    def __init__(self, directory: Path, name: str, definitions: Definitions, seed: int) -> None:
        self._directory, self._name, self._definitions = directory / name, name, definitions
        self._random = np.random.default_rng(seed)
        self.start()

    def start(self) -> None:
        self._journal = Journal(
            self._directory,
            self._name,
            JournalConfig(sync=False, split_bytes=1 << 16),
            definitions=self._definitions,
        )
        last = self._journal.last_sequence
        self._outbox = Outbox(
            self._journal.read,
            last=last,
            received=min(last, self._journal.durable),
            window=32,
            resend_after=0.2,
        )
        self._uncommitted: list[bytes] = []
        self._next = self._random.random(SIZE).astype(np.float32)

    def die(self) -> None:
        for file in self._journal._bag._open_files():
            file.close()
        os.close(self._journal._bag._lock)
        self.start()

    def act(self) -> None:
        before, self._next = self._next, self._random.random(SIZE).astype(np.float32)
        new = self._definitions.new
        message = new(
            TRANSITION,
            agent_id=self._name,
            stream_id=self._journal.stream_id,
            sequence=self._journal.last_sequence + 1,
            segment_start=bool(self._random.random() < 0.1) or not self._uncommitted,
            observation=new('sac_msgs/msg/Observation', vector=before),
            next_observation=new('sac_msgs/msg/Observation', vector=self._next),
            action=np.zeros(2, np.float32),
            reward=float(np.float32(self._random.random())),
        )
        payload = self._definitions.encode(message, TRANSITION)
        self._journal.write_transition(0, payload)
        self._uncommitted.append(payload)

    def send(self, now: float, *, commit: bool) -> list[bytes]:
        if commit:
            self._journal.commit()
            for payload in self._uncommitted:
                self._outbox.add(self._outbox.last + 1, payload)
            self._uncommitted.clear()
        return self._outbox.due(now)

    def take_acks(self, acks: list[Any], now: float) -> None:
        for ack in acks:
            if ack.stream == f'{self._name}/{self._journal.stream_id}':
                self._outbox.on_ack(ack.received, ack.durable, now)
                if self._random.random() < 0.05:
                    self._journal.save(ack.durable)

    def finish(self) -> list[Any]:
        self._journal.close()
        return list(transitions(self._directory))


def replay_transition(message: Any) -> ReplayTransition:
    return ReplayTransition(
        sequence=message.sequence,
        vector=message.observation.vector,
        next_vector=message.next_observation.vector,
        action=message.action,
        reward=message.reward,
        segment_start=message.segment_start,
    )


@pytest.mark.parametrize('seed', range(5))
def test_replay_holds_every_committed_transition_once(tmp_path, definitions, seed) -> None:
    chance = random.Random(seed)
    agents = [Agent(tmp_path, name, definitions, seed) for name in ('left', 'right')]
    replay = Replay(tmp_path / 'replay', 20_000, SIZE, None, 2)
    intake = Intake(replay, window=64)
    network: list[bytes] = []
    now = 0.0
    for step in range(400):
        calm = step >= 300
        now += 0.1
        for agent in agents:
            for _ in range(0 if calm else chance.randrange(6)):
                agent.act()
            if not calm and chance.random() < 0.03:
                agent.die()
            network += agent.send(now, commit=calm or chance.random() < 0.7)
        if not calm and chance.random() < 0.03:
            replay.close()
            replay = Replay.open(tmp_path / 'replay')
            intake = Intake(replay, window=64)
        chance.shuffle(network)
        waiting = []
        for payload in network:
            fate = 0.5 if calm else chance.random()
            if fate < 0.2:
                continue  # lost
            if fate > 0.8:
                waiting.append(payload)  # late, or twice
            message = definitions.decode(payload, TRANSITION)
            intake.offer(f'{message.agent_id}/{message.stream_id}', replay_transition(message))
        network = waiting
        if chance.random() < 0.3:
            replay.flush()
        if calm or chance.random() < 0.8:
            for agent in agents:
                agent.take_acks(intake.acks(), now)
    positions = replay.positions()
    found: dict[str, list[int]] = {}
    rewards: dict[tuple[str, int], float] = {}
    for identity, reward in zip(
        replay.identities(positions), replay.gather(positions).reward, strict=True
    ):
        found.setdefault(identity[0], []).append(identity[1])
        rewards[identity] = float(reward)
    recorded = [message for agent in agents for message in agent.finish()]
    assert len(recorded) > 300
    assert sum(map(len, found.values())) == len(recorded)
    for message in recorded:
        identity = f'{message.agent_id}/{message.stream_id}', int(message.sequence)
        assert rewards[identity] == message.reward
    for numbers in found.values():
        assert numbers == list(range(1, len(numbers) + 1))
