"""An agent without ROS that leaves a bag behind."""

from dataclasses import replace
import io
from pathlib import Path
from typing import Any

import numpy as np

from sac_agent.config import from_file, RobotConfig
from sac_agent.journal import Journal, JournalConfig
from sac_agent.pilot import Pilot
from sac_agent.policy.store import PolicyOffer
from sac_agent.records import Observed, Progress, Sample, StepRecord, Truncation
from sac_agent.tools import verify_bag
from sac_core.bag import Definitions
from sac_core.bag.transitions import AGENT_SPEC, EPISODE, POLICY, TRANSITION
from sac_core.policy_format import Architecture, checksum, layout, pack

ROOT = Path(__file__).resolve().parents[1]


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

    def policy(self, *, averaged: bool = False) -> None:
        """Publish new weights, with another policy to be evaluated or without."""
        architecture = Architecture(
            vector_size=self.pilot.spec.observation.vector_size,
            action_size=self.pilot.spec.action_size,
            hidden=(32, 32),
        )
        data = self._weights(architecture)
        mean = self._weights(architecture) if averaged else b''
        self.version += 1
        fields = {
            'learner_id': 'x',
            'version': self.version,
            'spec_hash': self.pilot.spec.spec_hash(),
            'architecture': architecture.to_json(),
            'crc32': checksum(data),
            'averaged_crc32': checksum(mean),
        }
        offer = PolicyOffer(stamp=self.time, data=data, averaged=mean, **fields)
        assert not self.pilot.policies.offer(offer)
        numbers = {
            'data': np.frombuffer(data, np.uint8),
            'averaged': np.frombuffer(mean, np.uint8),
        }
        self._write('/policy', POLICY, **numbers, **fields)

    def _weights(self, architecture: Architecture) -> bytes:
        arrays = {
            name: np.ones(shape) if name.endswith('std') else 0.2 * self.rng.normal(size=shape)
            for name, shape in layout(architecture)
        }
        return pack(arrays, architecture)

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


def verify(*arguments: str | Path) -> tuple[int, str]:
    output = io.StringIO()
    code = verify_bag.main([str(a) for a in arguments], output)
    return code, output.getvalue()
