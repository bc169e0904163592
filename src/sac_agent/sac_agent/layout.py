"""Names of raw sensor values: one flat vector per instant, addressed by source and name.

A source is ``sensor.field``, an element ``sensor.field[name]``; so tasks, live and offline, read
the same vector, and a bag explains itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from sac_agent.errors import ConfigError

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class SensorLayout:
    """Where each raw sensor value is.

    Attributes:
        names: Element names, ``source[name]``, in the order of the vector.
    """

    names: tuple[str, ...]

    @property
    def size(self) -> int:
        """Number of values."""
        return len(self.names)

    @cached_property
    def sources(self) -> dict[str, dict[str, int]]:
        """Element name to index, by source."""
        sources: dict[str, dict[str, int]] = {}
        for index, name in enumerate(self.names):
            source, _, element = name.removesuffix(']').partition('[')
            sources.setdefault(source, {})[element] = index
        return sources

    def elements(self, source: str) -> tuple[str, ...]:
        """Return the element names of a source.

        Raises:
            ConfigError: There is no such source.
        """
        if source not in self.sources:
            raise ConfigError(
                f'sensor source {source!r} is unknown; there are {", ".join(self.sources)}'
            )
        return tuple(self.sources[source])

    def indices(self, source: str, names: Sequence[str] = ()) -> Indices:
        """Return where elements of a source are, all of them when no names are given.

        Raises:
            ConfigError: Source or name is unknown.
        """
        present = self.elements(source)
        for name in names:
            if name not in present:
                raise ConfigError(
                    f'{source} has no element {name!r}; there are {", ".join(present)}'
                )
        return np.array([self.sources[source][name] for name in names or present], dtype=np.intp)

    def index(self, source: str, name: str = '') -> int:
        """Return where one element is; the name may be left out where there is only one.

        Raises:
            ConfigError: Source or name is unknown, or a name is needed.
        """
        found = self.indices(source, (name,) if name else ())
        if len(found) != 1:
            raise ConfigError(f'name one element of {source}: {", ".join(self.elements(source))}')
        return int(found[0])
