"""What an agent tells about its steps, episodes and evaluations; fields as in sac_msgs."""

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Image = npt.NDArray[np.uint8]


class Source(IntEnum):
    """Who chose an action, as in Transition.msg."""

    POLICY = 0
    UNIFORM = 1
    MEAN = 2
    HUMAN = 3
    HOLD = 4


class Truncation(IntEnum):
    """Why an episode was cut, as in Transition.msg."""

    NONE = 0
    TIME_LIMIT = 1
    STALE_SENSOR = 2
    OPERATOR = 3
    FAULT = 4
    SHUTDOWN = 5


@dataclass(frozen=True)
class Sample:
    """One complete set of sensor values.

    Attributes:
        stamp: Of the oldest message [ns].
        received: Arrival of the newest on the monotonic clock [s].
        raw: Values in the order of the layout, (S,).
        image: As the policy sees it, (H, W, 3), or None.
    """

    stamp: int
    received: float
    raw: Array
    image: Image | None = None


@dataclass(frozen=True)
class Observed:
    """What the policy saw at one instant.

    Attributes:
        stamp: Measurement time of the oldest sensor message [ns].
        vector: (V,) float32.
        image: (H, W, 3) uint8 or None.
        sensors: Raw values, (S,), SI units.
    """

    stamp: int
    vector: npt.NDArray[np.float32]
    image: Image | None
    sensors: Array


@dataclass(frozen=True)
class StepRecord:
    """One executed control step; see Transition.msg for the meaning of each field."""

    episode: int
    step: int
    segment_start: bool
    observation: Observed
    next_observation: Observed
    action: npt.NDArray[np.float32]
    sampled_action: npt.NDArray[np.float32]
    latent: npt.NDArray[np.float32]
    clipped: npt.NDArray[np.bool_]
    source: Source
    policy_version: int
    command: Array
    reward: float
    reward_terms: Array
    terminated: bool
    truncated: bool
    truncation_reason: Truncation
    evaluation: bool
    observation_age: float
    command_latency: float
    deadline_missed: bool


@dataclass(frozen=True)
class EpisodeRecord:
    """One ended episode; see EpisodeSummary.msg."""

    episode: int
    evaluation: bool
    steps: int
    length: int
    duration: float
    episode_return: float
    success: bool
    terminated: bool
    truncation_reason: Truncation
    policy_version: int
    metrics: dict[str, float]
    reward_sums: dict[str, float]


@dataclass(frozen=True)
class EvaluationRecord:
    """A batch of evaluation episodes with one policy; see EvaluationSummary.msg."""

    steps: int
    policy_version: int
    episodes: int
    success_rate: float
    mean_return: float
    metrics: dict[str, float]
    solved: bool
    robot_time: float


@dataclass(frozen=True)
class Outcome:
    """What an observation brought about."""

    record: StepRecord | None = None
    episode: EpisodeRecord | None = None
    evaluation: EvaluationRecord | None = None


@dataclass(frozen=True)
class Progress:
    """How far a stream is, kept over restarts."""

    episodes: int = 0
    steps: int = 0
    account: dict[str, float] = field(default_factory=dict)
