"""The learner without ROS: transitions in, gradient steps, policies and checkpoints out.

One thread owns a `Training`; other threads read its counters only.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from itertools import cycle
from pathlib import Path
import time
from typing import Any, TYPE_CHECKING

import numpy as np

from sac_core.spec import AgentSpec
from sac_learner.checkpoint import Checkpoints
from sac_learner.intake.given import Given
from sac_learner.intake.intake import Intake, Passed
from sac_learner.intake.transitions import from_message, stream_key
from sac_learner.replay import Replay, ReplayBatch, SymmetricReplay
from sac_learner.run.directory import RunDirectory
from sac_learner.run.metrics import Metrics
from sac_learner.run.progress import Rate
from sac_learner.sac.agent import Sac
from sac_learner.sac.batch import READ
from sac_learner.sac.config import SacConfig
from sac_learner.settings import LearnerSettings
from sac_learner.training import recovery
from sac_learner.training.pacing import Pacer
from sac_learner.training.policies import Policies
from sac_learner.training.recovery import Learning

if TYPE_CHECKING:  # Gymnasium runs need neither messages nor bags
    from sac_msgs.msg import Transition

    from sac_learner.intake.bags import Labels


class Training:
    """Everything that learns from the transitions of agents with one spec."""

    def __init__(
        self,
        spec: AgentSpec,
        config: SacConfig,
        settings: LearnerSettings,
        run: RunDirectory,
        metrics: Metrics,
    ) -> None:
        """Open the replay and continue from the newest good checkpoint, if there is one.

        Raises:
            ReplayError: The replay of this run directory is damaged or of another robot.
            CheckpointError: There are checkpoints, and none of them can be used; or the policy to
                start from is none, or of another architecture.
        """
        self.spec_hash = spec.spec_hash()
        self.settings = settings
        self._run = run
        self._metrics = metrics
        self.replay = Replay(
            run.path / 'replay',
            config.replay_capacity,
            spec.observation.vector_size,
            spec.observation.image_shape,
            spec.action_size,
            spec_hash=self.spec_hash,
        )
        self._given = Given.read(run.path)
        self._image_shape = spec.observation.image_shape
        self.sac = Sac(
            spec.observation.vector_size,
            spec.observation.image_shape,
            spec.action_size,
            config,
            seed=settings.seed,
            device=settings.device,
            threads=settings.thread_count(),
            backend=settings.backend,
        )
        self.pacer = Pacer(
            config.updates_per_step, warmup=config.learning_starts, max_lead=settings.max_lead
        )
        self._demonstrations = self._load_demonstrations(spec)
        self._source: Replay | SymmetricReplay = self.replay
        if self._demonstrations is not None:
            share = config.demonstration_fraction
            self._source = SymmetricReplay(self.replay, self._demonstrations, share)
        self.rng = np.random.default_rng([settings.seed, 1])
        layout = self.replay.layout
        # In turn, as the updates before may still be reading theirs.
        self._batches = cycle(
            [ReplayBatch.empty(config.batch_size, layout) for _ in range(READ + 1)]
        )
        self._checkpoints = Checkpoints(run.path / 'checkpoints', before=self.replay.flush)
        self.policies = Policies(self._checkpoints, self.spec_hash)
        self.losses: dict[str, float] = {}
        self._rate = Rate()
        self.updates_per_second = 0.0
        self._learning = Learning(
            self.spec_hash, settings, self.replay, self.sac, self.pacer, self.policies, self.rng
        )
        self.agents, self.changes = self._learning.agents, self._learning.changes
        recovery.resume(self._learning, self._checkpoints, metrics)
        # Last, for it begins where the replay is, which may have gone back.
        self.intake = Intake(self.replay, on_passed=self._on_passed)

    # Counters that other threads read

    @property
    def updates(self) -> int:
        """Gradient updates done."""
        return self.sac.updates

    @property
    def transitions(self) -> int:
        """Training transitions accepted, those from bags included."""
        return self.replay.count

    @property
    def steps(self) -> int:
        """Training steps of robots in this run."""
        return self.replay.count - self._given.transitions

    @property
    def update_to_data(self) -> float:
        """Updates per transition since training began."""
        begun = self.transitions - self.sac.config.learning_starts
        return self.updates / begun if begun > 0 else 0.0

    @property
    def budget(self) -> int:
        """Number of transitions beyond which a simulated robot waits."""
        budget = self.pacer.transition_budget(self.updates)
        limit = self.settings.steps
        return min(budget, limit + self._given.transitions) if limit else budget

    def acks(self) -> list[tuple[str, str, int, int]]:
        """Return agent, stream, received and durable sequence of every stream."""
        found = []
        for ack in self.intake.acks():
            agent, _, stream = ack.stream.rpartition('/')
            found.append((agent, stream, ack.received, ack.durable))
        return found

    # What the owning thread does

    def receive(self, msg: 'Transition') -> None:
        """Take a transition message, in any order and any number of times."""
        stream = stream_key(msg.agent_id, msg.stream_id)
        try:
            transition = from_message(msg, self._image_shape)
        except ValueError as error:
            self.intake.reject('shape', str(error), stream=stream, sequence=msg.sequence)
            return
        self.intake.offer(stream, transition, evaluation=msg.evaluation)

    def begin_with(
        self, bags: Sequence[Path], on_progress: Callable[[int, int], None] = lambda *_: None
    ) -> Given:
        """Bring the transitions of bags into the replay, once in the life of the run.

        Raises:
            BagError: A bag is damaged, or of another robot.
            ReplayError: There is no room.
            OSError: The run directory cannot be written.
        """
        from sac_learner.intake import loading

        self._given = loading.begin_with(
            bags, self._run.path, self.replay, self.intake, on_progress
        )
        return self._given

    def relabel(self, labels: 'Mapping[str, Labels]') -> int:
        """Give transitions new rewards and ends, by stream; return how many were there."""
        replays = [r for r in (self.replay, self._demonstrations) if r is not None]
        found = 0
        for stream, new in labels.items():
            for replay in replays:
                found += replay.relabel(stream, new.sequences, new.rewards, new.terminated)
        self._metrics.event('relabelled', streams=sorted(labels), transitions=found)
        return found

    def updates_are_due(self) -> bool:
        """Return whether data wait for updates."""
        return self.pacer.updates_due(self.transitions, self.updates) > 0

    def learn(self, limit: int) -> int:
        """Do the updates that are due, at most `limit`, and return how many were done."""
        count = min(limit, self.pacer.updates_due(self.transitions, self.updates))
        if count < 1 or self.replay.size < 1:
            return 0
        self._update(count)
        return count

    def study(self, count: int) -> None:
        """Do updates on the data at hand, whatever their ratio; later data call for theirs only.

        Raises:
            ReplayError: There are no data.
        """
        self._update(count)
        self.pacer.rebase(self.transitions, self.updates)

    def _update(self, count: int) -> None:
        config = self.sac.config

        def batch() -> Any:
            return self._source.sample(
                config.batch_size,
                self.rng,
                n_step=config.n_step,
                discount=config.discount,
                out=next(self._batches),
            )

        self.losses = self.sac.update(batch, count)
        self.updates_per_second = self._rate.observe(self.updates, time.monotonic())

    def set_parameter(self, name: str, value: Any) -> None:
        """Change a live setting of the algorithm."""
        self.sac.set_parameter(name, value)
        if name == 'updates_per_step':
            self.pacer.set_ratio(value, self.transitions, self.updates)

    def note_change(self, where: str, name: str, value: Any) -> None:
        """Enter a changed parameter into the audit, which checkpoints and run log keep.

        Args:
            where: sac_learner, or the agent's name.
            name: Of the parameter.
            value: New value, as JSON has it.
        """
        change = {'where': where, 'name': name, 'value': value, 'updates': self.updates}
        self.changes.append({'stamp': round(time.time(), 3), 'steps': self.transitions, **change})
        self._metrics.event('parameter', **change)

    @property
    def problems(self) -> dict[str, str]:
        """What keeps data from the disk, by kind; training goes on all the same."""
        found = {
            'checkpoint': self._checkpoints.failure,
            'metrics': self._metrics.problem,
            'replay': self.intake.postponed,
        }
        return {kind: text for kind, text in found.items() if text}

    def checkpoint(self) -> None:
        """Take a snapshot, which is written in the background."""
        if problem := self._checkpoints.failure:
            self._metrics.event('checkpoint_failed', reason=problem)
        self._checkpoints.save_soon(recovery.snapshot(self._learning))

    def close(self) -> None:
        """Save everything and close the files.

        Raises:
            CheckpointError: The last checkpoint could not be written; earlier ones are untouched.
        """
        try:
            self._checkpoints.wait()
            self._checkpoints.save(recovery.snapshot(self._learning))
            self._checkpoints.close()
        finally:
            self.replay.close()
            if self._demonstrations is not None:
                self._demonstrations.close()

    def _load_demonstrations(self, spec: AgentSpec) -> Replay | None:
        if not self.settings.demonstrations:
            return None
        from sac_learner.intake import bags, loading

        paths = bags.paths(self.settings.demonstrations)
        replay = loading.demonstrations(paths, self._run.path, spec)
        self._metrics.event('demonstrations', bags=[str(p) for p in paths], size=replay.size)
        return replay

    def _on_passed(self, passed: Passed) -> None:
        self._metrics.event('passed_over', **asdict(passed))

    def record(self) -> None:
        """Write losses and rates."""
        self._metrics.training(
            self.updates,
            self.steps,
            {
                **self.losses,
                'updates_per_second': self.updates_per_second,
                'update_to_data': self.update_to_data,
                'replay_size': float(self.replay.size),
            },
        )
