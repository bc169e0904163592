"""Sensor values to what the policy sees: the vector, and the image beside it."""

import numpy.typing as npt

from sac_agent.config import ObservationConfig
from sac_agent.layout import SensorLayout
from sac_agent.observation.builder import ObservationBuilder
from sac_agent.observation.image import ImageDelay
from sac_agent.records import Observed, Sample
from sac_agent.tasks.task import Task


class Observer:
    """Makes one observation per control step, vector and image equally late.

    Attributes:
        names: One per element of the vector.
    """

    def __init__(
        self,
        config: ObservationConfig,
        layout: SensorLayout,
        action_names: tuple[str, ...],
        task: Task,
    ) -> None:
        """Resolve all names; raises as `ObservationBuilder`."""
        self._builder = ObservationBuilder(config, layout, action_names, task)
        self._images = ImageDelay(config.delay)
        self.names = self._builder.names

    def reset(self) -> None:
        """Begin a new episode."""
        self._builder.reset()
        self._images.clear()

    def remember(self, action: npt.ArrayLike) -> None:
        """Note the action between the last and the next observation, (A,)."""
        self._builder.remember(action)

    def observe(self, sample: Sample) -> Observed:
        """Take the next sensor values; return what the policy sees of them."""
        image = None if sample.image is None else self._images.push(sample.image)
        return Observed(sample.stamp, self._builder.push(sample.raw), image, sample.raw)
