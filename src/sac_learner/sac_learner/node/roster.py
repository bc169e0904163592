"""Which agents feed the learner, and which are refused."""

from collections.abc import Callable
from dataclasses import replace
import time
from typing import Any

from sac_msgs.msg import AgentSpec as AgentSpecMsg
from sac_msgs.msg import Transition

from sac_core import convert
from sac_core.spec import AgentSpec
from sac_learner.intake.transitions import stream_key
from sac_learner.run.directory import changed_values, RunDirectory
from sac_learner.run.metrics import Metrics
from sac_learner.training.training import Training

EARLY = 4096  # transitions kept until the spec of their robot comes
MOST_REFUSALS = 100
REFUSAL_PERIOD = 1.0  # [s] between two lines about refused agents, whoever floods the topic


class Roster:
    """Knows every agent by its spec.

    Attributes:
        specs: By agent.
        refused: Reason by agent.
    """

    def __init__(self, run: RunDirectory, metrics: Metrics, log: Callable[[str], Any]) -> None:
        """Begin without agents."""
        self._run, self._metrics, self._log = run, metrics, log
        self._early: list[Transition] = []
        self._tell_refusal = 0.0
        self.specs: dict[str, AgentSpec] = {}
        self.refused: dict[str, str] = {}

    def read(self, msg: AgentSpecMsg, spec_hash: str) -> AgentSpec | None:
        """Return the spec of an announcement, None where it is refused.

        Args:
            msg: The announcement.
            spec_hash: That is learned, '' before the first agent.
        """
        try:
            spec = convert.spec_from_msg(msg)
        except ValueError as error:
            self._refuse(msg.agent_id, str(error))
            return None
        if spec_hash and spec.spec_hash() != spec_hash:
            self._refuse(
                spec.agent_id,
                f'its spec {spec.spec_hash()} is not {spec_hash}, which is learned here; start '
                'another learner for it',
            )
            return None
        return spec

    def admit(self, spec: AgentSpec, first_sequence: int, training: Training) -> None:
        """Let an agent feed a training.

        Args:
            spec: Of the agent.
            first_sequence: Of the transitions that it still has.
            training: Takes them.
        """
        self._hand_over(spec, training)
        stream = stream_key(spec.agent_id, spec.stream_id)
        missing = training.intake.adopt(stream, first_sequence)
        if missing:
            self._metrics.event('adopted', stream=stream, first=first_sequence)
            self._log(
                f'{spec.agent_id} no longer has {missing} transitions that are not here; its '
                f'stream begins at {first_sequence}'
            )
        known = self.specs.get(spec.agent_id)
        self.specs[spec.agent_id] = spec
        self.refused.pop(spec.agent_id, None)
        if known is None or replace(known, config=spec.config) != spec:
            self._metrics.event('agent', agent=spec.agent_id, stream=spec.stream_id)
            self._log(f'agent {spec.agent_id}: {spec.task}, {len(spec.action_names)} actions')
        if known is None or known.config != spec.config:
            self._keep_configuration(spec, training)

    def has(self, agent_id: str) -> bool:
        """Return whether an agent has been admitted."""
        return agent_id in self.specs

    def wait(self, msg: Transition) -> None:
        """Keep a transition that came before the spec of its agent, unless that is refused."""
        if msg.agent_id not in self.refused and len(self._early) < EARLY:
            self._early.append(msg)

    def _hand_over(self, spec: AgentSpec, training: Training) -> None:
        """Pass on transitions that overtook their spec; a player sends none again."""
        early, self._early = self._early, []
        for msg in early:
            if (msg.agent_id, msg.stream_id) == (spec.agent_id, spec.stream_id):
                training.receive(msg)
            else:
                self._early.append(msg)

    def _keep_configuration(self, spec: AgentSpec, training: Training) -> None:
        """Record an agent's configuration, and what of it changed since it was last heard."""
        before = training.agents.get(spec.agent_id)
        training.agents[spec.agent_id] = spec.config
        if before is not None:
            for name, value in changed_values(before, spec.config).items():
                training.note_change(spec.agent_id, name, value)
        try:
            self._run.record_agent(spec.agent_id, spec.config)
        except OSError as error:
            self._log(f'the configuration of {spec.agent_id} is not written: {error}')

    def _refuse(self, agent_id: str, reason: str) -> None:
        now = time.monotonic()
        if self.refused.get(agent_id) != reason and now >= self._tell_refusal:
            self._tell_refusal = now + REFUSAL_PERIOD
            self._log(f'agent {agent_id!r} is refused: {reason}')
        if len(self.refused) < MOST_REFUSALS:
            self.refused[agent_id] = reason
