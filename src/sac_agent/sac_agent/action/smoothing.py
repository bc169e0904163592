"""Exploration noise that is smooth in time and, at every step, still standard normal."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


class LatentNoise:
    """First-order autoregressive noise, one independent channel per action element.

    ``x[0] ~ N(0, 1)``, ``x[t] = c x[t-1] + sqrt(1 - c^2) e[t]`` with ``e[t] ~ N(0, 1)``: variance
    one from the first step on, lag-one correlation `c`. An action ``tanh(mean + std * x)`` is
    therefore a sample of the policy at every single step.

    Attributes:
        correlation: c, in [0, 1); may change at any time, the variance stays one.
    """

    def __init__(self, size: int, correlation: float, rng: np.random.Generator) -> None:
        """Begin at the start of an episode."""
        self.correlation = correlation
        self._size = size
        self._rng = rng
        self._state: Array | None = None

    def reset(self) -> None:
        """Start a new episode: the next sample depends on nothing before."""
        self._state = None

    def sample(self) -> Array:
        """Return the next noise, shape (size,)."""
        fresh = self._rng.standard_normal(self._size)
        if self._state is None:
            self._state = fresh
        else:
            keep = self.correlation
            self._state = keep * self._state + np.sqrt(1.0 - keep * keep) * fresh
        return self._state.copy()
