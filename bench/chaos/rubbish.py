"""Messages that no honest sender would send, from a seeded generator."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
import random

from builtin_interfaces.msg import Time
from sac_msgs.msg import (
    AgentSpec,
    JointCommand,
    LearnerStatus,
    Observation,
    PolicyWeights,
    Transition,
    TransitionAck,
)
from sensor_msgs.msg import JointState

ODD = (float('nan'), float('inf'), float('-inf'), 1e308, -1e308, 5e-324, -0.0)
STREAM = 'rubbish'  # how the stream of every transition begins
_TEXTS = ('', 'robot', '../../etc/passwd', '\x00\x01', '%s%n', 'a' * 300, '{"a": 1}', 'ü' * 40)


class Rubbish:
    """Makes malformed messages.

    Nothing that it makes is a well-formed message that merely lies: against those no check helps,
    only a closed network, see docs/security.md.
    """

    def __init__(
        self, seed: int, joints: Sequence[str], agent_id: str = '', spec: str = ''
    ) -> None:
        """Aim at a robot with these joints, and at an agent of this name and spec hash."""
        self.random = random.Random(seed)
        self._joints = list(joints)
        self._agent_id = agent_id
        self._spec = spec

    def transition(self) -> Transition:
        """Return a transition that no replay may take."""
        message = self._transition()
        chance = self.random
        spoil: tuple[Callable[[], object], ...] = (
            lambda: setattr(message.observation, 'vector', self._floats(chance.randrange(400))),
            lambda: setattr(message.next_observation, 'vector', array('f', [ODD[0]] * 60)),
            lambda: setattr(message, 'action', self._floats(chance.randrange(40))),
            lambda: setattr(message, 'reward', chance.choice(ODD[:3])),
            lambda: setattr(message, 'sequence', chance.choice((0, 2**64 - 1, 2**63))),
            lambda: setattr(message, 'stream_id', STREAM + chance.choice(('\n\x00', 'ü' * 300))),
            lambda: setattr(message.next_observation, 'image', array('B', bytes(1000))),
        )
        chance.choice(spoil)()
        # Whatever else is wrong: no vector of any robot has this length.
        message.observation.vector.append(0.0)
        while len(message.observation.vector) < 600:
            message.observation.vector.append(chance.choice(ODD[:3]))
        return message

    def weights(self) -> PolicyWeights:
        """Return weights that no agent may use."""
        chance = self.random
        data = array('B', chance.randbytes(chance.choice((0, 1, 3, 4, 1000, 40_000))))
        architecture = chance.choice(
            (
                '', '{', '[]', 'null', '{"vector_size": -1}', '{"vector_size": 1e400}', '[' * 5000,
                '{"vector_size": 99999999999, "image_shape": null, "action_size": 9}',
                '{"vector_size": 28, "image_shape": null, "action_size": 9, "hidden": [256, 256]}',
            )
        )  # fmt: skip
        return PolicyWeights(
            learner_id=chance.choice(_TEXTS[:2]),
            version=chance.choice((0, 1, 2**64 - 1, chance.randrange(10**6))),
            spec_hash=chance.choice((self._spec, 'wrong', '')),
            architecture=architecture,
            crc32=chance.randrange(2**32),
            data=data,
        )

    def spec(self) -> AgentSpec:
        """Return a spec that no learner may learn for."""
        chance = self.random
        return AgentSpec(
            agent_id=f'rubbish{chance.randrange(5)}',
            stream_id=chance.choice(_TEXTS[:2]),
            task=chance.choice(_TEXTS[:6]),
            spec_hash=chance.choice((self._spec, 'wrong')),
            control_period=chance.choice((*ODD, 0.0, -1.0)),
            observation_names=['x'] * chance.randrange(5),
            image_shape=[chance.randrange(2**32) for _ in range(3)],
            action_names=[chance.choice(_TEXTS) for _ in range(chance.randrange(4))],
            config='!!python/object/apply:os.system ["true"]',
        )

    def status(self) -> LearnerStatus:
        """Return a learner's status that acknowledges what was never sent."""
        chance = self.random
        ack = TransitionAck(
            agent_id=chance.choice((self._agent_id, 'nobody')),
            stream_id='of another run',
            received=chance.randrange(2**64),
            durable=chance.randrange(2**64),
        )
        return LearnerStatus(
            learner_id='rubbish',
            state=chance.choice((0, 1, 2, 200)),
            transition_budget=2**62,
            acks=[ack],
            metric_names=['a', 'b'],
        )

    def command(self, mode: int, now: float) -> JointCommand:
        """Return a command that no driver may carry out: malformed, or long past."""
        chance = self.random
        count = len(self._joints)
        message = JointCommand(
            mode=mode, names=list(self._joints), values=[chance.gauss(0.0, 1.0)] * count
        )
        message.header.stamp = _time(now)
        spoil: tuple[Callable[[], object], ...] = (
            lambda: setattr(message, 'values', [chance.choice(ODD[:3])] * count),
            lambda: setattr(message, 'values', [0.0] * chance.choice((0, 1, count + 1, 500))),
            lambda: setattr(message, 'names', list(self._joints[:-1])),
            lambda: setattr(message, 'names', ['elbow', *self._joints[1:]]),
            lambda: setattr(message, 'names', [self._joints[0]] * count),
            lambda: setattr(message, 'mode', chance.choice([m for m in range(256) if m != mode])),
            lambda: setattr(message.header, 'stamp', _time(now - chance.uniform(2.0, 1e9))),
            lambda: setattr(message.header, 'stamp', _time(now + chance.uniform(2.0, 1e8))),
        )
        chance.choice(spoil)()
        return message

    def joint_state(self, now: float) -> JointState:
        """Return a state that no agent may act on."""
        chance = self.random
        count = len(self._joints)
        message = JointState(
            name=list(self._joints), position=[0.0] * count, velocity=[0.0] * count
        )
        message.header.stamp = _time(now)
        spoil: tuple[Callable[[], object], ...] = (
            lambda: setattr(message, 'position', [chance.choice(ODD[:3])] * count),
            lambda: setattr(message, 'velocity', [0.0] * chance.randrange(count)),
            lambda: setattr(message, 'name', [chance.choice(_TEXTS) for _ in range(count)]),
            lambda: setattr(message, 'name', []),
        )
        chance.choice(spoil)()
        return message

    def _transition(self) -> Transition:
        message = Transition(
            agent_id=self._agent_id or self.random.choice(_TEXTS),
            stream_id=STREAM,
            sequence=self.random.randrange(1, 2**63),
            observation=Observation(vector=self._floats(60)),
            next_observation=Observation(vector=self._floats(60)),
            action=self._floats(9),
        )
        message.header.stamp = Time(sec=self.random.randrange(-(2**31), 2**31))
        return message

    def _floats(self, count: int) -> array[float]:
        return array('f', [self.random.uniform(-1.0, 1.0) for _ in range(count)])


def _time(seconds: float) -> Time:
    whole = max(-(2**31), min(2**31 - 1, int(seconds)))
    return Time(sec=whole, nanosec=int((seconds - int(seconds)) % 1.0 * 1e9))
