"""A robot and a learner to put around an agent."""

import time

import numpy as np

JOINTS = ['FFJ10', 'FFJ11', 'FFJ12', 'MFJ20', 'MFJ21', 'MFJ22', 'THJ30', 'THJ31', 'THJ32']
PERIOD = 100_000_000  # [ns]


def random_policy(architecture, seed=0, scale=0.1):
    """Return the arrays of a policy with small random weights."""
    from sac_core.policy_format import layout

    rng = np.random.default_rng(seed)
    arrays = {n: scale * rng.standard_normal(s) for n, s in layout(architecture)}
    arrays['observation.std'] = np.ones_like(arrays['observation.std'])
    return arrays


class FakeRobot:
    """Joints that follow their targets and a valve that turns with the first of them."""

    def __init__(self, node, lockstep=True):
        from sac_msgs.msg import JointCommand
        from sac_msgs.srv import ResetRobot
        from sensor_msgs.msg import JointState
        from std_msgs.msg import String

        from sac_core import qos

        self.node, self.lockstep = node, lockstep
        self._activity = node.create_publisher(String, '/dclaw/driver_state', qos.LATCHED)
        self.position, self.time = np.zeros(10), 0
        self.commands, self.resets = [], 0
        self.silent = False
        self.clock_offset = 0  # [ns] of the stamps, wall clock
        self.fail_resets = 0
        self.resets_need_nothing = False  # then it shows the state that it showed before
        self._states = node.create_publisher(
            JointState, '/dclaw/joint_states', qos.STATE_PUBLISHER
        )
        node.create_subscription(
            JointCommand, '/dclaw/joint_command', self.on_command, qos.COMMAND
        )
        node.create_service(ResetRobot, '/dclaw/driver/reset', self.on_reset)
        node.create_timer(0.1 if lockstep else 0.01, self.publish)  # late joiners see it too

    def tell(self, text):
        from std_msgs.msg import String

        self._activity.publish(String(data=text))

    def publish(self):
        from sensor_msgs.msg import JointState

        from sac_core.convert import floats64, time_msg

        if self.silent:
            return
        stamp = self.time if self.lockstep else time.time_ns() + self.clock_offset
        message = JointState(
            name=[*JOINTS, 'valve_joint'],
            position=floats64(self.position),
            velocity=floats64(np.zeros(10)),
        )
        message.header.stamp = time_msg(stamp)
        self._states.publish(message)

    def on_command(self, message):
        self.commands.append(message)
        self.position[:9] = message.values
        self.position[9] += 0.1 * message.values[0]
        if self.lockstep:
            self.time += PERIOD
            self.publish()

    def on_reset(self, request, response):
        self.resets += 1
        if self.fail_resets:
            self.fail_resets -= 1
            response.message = 'the valve is stuck'
            return response
        if self.resets_need_nothing:
            response.success = True
            return response
        self.position[:] = 0.0
        self.position[9] = dict(zip(request.names, request.positions, strict=True))['valve_joint']
        self.time += PERIOD
        self.publish()
        response.success = True
        return response


class FakeLearner:
    """Accepts every transition and allows any number, unless told otherwise."""

    def __init__(self, node, budget=10**9):
        from sac_msgs.msg import (
            AgentSpec,
            AgentStatus,
            EpisodeSummary,
            EvaluationSummary,
            LearnerStatus,
            PolicyWeights,
            Transition,
        )

        from sac_core import qos

        self.node, self.budget = node, budget
        self.transitions, self.specs = [], []
        self.episodes, self.evaluations, self.statuses = [], [], []
        self.version = 0
        self.state = LearnerStatus.STATE_TRAINING
        subscribe = node.create_subscription
        subscribe(Transition, '/dclaw/transition', self.transitions.append, qos.EXPERIENCE)
        subscribe(AgentSpec, '/dclaw/agent_spec', self.specs.append, qos.LATCHED)
        subscribe(EpisodeSummary, '/dclaw/episode', self.episodes.append, qos.STATUS)
        subscribe(EvaluationSummary, '/dclaw/evaluation', self.evaluations.append, qos.STATUS)
        subscribe(AgentStatus, '/dclaw/agent_status', self.statuses.append, qos.STATUS)
        self._status = node.create_publisher(LearnerStatus, '/dclaw/learner_status', qos.STATUS)
        self._policy = node.create_publisher(PolicyWeights, '/dclaw/policy', qos.LATCHED)
        self._timer = node.create_timer(0.02, self.publish_status)

    def leave(self):
        """Say nothing any more, and take what was latched along; go on counting."""
        self.node.destroy_timer(self._timer)
        self.node.destroy_publisher(self._policy)

    def come_back(self):
        """Be there again as another life of the learner, which begins with version 1."""
        from sac_msgs.msg import PolicyWeights

        from sac_core import qos

        self.version = 0
        self._policy = self.node.create_publisher(PolicyWeights, '/dclaw/policy', qos.LATCHED)
        self._timer = self.node.create_timer(0.02, self.publish_status)

    @property
    def agent_state(self):
        """Of the newest status, None before the first."""
        return self.statuses[-1].state if self.statuses else None

    def sequences(self):
        return sorted({t.sequence for t in self.transitions})

    def publish_status(self):
        from sac_msgs.msg import LearnerStatus, TransitionAck

        acks, count = [], 0
        streams = {(t.agent_id, t.stream_id) for t in self.transitions}
        for agent_id, stream_id in streams:
            known = {t.sequence: t for t in self.transitions if t.stream_id == stream_id}
            received = 0
            while received + 1 in known:
                received += 1
            count += sum(not t.evaluation for t in known.values())
            acks.append(
                TransitionAck(
                    agent_id=agent_id, stream_id=stream_id, received=received, durable=received
                )
            )
        self._status.publish(
            LearnerStatus(
                learner_id='fake', state=self.state, transitions=count,
                transition_budget=self.budget, acks=acks,
            )
        )  # fmt: skip

    def publish_policy(self, **changes):
        from sac_msgs.msg import PolicyWeights

        from sac_core.convert import octets
        from sac_core.policy_format import Architecture, checksum, pack

        self.version += 1
        spec = self.specs[-1]
        architecture = Architecture(
            len(spec.observation_names), len(spec.action_names), hidden=(32, 32)
        )
        data = pack(random_policy(architecture, self.version), architecture)
        message = PolicyWeights(
            learner_id='fake', version=self.version, spec_hash=spec.spec_hash,
            architecture=architecture.to_json(), crc32=checksum(data), data=octets(data),
        )  # fmt: skip
        message.header.stamp = self.node.get_clock().now().to_msg()
        for name, value in changes.items():
            setattr(message, name, value)
        self._policy.publish(message)
