"""What is learned, by whom it is fed, and when it is over: all that the learning thread owns."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
import threading
import time
from typing import Any
import uuid

from sac_msgs.msg import (
    AgentSpec,
    AgentStatus,
    EpisodeSummary,
    EvaluationSummary,
    LearnerStatus,
    Transition,
)

from sac_core.parameters import check_values
from sac_learner.checkpoint import CheckpointError
from sac_learner.intake.bags import Labels
from sac_learner.node.account import Account
from sac_learner.node.ending import Ending
from sac_learner.node.roster import Roster
from sac_learner.node.status import diagnostic_values, status_fields
from sac_learner.replay import ReplayError
from sac_learner.run import report
from sac_learner.run.directory import RunDirectory
from sac_learner.run.metrics import Metrics
from sac_learner.run.progress import Occasions
from sac_learner.sac.config import SacConfig
from sac_learner.settings import LearnerSettings
from sac_learner.training.policies import Policy
from sac_learner.training.training import Training

UPDATES_PER_TURN = 8  # gradient updates between two looks at what arrived
HOURS_PERIOD = 30.0  # [s] between two records of how the robots spend their time


class Session:
    """One life of the learner in a run directory.

    One thread works it and calls its handlers. Any thread may read what there is to tell, `check`
    a value, and set `paused`.

    Attributes:
        learner_id: Tells this life from others.
        paused: No gradient updates for now; transitions are taken all the same.
        finished: The run is complete.
        failure: What ended it, or kept something from the disk at the end; '' if nothing did.
        exit_code: Of the process.
    """

    def __init__(
        self,
        config: SacConfig,
        settings: LearnerSettings,
        run: RunDirectory,
        *,
        publish: Callable[[Policy], None],
        log: Callable[[str], Any],
    ) -> None:
        """Prepare the run directory; nothing is learned before an agent introduces itself."""
        self._config = config
        self._settings = settings
        self._run = run
        self._publish = publish
        self._log = log
        run.record_environment(settings.seed, {'learner': asdict(settings), 'sac': asdict(config)})
        self._metrics = Metrics(run.path, tensorboard=settings.tensorboard)
        self._metrics.event('start', seed=settings.seed)
        self.learner_id = uuid.uuid4().hex[:12]
        self.paused = self.finished = False
        self.failure = ''
        self.exit_code = 0
        self._training: Training | None = None
        self._roster = Roster(run, self._metrics, log)
        self._account = Account(self._metrics, settings.steps, log)
        self._state = LearnerStatus.STATE_WAITING
        self._last_status: dict[str, Any] = {}
        self._status_lock = threading.Lock()
        enough = settings.solved_in_a_row if settings.stop_when_solved else 0
        self._ending = Ending(settings.steps, solved_in_a_row=enough)
        self._published: tuple[float, int] = (float('-inf'), -1)
        self._occasions = Occasions(('checkpoint', 'metrics', 'hours', 'line', 'flush'), 0.0)

    # What there is to tell

    @property
    def learning(self) -> bool:
        """Whether updates were due when last looked at."""
        return bool(self._state == LearnerStatus.STATE_TRAINING)

    @property
    def spec_hash(self) -> str:
        """Hash of the spec that is learned, empty before an agent has introduced itself."""
        return self._training.spec_hash if self._training else ''

    def status(self) -> dict[str, Any]:
        """Return the fields of LearnerStatus; those of the end once the run is closed."""
        with self._status_lock:
            return dict(self._last_status) if self._last_status else self._present_status()

    def _present_status(self) -> dict[str, Any]:
        return status_fields(self.learner_id, self._state, self._training)

    def diagnostics(self) -> dict[str, Any]:
        """Return what the diagnostics show."""
        return diagnostic_values(self.status(), self._roster, self._training) | self.problems

    @property
    def problems(self) -> dict[str, str]:
        """What keeps data from the disk, by kind; learning goes on all the same."""
        training = self._training
        found = training.problems if training else {}
        return {f'not saved: {kind}': text for kind, text in found.items()}

    def check(self, name: str, value: Any) -> None:
        """Check a new value of a live parameter.

        Raises:
            ValueError: It is not admissible together with the others.
        """
        if name in vars(self._settings):
            check_values(LearnerSettings, {name: value})
        else:
            replace(self._config, **{name: value})

    # Learning

    def work(self) -> None:
        """Do what is due: updates, weights, records, the end of the run."""
        training = self._training
        if training is None:
            return
        done = 0 if self.paused else training.learn(UPDATES_PER_TURN)
        self._state = self._next_state(training, done)
        now = time.monotonic()
        self._publish_if_due(training, now)
        if self._occasions.due('flush', now, self._settings.flush_period):
            training.replay.flush()
        if self._occasions.due('metrics', now, self._settings.metrics_period) and training.losses:
            training.record()
        if self._occasions.due('checkpoint', now, self._settings.checkpoint_period):
            training.checkpoint()
        if self._occasions.due('hours', now, HOURS_PERIOD):
            self._account.record_hours()
        if self._occasions.due('line', now, 0.5):
            self._account.show(training, self._state)
        self._end_if_exhausted(training, now)

    def _next_state(self, training: Training, done: int) -> int:
        if self.paused:
            return int(LearnerStatus.STATE_PAUSED)
        if done:
            return int(LearnerStatus.STATE_TRAINING)
        if training.transitions < self._config.learning_starts:
            return int(LearnerStatus.STATE_WARMUP)
        return int(LearnerStatus.STATE_PACED)

    def _publish_if_due(self, training: Training, now: float) -> None:
        last, updates = self._published
        if training.updates != updates and now - last >= self._settings.policy_period:
            self._published = (now, training.updates)
            self._publish(training.policies.new(training.sac))

    def _end_if_exhausted(self, training: Training, now: float) -> None:
        limit = self._settings.steps
        if not limit or training.steps < limit or training.updates_are_due():
            return
        if self._ending.exhaust(now):
            self._publish(training.policies.new(training.sac))
        if self._ending.is_over(self._roster.specs, now):
            self._finish(f'the limit of {limit} steps is reached')

    def _finish(self, reason: str) -> None:
        self._metrics.event('finished', reason=reason)
        self._state = int(LearnerStatus.STATE_FINISHED)
        if self._training is not None:
            self._account.show(self._training, self._state, final=True)
        self._log(f'finished: {reason}')
        self.finished = True

    def close(self) -> None:
        """Save everything and write the report."""
        training = self._training
        if training is not None:
            try:
                training.record()
                training.replay.flush()
            except (OSError, ReplayError) as error:
                self.fail(error)
            # From here on nobody looks into the replay any more.
            with self._status_lock:
                self._last_status = self._present_status()
            try:
                training.close()
            except (OSError, ReplayError, CheckpointError) as error:
                self.fail(error)
        self._account.record_hours()
        self._metrics.event('stop', failure=self.failure)
        self._metrics.close()
        settings = self._settings
        try:
            report.write(
                self._run.path,
                label=settings.metric_label,
                paper_steps=settings.paper_steps,
                paper_hours=settings.paper_hours,
            )
        except OSError as error:
            self._log(f'the report is not written: {error}')

    def fail(self, error: Exception, exit_code: int = 1) -> None:
        """Note what went wrong; the first failure counts."""
        self.failure = self.failure or str(error)
        self.exit_code = self.exit_code or exit_code

    # What arrives; only agents that have been taken in are heard

    def on_spec(self, msg: AgentSpec) -> None:
        """Take an agent in, or refuse it; the first one says what is learned."""
        spec = self._roster.read(msg, self.spec_hash)
        if spec is None:
            return
        if self._training is None:
            self._training = Training(spec, self._config, self._settings, self._run, self._metrics)
            now = time.monotonic()
            self._occasions.restart(now)
            self._published = (now, self._training.updates)
            self._publish(self._training.policies.new(self._training.sac))
        self._roster.admit(spec, msg.first_sequence, self._training)

    def on_transition(self, msg: Transition) -> None:
        """Take a transition; one that overtook the spec of its agent waits."""
        if self._training is not None and self._roster.has(msg.agent_id):
            self._training.receive(msg)
        else:
            self._roster.wait(msg)

    def on_episode(self, msg: EpisodeSummary) -> None:
        """Take the summary of an episode."""
        if not self._roster.has(msg.agent_id):
            return
        self._account.episode(msg)
        if msg.evaluation:
            self._ending.tested(time.monotonic())

    def on_evaluation(self, msg: EvaluationSummary) -> None:
        """Take the summary of an evaluation; it may end the run."""
        if self._training is None or not self._roster.has(msg.agent_id):
            return
        text = self._account.evaluation(msg)
        self._ending.evaluated(msg.agent_id, msg.steps, time.monotonic(), solved=msg.solved)
        best = self._training.policies.evaluated(
            msg.policy_version, msg.success_rate, msg.mean_return
        )
        self._log(text + (' (best so far)' if best else ''))
        if self._ending.solved:
            self._finish(f'solved after {msg.steps} steps')

    def on_parameter(self, name: str, value: Any) -> None:
        """Change a live parameter."""
        if name in vars(self._settings):
            self._settings = replace(self._settings, **{name: value})
        else:
            self._config = replace(self._config, **{name: value})
            if self._training is not None:
                self._training.set_parameter(name, value)
        if self._training is not None:
            self._training.note_change('sac_learner', name, value)
        else:
            self._metrics.event('parameter', where='sac_learner', name=name, value=value)

    def on_agent_status(self, msg: AgentStatus) -> None:
        """Take an agent's state: its hours, its policy, and what it was not told is durable."""
        if self._roster.has(msg.agent_id):
            self._account.hours(msg)
            self._ending.owes(msg.agent_id, msg.unacknowledged)
            if self._training is not None:
                self._training.policies.outnumber(msg.policy_version)

    def on_relabel(self, labels: Mapping[str, Labels], done: Callable[[int], None]) -> None:
        """Give transitions new labels; `done` is told how many were there."""
        found = self._training.relabel(labels) if self._training is not None else 0
        self._log(f'{found} transitions have new labels')
        done(found)

    def on_save(self) -> None:
        """Save a checkpoint."""
        if self._training is not None:
            self._training.checkpoint()
