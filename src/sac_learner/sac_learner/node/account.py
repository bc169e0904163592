"""What agents tell of their episodes and their time: to metrics, and to the line on the screen."""

from collections.abc import Callable
import time

from sac_msgs.msg import AgentStatus, EpisodeSummary, EvaluationSummary, LearnerStatus

from sac_learner.run.metrics import Metrics
from sac_learner.run.progress import Progress, ProgressLine
from sac_learner.training.training import Training

_STATES = {
    LearnerStatus.STATE_WARMUP: 'warm-up',
    LearnerStatus.STATE_PAUSED: 'paused',
    LearnerStatus.STATE_FINISHED: 'finished',
}


class Account:
    """Keeps the run's books."""

    def __init__(self, metrics: Metrics, limit: int, log: Callable[[str], None]) -> None:
        """Begin a run.

        Args:
            metrics: Where everything is recorded.
            limit: Training steps at which the run ends, 0 for none.
            log: Takes the progress line where nobody watches a terminal.
        """
        self._metrics = metrics
        self._progress = Progress(limit=limit)
        self._line = ProgressLine(log)
        self._hours: dict[str, dict[str, float]] = {}  # by agent, since they were recorded last

    def episode(self, msg: EpisodeSummary) -> None:
        """Record an episode."""
        values = dict(zip(msg.metric_names, map(float, msg.metric_values), strict=False))
        record = {
            'agent': msg.agent_id,
            'episode': msg.episode,
            'evaluation': msg.evaluation,
            'steps': msg.steps,
            'length': msg.length,
            'duration': msg.duration,
            'return': msg.episode_return,
            'success': msg.success,
            'terminated': msg.terminated,
            'truncation_reason': msg.truncation_reason,
            'policy_version': msg.policy_version,
        }
        self._metrics.episode(record, values)
        if msg.evaluation:
            return
        self._progress.episodes += 1
        self._progress.returns.append(msg.episode_return)
        if values:
            self._progress.metric, value = next(iter(values.items()))
            self._progress.metrics.append(value)

    def evaluation(self, msg: EvaluationSummary) -> str:
        """Record an evaluation, and return it in words."""
        values = dict(zip(msg.metric_names, map(float, msg.metric_values), strict=False))
        record = {
            'agent': msg.agent_id,
            'steps': msg.steps,
            'policy_version': msg.policy_version,
            'episodes': msg.episodes,
            'success_rate': msg.success_rate,
            'return': msg.mean_return,
            'solved': msg.solved,
            'robot_time': msg.robot_time,
        }
        self._metrics.evaluation(record, values)
        self._progress.evaluated = f'evaluation {msg.success_rate:.0%} success'
        metrics = ', '.join(f'{k.replace("_", " ")} {v:.3f}' for k, v in values.items())
        return (
            f'evaluation after {msg.steps} steps: {msg.success_rate:.0%} success, '
            f'return {msg.mean_return:.1f}, {metrics}'
        )

    def hours(self, msg: AgentStatus) -> None:
        """Note how an agent has spent its time [s] so far."""
        hours = {
            kind: round(getattr(msg, f'{kind}_time') / 3600.0, 6)
            for kind in ('acting', 'resetting', 'waiting', 'human', 'fault')
        }
        counts = {'steps': msg.steps, 'deadline_misses': msg.deadline_misses}
        self._hours[msg.agent_id] = hours | counts

    def record_hours(self) -> None:
        """Record the robot hours that were noted since the last time."""
        for agent, values in self._hours.items():
            self._metrics.hours(agent, values)
        self._hours.clear()

    def show(self, training: Training, state: int, *, final: bool = False) -> None:
        """Show how far the run is."""
        progress = self._progress
        progress.observe(training.steps, time.monotonic())
        progress.updates = training.updates
        progress.updates_per_second = training.updates_per_second
        progress.update_to_data = training.update_to_data
        progress.state = _STATES.get(state, '')
        self._line.show(progress.line(), final=final)
