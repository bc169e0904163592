"""What differs between episodes, so that a policy relies on no single robot and floor.

Each time the simulated robot is put in place, the mass of its body, the strength of its motors and
the friction of its feet are drawn anew; while it walks it is pushed, in any direction and anywhere
on its body, which tilts it as well. All of it grows from nothing while the robot learns: who is
pushed before he can walk learns to stand. The floor stays as flat as it is. Ranges of mass, motors
and friction: bulletphysics/bullet3, randomizers of the Minitaur; pushes and growth are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LARGEST_SCALE = 2.0  # mass and strength stay well above 0


@dataclass(frozen=True)
class Ranges:
    """How much may differ; the scale of an episode multiplies all but the times."""

    mass: float = 0.2  # of the body, more or less by up to this share
    strength: float = 0.2  # of the motors, more or less by up to this share
    friction: float = 0.4  # less by up to this share
    push: float = 20.0  # force on the body, in any direction; its weight is 73 N [N]
    # Where, from its middle, either way [m].
    reach: tuple[float, float, float] = (0.25, 0.12, 0.05)
    shortest: float = 0.2  # push, and pause after it [s]
    longest: float = 1.5  # push, and pause after it [s]
    quiet: float = 1.0  # no push while the robot gets onto its feet [s]
    growth: float = 200.0  # perturbed time until the scale is in full; 0: at once [s]


@dataclass(frozen=True)
class Drawn:
    """One robot; shares of its nominal values."""

    mass: float = 1.0
    strength: float = 1.0
    friction: float = 1.0


class Perturbation:
    """Draws the robot of each episode, and the pushes within it.

    Attributes:
        force: On the body now, in the world frame (3,) [N].
        point: Where, in the frame of the body (3,) [m].
    """

    def __init__(self, random: np.random.Generator, ranges: Ranges | None = None) -> None:
        """Begin unperturbed; what restarts grows anew."""
        self._random = random
        self._ranges = ranges or Ranges()
        self._wanted = self._scale = 0.0
        self._time = 0.0
        self._left = 0.0
        self.force, self.point = np.zeros(3), np.zeros(3)

    @property
    def active(self) -> bool:
        """Whether this episode is perturbed."""
        return self._wanted > 0.0

    def begin(self, scale: float) -> Drawn:
        """Begin an episode; nothing is drawn at scale 0.

        Args:
            scale: Of the perturbation once it has grown.

        Raises:
            ValueError: The scale is not in [0, 2].
        """
        if not 0.0 <= scale <= LARGEST_SCALE:
            raise ValueError(f'perturb must be in [0, {LARGEST_SCALE}], got {scale}')
        growth = self._ranges.growth
        self._wanted = scale
        scale = self._scale = scale * (min(1.0, self._time / growth) if growth > 0.0 else 1.0)
        self._left = self._ranges.quiet
        self.force = np.zeros(3)
        if not self.active:
            return Drawn()
        ranges, uniform = self._ranges, self._random.uniform
        return Drawn(
            mass=1.0 + scale * ranges.mass * uniform(-1.0, 1.0),
            strength=1.0 + scale * ranges.strength * uniform(-1.0, 1.0),
            friction=1.0 - scale * ranges.friction * uniform(0.0, 1.0),
        )

    def advance(self, duration: float) -> None:
        """Let time [s] go by: pushes and pauses take turns."""
        self._time += duration
        self._left -= duration
        if self._left > 0.0:
            return
        ranges, uniform = self._ranges, self._random.uniform
        self._left = uniform(ranges.shortest, ranges.longest)
        if self.force.any():
            self.force = np.zeros(3)
            return
        direction = self._random.normal(size=3)
        newtons = self._scale * ranges.push * np.sqrt(uniform(0.0, 1.0))  # seldom weak
        self.force = newtons * direction / np.linalg.norm(direction)
        self.point = np.array(ranges.reach) * uniform(-1.0, 1.0, 3)
