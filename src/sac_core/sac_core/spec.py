"""What a policy sees and does: shapes and names that agent and learner must agree on."""

from dataclasses import asdict, dataclass
import hashlib
import json

ImageShape = tuple[int, int, int]


@dataclass(frozen=True)
class ObservationSpec:
    """Shape of one observation.

    Attributes:
        names: One name per element of the vector, e.g. ``joint_states.position[FFJ10]``.
        image_shape: Height, width, channels of the uint8 image, or None without a camera.
    """

    names: tuple[str, ...]
    image_shape: ImageShape | None = None

    def __post_init__(self) -> None:
        """Check the image shape."""
        if self.image_shape is not None and min(self.image_shape) < 1:
            raise ValueError(f'image_shape must be three positive sizes, got {self.image_shape}')
        if not self.names and self.image_shape is None:
            raise ValueError('an observation needs at least one vector element or an image')

    @property
    def vector_size(self) -> int:
        """Number of vector elements."""
        return len(self.names)


@dataclass(frozen=True)
class AgentSpec:
    """What the transitions of one agent mean; the content of the message of the same name.

    Attributes:
        agent_id: Name of the robot, unique among the agents of a learner.
        stream_id: Identity of the agent's journal.
        task: Entry point or ``module:Class``.
        control_period: Time between two actions [s].
        observation: Shape and names of an observation.
        action_names: One per action element; actions are in [-1, 1].
        sensor_names: One per element of the raw values the task computes rewards from.
        reward_names: One per reward term.
        config: The agent's whole configuration as YAML.
    """

    agent_id: str
    stream_id: str
    task: str
    control_period: float
    observation: ObservationSpec
    action_names: tuple[str, ...]
    sensor_names: tuple[str, ...] = ()
    reward_names: tuple[str, ...] = ()
    config: str = ''

    def __post_init__(self) -> None:
        """Check what every user of a spec relies on."""
        if not self.action_names:
            raise ValueError('an agent needs at least one action element')
        if not self.control_period > 0:
            raise ValueError(f'control_period must be positive [s], got {self.control_period}')

    @property
    def action_size(self) -> int:
        """Number of action elements."""
        return len(self.action_names)

    def spec_hash(self) -> str:
        """Return the hash of everything a policy depends on, 16 hexadecimal digits.

        Two agents with the same hash can share a policy: same elements in the same order and the
        same control period. Robot name, stream and rewards do not enter.
        """
        content = {
            'observation': asdict(self.observation),
            'action_names': self.action_names,
            'control_period': self.control_period,
        }
        text = json.dumps(content, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
