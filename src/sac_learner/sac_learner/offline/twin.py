"""Evaluation in the simulated twin of the robot whose data are learned from.

The twin is one of the Gymnasium environments that the robots' packages make known, with the
configuration that the bag recorded. It is found by name, so nothing is imported from there.
"""

from collections.abc import Callable
from pathlib import Path

import yaml

from sac_core.spec import AgentSpec
from sac_learner.command_line import CommandError
from sac_learner.gym import environment
from sac_learner.gym.episodes import Act, play, Summary
from sac_learner.run.directory import write_text

NONE, AUTO = 'none', 'auto'
CONFIG = 'twin.yaml'  # in the run directory


class Twin:
    """Plays deterministic episodes of a policy that is being learned."""

    def __init__(self, name: str, spec: AgentSpec, run_dir: Path) -> None:
        """Make the twin.

        Args:
            name: Environment, as for ``gymnasium.make``.
            spec: Of the bag.
            run_dir: Where its configuration is kept for the environment to read.

        Raises:
            CommandError: It cannot be made, or has other observations or actions.
        """
        config = run_dir / CONFIG
        parameters = {'ros__parameters': yaml.safe_load(spec.config)}
        write_text(config, yaml.safe_dump({'/**/sac_agent': parameters}))
        self._env = environment.make(name, evaluation=True, config=str(config))
        names = tuple(getattr(self._env.unwrapped, 'observation_names', ()))
        self._interface = environment.Interface.of(self._env)
        if names != spec.observation.names or self._interface.low.size != spec.action_size:
            self._env.close()
            raise CommandError(
                f'{name} has {len(names)} observations and {self._interface.low.size} actions, '
                f'the bag of {spec.agent_id!r} has {len(spec.observation.names)} and '
                f'{spec.action_size}, or they are others; --environment none does without a twin'
            )
        self.name = name

    @classmethod
    def find(cls, wanted: str, spec: AgentSpec, run_dir: Path) -> 'Twin | None':
        """Return the twin that is wanted by name; with ``auto`` that of the robot, if any.

        Raises:
            CommandError: The one that is named does not fit.
        """
        if wanted == NONE:
            return None
        if wanted != AUTO:
            return cls(wanted, spec, run_dir)
        try:
            candidates = environment.ours()
        except CommandError:
            return None
        for name in candidates:
            try:
                return cls(name, spec, run_dir)
            except CommandError:
                continue  # another robot
        return None

    def evaluate(
        self, act: Act, episodes: int, seed: int, stopped: Callable[[], bool] = lambda: False
    ) -> Summary | None:
        """Play deterministic episodes; None when stopped before their end.

        Args:
            act: Returns an action in [-1, 1] for a vector (V,) and an image.
            episodes: At least 1.
            seed: Of the first one; the same seed gives the same goals.
            stopped: Asked at every step.
        """
        return play(self._env, self._interface, act, episodes, seed=seed, stopped=stopped)

    def close(self) -> None:
        """Let go of the simulation."""
        self._env.close()
