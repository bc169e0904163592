"""Updates on what bags hold, with evaluations in the twin in between.

The run directory this leaves is that of any run: a launch file goes on in it with a robot, and
keeps data, weights and optimisers.
"""

from collections.abc import Callable
import contextlib
from dataclasses import asdict, dataclass
from pathlib import Path
import sys
import time
from typing import Any

import yaml

from sac_core.bag import BagError
from sac_core.spec import AgentSpec
from sac_learner.checkpoint import CheckpointError
from sac_learner.command_line import CommandError, interruptible, say
from sac_learner.intake import bags
from sac_learner.intake.given import Given
from sac_learner.offline.twin import AUTO, Twin
from sac_learner.replay import ReplayError
from sac_learner.run.directory import RunDirectory, RunDirectoryError, write_text
from sac_learner.run.metrics import Metrics
from sac_learner.run.progress import Occasions, Progress, ProgressLine
from sac_learner.sac.agent import DivergenceError
from sac_learner.sac.config import SacConfig
from sac_learner.settings import LearnerSettings
from sac_learner.training.training import Training

FAILURE = 1
NODE = 'sac_learner'
GO_ON = 'go_on.yaml'  # in the run directory
UPDATES_PER_TURN = 50
TWIN = 'twin'  # name of the twin among the agents of a run


@dataclass(frozen=True)
class OfflineSettings:
    """What learning from bags has besides the settings of every learner.

    Attributes:
        bags: In the order of recording.
        updates: Gradient updates of the whole run.
        environment: Twin to evaluate in: an environment, ``auto`` or ``none``.
        evaluate_every: Updates between two evaluations, 0: none.
        episodes: Deterministic episodes of each.
        solved: Success rate from which the twin's task counts as solved.
    """

    bags: tuple[str, ...]
    updates: int = 100_000
    environment: str = AUTO
    evaluate_every: int = 10_000
    episodes: int = 50
    solved: float = 0.9


@dataclass(frozen=True)
class Plan:
    """What the command line asks for."""

    path: Path
    offline: OfflineSettings
    sac: SacConfig
    learner: LearnerSettings


def go_on(sac: SacConfig) -> str:
    """Return the settings with which a robot goes on with the run, as a ROS parameter file.

    All settings of the algorithm are there, whatever the robot's own file says of them, and the
    policy acts from the first step.
    """
    settings = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(sac).items()
    }
    return '# Go on with a robot where learning from bags has ended.\n' + yaml.safe_dump(
        {
            f'/**/{NODE}': {'ros__parameters': settings},
            '/**/sac_agent': {'ros__parameters': {'warmup': {'steps': 0}}},
        }
    )


def learn(plan: Plan) -> int:
    """Learn from bags and save, also when interrupted; return the exit status.

    Raises:
        CommandError: Bags, twin and run directory do not go together.
    """
    with contextlib.ExitStack() as stack:
        try:
            spec = bags.common_spec([Path(name) for name in plan.offline.bags])
            directory = RunDirectory(plan.path)
            twin = Twin.find(plan.offline.environment, spec, directory.path)
            if twin is not None:
                stack.callback(twin.close)
            directory.record_environment(plan.learner.seed, _configuration(plan))
            directory.record_agent(spec.agent_id, spec.config)
            write_text(directory.path / GO_ON, go_on(plan.sac))
            metrics = Metrics(directory.path, tensorboard=plan.learner.tensorboard)
            stack.callback(metrics.close)
            training = Training(spec, plan.sac, plan.learner, directory, metrics)
        except (BagError, RunDirectoryError, ReplayError, CheckpointError, ValueError) as error:
            raise CommandError(str(error)) from error
        metrics.event('start', seed=plan.learner.seed, bags=plan.offline.bags)
        stopped = stack.enter_context(interruptible())
        study = Study(plan, spec, training, metrics, twin)
        return _saved(plan, training, metrics, lambda: study.run(stopped))


def _configuration(plan: Plan) -> dict[str, Any]:
    offline = {**asdict(plan.offline), 'bags': list(plan.offline.bags)}
    return {'learner': asdict(plan.learner), 'sac': asdict(plan.sac), 'offline': offline}


def _saved(plan: Plan, training: Training, metrics: Metrics, learn: Callable[[], bool]) -> int:
    """Learn and save, whatever ends it; return the exit status."""
    failure = ''
    try:
        if learn():
            metrics.event('finished', reason=f'{training.updates} updates')
        training.record()
        training.close()
    except (BagError, DivergenceError, CheckpointError, ReplayError, OSError) as error:
        failure = str(error)
        with contextlib.suppress(ReplayError, OSError):
            training.replay.close()  # the last good checkpoint stays the newest one
    metrics.event('stop', failure=failure)
    if failure:
        sys.stderr.write(f'offline: {failure}\n')
        return FAILURE
    say(f'go on with a robot: resume:={plan.path} settings:={plan.path / GO_ON}')
    return 0


class Study:
    """Updates on what the bags hold, with evaluations in between."""

    def __init__(
        self,
        plan: Plan,
        spec: AgentSpec,
        training: Training,
        metrics: Metrics,
        twin: Twin | None,
    ) -> None:
        """Prepare; `training` is that of the run directory."""
        self._plan, self._spec = plan, spec
        self._training, self._metrics, self._twin = training, metrics, twin
        self._progress = Progress(plan.offline.updates, unit='updates', state='')
        self._line = ProgressLine(say)
        self._occasions = Occasions(('checkpoint', 'metrics', 'line'), time.monotonic())

    def run(self, stopped: Callable[[], bool]) -> bool:
        """Learn until the updates are done; return whether they are.

        Raises:
            BagError: A bag is damaged.
            DivergenceError: The numbers are no longer finite.
            ReplayError: There is no room.
            OSError: The disk does not take a record.
        """
        training, settings = self._training, self._plan.offline
        given = self._fill()
        if training.replay.size < 1:
            raise BagError(f'{" ".join(settings.bags)}: there are no transitions to learn from')
        where = f'evaluated in {self._twin.name}' if self._twin else 'not evaluated'
        say(
            f'{given.transitions} transitions of {self._spec.agent_id}, task {self._spec.task}, '
            f'update {training.sac.backend}, {where}'
        )
        every = settings.evaluate_every
        while training.updates < settings.updates:
            if stopped():
                return False
            left = settings.updates - training.updates
            if every:
                left = min(left, every - training.updates % every)
            training.study(min(UPDATES_PER_TURN, left))
            self._look()
            ended = training.updates == settings.updates
            if every and (ended or training.updates % every == 0) and not self._test(stopped):
                return False
        self._show(final=True)
        return True

    def _fill(self) -> Given:
        def reading(done: int, count: int) -> None:
            self._line.show(f'reading bags: {done} of {count} transitions')

        paths = [Path(name) for name in self._plan.offline.bags]
        return self._training.begin_with(paths, reading)

    def _test(self, stopped: Callable[[], bool]) -> bool:
        """Evaluate; return whether the episodes were finished."""
        training, settings = self._training, self._plan.offline
        if self._twin is None:
            return True
        self._progress.state = 'evaluating'
        self._show()
        summary = self._twin.evaluate(
            lambda vector, image: training.sac.act(vector, image, deterministic=True),
            settings.episodes,
            self._plan.learner.seed,
            stopped,
        )
        self._progress.state = ''
        if summary is None:
            return False
        policy = training.policies.new(training.sac)
        best = training.policies.evaluated(
            policy.version, summary.success_rate, summary.mean_return
        )
        record = {
            'agent': TWIN,
            'steps': training.steps,
            'updates': training.updates,
            'policy_version': policy.version,
            'episodes': len(summary.episodes),
            'success_rate': summary.success_rate,
            'return': summary.mean_return,
            'solved': summary.success_rate >= settings.solved,
            'robot_time': 0.0,
        }
        self._metrics.evaluation(record, summary.metrics)
        self._progress.evaluated = f'evaluation {summary.success_rate:.0%} success'
        note = ' (best so far)' if best else ''
        say(f'evaluation after {training.updates} updates: {summary.text()}{note}')
        return True

    def _look(self) -> None:
        """Do what is due by the clock."""
        settings, training, now = self._plan.learner, self._training, time.monotonic()
        if self._occasions.due('metrics', now, settings.metrics_period):
            training.record()
        if self._occasions.due('checkpoint', now, settings.checkpoint_period):
            training.checkpoint()
        if self._occasions.due('line', now, 0.5):
            self._show()

    def _show(self, *, final: bool = False) -> None:
        training, progress = self._training, self._progress
        progress.observe(training.updates, time.monotonic())
        progress.updates_per_second = training.updates_per_second
        self._line.show(progress.line(), final=final)
