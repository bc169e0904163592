"""Episodes of a policy that does not learn meanwhile."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
import statistics
from typing import Any

import numpy as np

from sac_learner.gym.environment import Environment, Image, Interface, Vector

Act = Callable[[Vector, Image | None], Vector]


@dataclass(frozen=True)
class Episode:
    """One ended episode; `metrics` are what the environment says only at its end."""

    total: float
    length: int
    terminated: bool
    success: bool
    metrics: dict[str, float]


@dataclass(frozen=True)
class Summary:
    """Several episodes together."""

    episodes: tuple[Episode, ...]

    @property
    def mean_return(self) -> float:
        """Mean of the returns."""
        return statistics.fmean(e.total for e in self.episodes)

    @property
    def success_rate(self) -> float:
        """Share of the episodes that the environment calls successful."""
        return statistics.fmean(e.success for e in self.episodes)

    @property
    def metrics(self) -> dict[str, float]:
        """Median of each metric."""
        names = self.episodes[0].metrics
        return {
            name: statistics.median(e.metrics[name] for e in self.episodes if name in e.metrics)
            for name in names
        }

    def text(self) -> str:
        """Return one line."""
        returns = [e.total for e in self.episodes]
        deviation = statistics.stdev(returns) if len(returns) > 1 else 0.0
        parts = [
            f'return {self.mean_return:.2f} ± {deviation:.2f}',
            f'least {min(returns):.2f}, largest {max(returns):.2f}',
            f'length {statistics.fmean(e.length for e in self.episodes):.1f}',
        ]
        if self.metrics or any(e.success for e in self.episodes):
            parts.append(f'success {self.success_rate:.0%}')
        parts += [f'{name.replace("_", " ")} {v:.4g}' for name, v in self.metrics.items()]
        return ', '.join(parts)


class Recorder:
    """Adds up one episode, step by step."""

    def __init__(self) -> None:
        """Begin the first episode."""
        self._total, self._length, self._known = 0.0, 0, frozenset[str]()

    def step(
        self, reward: float, terminated: bool, truncated: bool, info: Mapping[str, Any]
    ) -> Episode | None:
        """Take what a step returned; return the episode with its last one."""
        self._total += float(reward)
        self._length += 1
        if not (terminated or truncated):
            self._known = frozenset(info)
            return None
        success = bool(info.get('is_success', info.get('success', False)))
        metrics = {
            name: float(value)
            for name, value in info.items()
            if name not in self._known
            and isinstance(value, (int, float, np.number))
            and not isinstance(value, bool)
        }
        episode = Episode(self._total, self._length, terminated, success, metrics)
        self._total, self._length = 0.0, 0
        return episode


def play(
    env: Environment,
    interface: Interface,
    act: Act,
    count: int,
    *,
    seed: int | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Summary | None:
    """Play whole episodes.

    Args:
        env: Where.
        interface: Its layout.
        act: Returns an action in [-1, 1] for a vector (V,) and an image.
        count: Episodes, at least 1.
        seed: Seed of the first one; None goes on with the environment's own generator.
        stopped: Asked at every step; True ends without a result.
    """
    recorder, episodes = Recorder(), []
    for index in range(count):
        observation, _ = env.reset(seed=seed if index == 0 else None)
        episode = None
        while episode is None:
            if stopped():
                return None
            action = interface.scale(act(*interface.observe(observation)))
            observation, reward, terminated, truncated, info = env.step(action)
            episode = recorder.step(float(reward), terminated, truncated, info)
        episodes.append(episode)
    return Summary(tuple(episodes))
