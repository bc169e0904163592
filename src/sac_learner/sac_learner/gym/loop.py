"""The training loop: one step of the environment, then the updates that are due."""

from collections.abc import Callable
from dataclasses import dataclass, field
import math
import time
from typing import Any

import numpy as np

from sac_learner.gym.display import Display
from sac_learner.gym.environment import (
    Environment,
    episode_seed,
    exploration_noise,
    Interface,
    STREAM,
    Vector,
)
from sac_learner.gym.episodes import Episode, play, Recorder, Summary
from sac_learner.intake.intake import Verdict
from sac_learner.intake.transitions import stream_key
from sac_learner.replay import ReplayTransition
from sac_learner.run.metrics import Metrics
from sac_learner.run.progress import Occasions, Progress
from sac_learner.settings import LearnerSettings
from sac_learner.training.training import Training

TRAINING, TESTING, WARMUP, NOISE = range(4)  # roles of random numbers
LOOK = 0.25  # [s] between two looks at what is due by the clock


class RefusedError(RuntimeError):
    """The environment gave numbers that cannot be learned from, or they cannot be stored."""


@dataclass(frozen=True)
class GymSettings:
    """What a run on Gymnasium has besides the settings of every learner.

    Attributes:
        env: Environment, as for ``gymnasium.make``.
        register: ``module:function`` that makes environments known, or ''.
        options: Further arguments of the environment.
        eval_every: Steps between two evaluations, 0: none.
        eval_episodes: Deterministic episodes of each.
        solved_success_rate: Share of them that must succeed for the task to be solved; 0: the
            environment's own threshold of the return decides, where it has one.
        action_low: Least actions of the environment, for `export`.
        action_high: Largest actions.
    """

    env: str
    register: str = ''
    options: dict[str, Any] = field(default_factory=dict)
    eval_every: int = 5000
    eval_episodes: int = 10
    solved_success_rate: float = 0.0
    action_low: tuple[float, ...] = field(default=())
    action_high: tuple[float, ...] = field(default=())


class Loop:
    """Learns on one environment until it is solved, its steps are used up or someone stops it."""

    def __init__(
        self,
        env: Environment,
        testing: Environment,
        interface: Interface,
        training: Training,
        metrics: Metrics,
        display: Display,
        settings: LearnerSettings,
        gym: GymSettings,
    ) -> None:
        """Continue where `training` is; the environment begins a new episode."""
        self._env, self._testing, self._interface = env, testing, interface
        self._training, self._metrics, self._display = training, metrics, display
        self._settings, self._gym = settings, gym
        self._stream = stream_key(gym.env, STREAM)
        self._sequence = training.replay.received().get(self._stream, 0)
        start = training.transitions
        self._random = np.random.default_rng([settings.seed, 2 + WARMUP, start])
        noise = np.random.default_rng([settings.seed, 2 + NOISE, start])
        self._noise = exploration_noise(env, noise)
        self._seeds = {r: episode_seed(settings.seed, r, start) for r in (TRAINING, TESTING)}
        self._episodes = 0
        self._recorder = Recorder()
        self._threshold = getattr(env.spec, 'reward_threshold', None)
        self._solved_in_a_row = 0
        self._progress = Progress(limit=settings.steps, state='')
        now = time.monotonic()
        self._occasions = Occasions(('checkpoint', 'metrics'), now)
        self._looked = now

    def run(self, stopped: Callable[[], bool]) -> str:
        """Learn; return why the run is complete, '' where it was stopped.

        Args:
            stopped: Asked at every step; True ends the loop.

        Raises:
            RefusedError: A transition could not be taken.
            DivergenceError: Learning produced numbers that are not finite.
        """
        training, every, limit = self._training, self._gym.eval_every, self._settings.steps
        evaluated = training.transitions
        observed = self._reset(self._seeds[TRAINING])
        fresh = True
        while training.transitions < limit and not self._done() and not stopped():
            observed, fresh = self._step(*observed, fresh=fresh)
            while training.learn(training.sac.config.policy_interval) and not stopped():
                self._look()  # after a crash there may be many
            steps = training.transitions
            if every and steps % every == 0 and self._evaluate(stopped):
                evaluated = steps
            self._look()
        complete = training.transitions >= limit
        if complete and every and evaluated != training.transitions:
            self._evaluate(stopped)
        reason = f'{training.transitions} steps' if complete else ''
        if self._done():
            reason = f'solved after {training.transitions} steps'
        self._progress.state = 'finished' if reason else 'stopped'
        self._show(final=True)
        return reason

    def _done(self) -> bool:
        """Return whether the newest evaluations say solved, as many as end the run."""
        settings = self._settings
        return settings.stop_when_solved and self._solved_in_a_row >= settings.solved_in_a_row

    def _reset(self, seed: int | None = None) -> tuple[Vector, Any]:
        observation, _ = self._env.reset(seed=seed)
        if self._noise is not None:
            self._noise.reset()
        return self._interface.observe(observation)

    def _step(self, vector: Vector, image: Any, *, fresh: bool) -> tuple[tuple[Vector, Any], bool]:
        """Act once; return what is seen now and whether it begins an episode."""
        training = self._training
        noise = None if self._noise is None else self._noise.sample()
        if training.transitions >= training.sac.config.warmup_steps:
            action = training.sac.act(vector, image, noise=noise)
        elif noise is None:
            action = self._random.uniform(-1.0, 1.0, self._interface.low.size).astype(np.float32)
        else:  # the normal distribution function makes normal noise uniform
            action = np.array([math.erf(x / math.sqrt(2.0)) for x in noise], np.float32)
        observation, reward, terminated, truncated, info = self._env.step(
            self._interface.scale(action)
        )
        # The final observation of an episode, before any reset: a time-out keeps its value.
        following = self._interface.observe(observation)
        self._store(
            ReplayTransition(
                sequence=self._sequence + 1,
                vector=vector,
                image=image if fresh else None,
                action=action,
                reward=float(reward),
                next_vector=following[0],
                next_image=following[1],
                terminated=terminated,
                truncated=truncated and not terminated,
                segment_start=fresh,
            )
        )
        episode = self._recorder.step(float(reward), terminated, truncated, info)
        if episode is None:
            return following, False
        self._record(episode)
        return self._reset(), True

    def _store(self, transition: ReplayTransition) -> None:
        intake = self._training.intake
        if intake.offer(self._stream, transition) is not Verdict.ACCEPTED:
            raise RefusedError(f'step {self._training.transitions + 1}: {intake.last_reason}')
        self._sequence += 1

    def _evaluate(self, stopped: Callable[[], bool]) -> bool:
        """Play deterministic episodes; return whether they were finished."""
        training, gym = self._training, self._gym
        self._progress.state = 'evaluating'
        self._show()
        begin = time.monotonic()
        summary = play(
            self._testing,
            self._interface,
            lambda vector, image: training.sac.act(vector, image, deterministic=True),
            gym.eval_episodes,
            seed=self._seeds.pop(TESTING, None),
            stopped=stopped,
        )
        self._progress.state = ''
        if summary is None:
            return False
        policy = training.policies.new(training.sac)
        sign = 1.0 if training.sac.config.objective == 'maximise' else -1.0
        best = training.policies.evaluated(
            policy.version, summary.success_rate, sign * summary.mean_return
        )
        steps, solved = training.transitions, self._solved(summary)
        self._solved_in_a_row = self._solved_in_a_row + 1 if solved else 0
        record = {
            'agent': gym.env,
            'steps': steps,
            'policy_version': policy.version,
            'episodes': len(summary.episodes),
            'success_rate': summary.success_rate,
            'return': summary.mean_return,
            'returns': [episode.total for episode in summary.episodes],
            'solved': solved,
            'robot_time': sum(e.length for e in summary.episodes) * self._interface.control_period,
            'wall_time': time.monotonic() - begin,
        }
        self._metrics.evaluation(record, summary.metrics)
        self._progress.evaluated = f'evaluation {summary.mean_return:.1f}'
        note = ' (best so far)' if best else ''
        self._display.log(f'evaluation after {steps} steps: {summary.text()}{note}')
        return True

    def _solved(self, summary: Summary) -> bool:
        if self._gym.solved_success_rate:
            return summary.success_rate >= self._gym.solved_success_rate
        return self._threshold is not None and summary.mean_return >= self._threshold

    def _record(self, episode: Episode) -> None:
        self._episodes += 1
        record = {
            'agent': self._gym.env,
            'episode': self._episodes,
            'evaluation': False,
            'steps': self._training.transitions,
            'length': episode.length,
            'duration': episode.length * self._interface.control_period,
            'return': episode.total,
            'success': episode.success,
            'terminated': episode.terminated,
            'truncation_reason': '' if episode.terminated else 'time_limit',
            'policy_version': self._training.policies.version,
        }
        self._metrics.episode(record, episode.metrics)
        self._progress.episodes += 1
        self._progress.returns.append(episode.total)

    def _look(self) -> None:
        """Do what is due by the clock.

        The replay is flushed with each checkpoint only: nobody waits to hear what is durable, and
        each flush would hold learning up until the disk has it.
        """
        now = time.monotonic()
        if now - self._looked < LOOK:
            return
        self._looked = now
        settings, training = self._settings, self._training
        if training.losses and self._occasions.due('metrics', now, settings.metrics_period):
            training.record()
        if self._occasions.due('checkpoint', now, settings.checkpoint_period):
            training.checkpoint()
        self._show()

    def _show(self, *, final: bool = False) -> None:
        training, progress = self._training, self._progress
        progress.observe(training.transitions, time.monotonic())
        progress.updates = training.updates
        progress.updates_per_second = training.updates_per_second
        progress.update_to_data = training.update_to_data
        self._display.show(progress, final=final)
