"""The exploration noise behind recorded actions, drawn once more from the recorded seed."""

from typing import Any

import numpy as np
import numpy.typing as npt

from sac_agent.action.smoothing import LatentNoise
from sac_agent.randomness import session_streams
from sac_agent.tools.difference import expect_same

Array = npt.NDArray[np.float64]
SKIPS = 3
"""Steps under way when an episode was cut are not recorded, but drew noise."""


class NoiseSource:
    """The noise of one source, drawn again from the seed of each session.

    A session begins at some episode, and its seed depends on which; `sessions` are the beginnings
    found so far, by this or another source.
    """

    def __init__(self, child: int, sessions: list[int]) -> None:
        """Begin without a session.

        Args:
            child: Which of the generators of a session, in the order of `RandomStreams`.
            sessions: Episodes at which sessions began; shared, and added to.
        """
        self._child = child
        self._sessions = sessions
        self._generator: LatentNoise | None = None
        self._episode = -1

    def configure(self, seed: int, size: int, correlation: float) -> None:
        """Use the recorded configuration from here on."""
        self._seed, self._size, self._correlation = seed, size, correlation
        if self._generator is not None:
            self._generator.correlation = correlation

    def match(self, latent: Any, episode: int) -> Array | None:
        """Return the exact noise whose float32 is `latent`, None if it does not follow.

        Raises:
            DifferenceError: It follows but for an altered number.
        """
        if episode != self._episode:
            self._episode = episode
            return self._search(latent, episode)
        if self._generator is None:
            return None
        noise = self._generator.sample()
        repeated = noise.astype(np.float32)
        if np.array_equal(repeated, latent):
            return noise
        if repeated.shape == latent.shape and _alike(repeated, latent):
            expect_same('latent', latent, repeated, 'what the seed gives')
        # Other noise altogether: a setting changed, or steps between were not recorded.
        self._generator = None
        return None

    def _search(self, latent: Any, episode: int) -> Array | None:
        if not self._sessions:
            self._sessions.append(episode)
        candidates = [(-1, self._generator)] if self._generator is not None else []
        for start in dict.fromkeys((episode, *reversed(self._sessions))):
            candidates.append((start, self._fresh(start)))
        for start, generator in candidates:
            for _ in range(SKIPS):
                generator.reset()
                noise = generator.sample()
                if np.array_equal(noise.astype(np.float32), latent):
                    self._generator = generator
                    if start >= 0 and start not in self._sessions:
                        self._sessions.append(start)
                    return noise
        self._generator = None
        return None

    def _fresh(self, start: int) -> LatentNoise:
        rng = session_streams(self._seed, start)[self._child]
        return LatentNoise(self._size, self._correlation, rng)


def _alike(repeated: Any, latent: Any) -> bool:
    """Return whether numbers are the same but for some: altered, not drawn otherwise."""
    if np.count_nonzero(repeated == latent) * 2 >= repeated.size:
        return True
    return bool(np.allclose(repeated, latent, atol=1e-3))
