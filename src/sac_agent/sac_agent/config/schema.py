"""The `sac_agent` section of a parameter file as dataclasses.

Sections with free keys (sensors, observation fields, action channels) are ordered by key.
"""
# ruff: noqa: RUF009  (option, required and part return dataclass fields)

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sac_agent.errors import ConfigError
from sac_agent.journal.settings import JournalConfig
from sac_agent.settings import empty_mapping, option, part, required

TRANSFORMS = ('identity', 'cos', 'sin', 'wrap', 'roll_pitch')
MODES = ('position', 'velocity', 'effort')
COMMAND_TYPES = (
    'sac_msgs/msg/JointCommand',
    'std_msgs/msg/Float64MultiArray',
    'trajectory_msgs/msg/JointTrajectory',
    'geometry_msgs/msg/Twist',
    'geometry_msgs/msg/TwistStamped',
)
TWIST_TYPES = ('geometry_msgs/msg/Twist', 'geometry_msgs/msg/TwistStamped')
RESET_TYPES = ('sac_msgs/srv/ResetRobot', 'std_srvs/srv/Trigger')


@dataclass(frozen=True)
class SensorConfig:
    """One sensor topic."""

    topic: str = required('Topic name, relative to the namespace.')
    type: str = required('Message type, e.g. sensor_msgs/msg/JointState.')
    names: tuple[str, ...] = option((), 'Joints of a JointState, elements of a MultiArray.')
    fields: tuple[str, ...] = option(
        (), 'Fields to read, dotted paths for any message; path:N is an array of N numbers.'
    )
    reliable: bool = option(False, 'Subscribe reliably; always so with trigger observation.')


@dataclass(frozen=True)
class FieldConfig:
    """One part of the observation vector: (x - offset), transform, then times scale."""

    source: str = required('Sensor and field, e.g. joint_states.position.')
    names: tuple[str, ...] = option((), 'Elements, all of the source when empty.')
    offset: tuple[float, ...] = option((0.0,), 'Subtracted first [as the source].')
    scale: tuple[float, ...] = option((1.0,), 'Factor after the transform.')
    transform: str = option('identity', 'What becomes of the values.', choices=TRANSFORMS)


@dataclass(frozen=True)
class HistoryConfig:
    """Past values that the policy sees besides the present ones."""

    observations: int = option(0, 'Past observations [steps].', range=(0, 50))
    actions: int = option(0, 'Past applied actions [steps].', range=(0, 50))


@dataclass(frozen=True)
class ObservationConfig:
    """What the policy sees."""

    fields: Mapping[str, FieldConfig] = part(empty_mapping, 'Parts of the vector, by name.')
    history: HistoryConfig = part(HistoryConfig, 'Past observations and actions.')
    delay: int = option(0, 'Added latency, for simulation [steps].', range=(0, 20))
    features: bool = option(False, 'Append the features that the task computes.')
    clip: float = option(10.0, 'Largest magnitude of a vector element.', range=(0.1, 1e6))


@dataclass(frozen=True)
class ImageConfig:
    """The camera image, if any."""

    source: str = option('', 'Name of the image sensor; empty: no image.')
    size: int = option(32, 'Height and width that the policy sees [pixels].', range=(8, 512))
    crop: tuple[float, ...] = option(
        (), 'Left, top, width, height as fractions; empty: the largest centred square.',
        range=(0.0, 1.0),
    )  # fmt: skip


@dataclass(frozen=True)
class ActionConfig:
    """One command topic: command = offset + matrix @ (scale * action), then limits."""

    names: tuple[str, ...] = required('Joints or elements that are commanded.')
    low: tuple[float, ...] = required('Lower limit of the command [by mode].')
    high: tuple[float, ...] = required('Upper limit of the command [by mode].')
    topic: str = option('joint_command', 'Topic name, relative to the namespace.')
    type: str = option('sac_msgs/msg/JointCommand', 'Message type.', choices=COMMAND_TYPES)
    mode: str = option('position', 'Unit of the values: rad, rad/s or Nm.', choices=MODES)
    center: tuple[float, ...] = option(
        (), 'Command at action 0; empty: middle of the limits [by mode].'
    )
    scale: tuple[float, ...] = option(
        (), 'Command per action; empty: half of the limits [by mode].'
    )
    matrix: tuple[float, ...] = option(
        (), 'Square matrix, row by row, from scaled actions to commands; empty: identity.'
    )
    action_names: tuple[str, ...] = option((), 'Names of the action elements, default: names.')
    relative: bool = option(False, 'The action is added to the measured position.')
    velocity_limit: tuple[float, ...] = option(
        (0.0,), 'Largest change of a position target from the measured position [1/s]; 0: none.'
    )
    state: str = option(
        '',
        'Measured position, for relative, velocity_limit and holding still; empty: the only '
        'source SENSOR.position with all names; without one, holding still means center.',
    )

    def __post_init__(self) -> None:
        """Refuse what would make a vehicle drive on while it shall hold still."""
        if self.type in TWIST_TYPES and self.mode != 'velocity':
            raise ConfigError(f'mode: must be velocity for {self.type}, got {self.mode!r}')


@dataclass(frozen=True)
class SmoothingConfig:
    """Exploration noise that is correlated in time."""

    correlation: float = option(
        0.0, 'Lag-one correlation of the latent noise; 0: white.', range=(0.0, 0.999), live=True
    )


@dataclass(frozen=True)
class LimitsConfig:
    """Limits of every action element, besides those of the channels."""

    action: float = option(1.0, 'Largest magnitude of an action.', range=(0.0, 1.0), live=True)
    action_rate: float = option(
        2.0, 'Largest change of an action per step.', range=(0.0, 2.0), live=True
    )
    stored_action: str = option(
        'sampled',
        'Action that enters the data when a limit of a channel changed the command: limits that '
        'follow from the observation belong to the environment, so the default is sampled.',
        choices=('sampled', 'applied'),
    )


@dataclass(frozen=True)
class WarmupConfig:
    """Before the policy acts."""

    steps: int = option(
        1000, 'Uniformly random actions at the start [steps].', range=(0, 10_000_000)
    )


@dataclass(frozen=True)
class EpisodeConfig:
    """Length of an episode and what comes between two."""

    time_limit: int = option(200, 'Length at which it is truncated [steps].', range=(1, 1_000_000))
    reset_service: str = option(
        'driver/reset',
        'Service that begins an episode anew; empty: it begins where the last ended.',
    )
    reset_type: str = option(
        'sac_msgs/srv/ResetRobot',
        "Type of that service; only ResetRobot is told the task's goal.",
        choices=RESET_TYPES,
    )
    estop_service: str = option('driver/estop', 'Trigger service of the driver; empty: none.')
    driver_state: str = option(
        'driver_state', "Latched text of the driver; 'limp...' or 'estop...' stops. Empty: none."
    )
    reset_timeout: float = option(30.0, 'For one reset [s].', range=(0.1, 3600.0))
    reset_attempts: int = option(3, 'Then a person is asked.', range=(1, 100))
    settle: float = option(
        0.02, 'Wait for a state measured after the reset [s].', range=(0.0, 60.0)
    )


@dataclass(frozen=True)
class EvaluationConfig:
    """Deterministic episodes, marked and kept out of the training data."""

    every: int = option(0, 'Between evaluations; 0: never [steps].', range=(0, 10**9))
    final: int = option(
        0,
        'Where the run ends, evaluated in any case; 0: none [steps].',
        range=(0, 10**12),
    )
    episodes: int = option(10, 'Episodes of one evaluation.', range=(1, 10_000))
    solved_success_rate: float = option(
        0.9, 'Success rate from which the task counts as solved.', range=(0.0, 1.0)
    )
    rollback_drop: float = option(
        0.0,
        'Return to the best policy when the mean return falls by more than this share of the '
        'range between worst and best evaluation; 0: never.',
        range=(0.0, 1.0),
        live=True,
    )


@dataclass(frozen=True)
class TimingConfig:
    """When data are too old."""

    stale_timeout: float = option(0.5, 'Silence of a sensor [s].', range=(0.01, 3600.0))
    slop: float = option(0.02, 'Largest spread of stamps in one set [s].', range=(0.0, 10.0))
    human_timeout: float = option(
        0.5, 'Silence after which a person has let go [s].', range=(0.05, 60.0)
    )
    drop_late: bool = option(
        False, 'Keep steps with a missed deadline out of the data.', live=True
    )


@dataclass(frozen=True)
class RobotConfig:
    """The whole agent."""

    task: str = required('Entry point of group sac_agent.tasks, or module:Class.')
    control_rate: float = required('Actions per second [Hz].', range=(0.01, 1000.0))
    sensors: Mapping[str, SensorConfig] = required('Sensor topics, by name.')
    observation: ObservationConfig = required('What the policy sees.')
    actions: Mapping[str, ActionConfig] = required('Command topics, by name.')
    agent_id: str = option('', 'Name of the robot; empty: its namespace.')
    task_parameters: Mapping[str, Any] = part(empty_mapping, "The task's own parameters.")
    reward_weights: Mapping[str, float] = part(empty_mapping, 'Factors of reward terms, live.')
    trigger: str = option(
        'timer', 'What starts a step: every observation (lock-step), or the clock.',
        choices=('observation', 'timer'),
    )  # fmt: skip
    seed: int = option(0, 'Of exploration and goals.', range=(0, 2**31 - 1))
    image: ImageConfig = part(ImageConfig, 'Camera image.')
    smoothing: SmoothingConfig = part(SmoothingConfig, 'Exploration noise.')
    limits: LimitsConfig = part(LimitsConfig, 'Limits of actions.')
    warmup: WarmupConfig = part(WarmupConfig, 'Random start.')
    episode: EpisodeConfig = part(EpisodeConfig, 'Episodes.')
    evaluation: EvaluationConfig = part(EvaluationConfig, 'Evaluation.')
    timing: TimingConfig = part(TimingConfig, 'Ages and time-outs.')
    journal: JournalConfig = part(JournalConfig, 'Record of the run and sending.')

    def __post_init__(self) -> None:
        """Check what concerns several sections."""
        if not self.sensors:
            raise ConfigError('sensors: needs at least one sensor')
        if not self.actions:
            raise ConfigError('actions: needs at least one channel')
        if self.image.source and self.image.source not in self.sensors:
            raise ConfigError(
                f'image.source: must be one of the sensors {sorted(self.sensors)}, '
                f'got {self.image.source!r}'
            )
        if len(self.image.crop) not in (0, 4):
            raise ConfigError(f'image.crop: must hold 0 or 4 numbers, got {self.image.crop}')

    @property
    def control_period(self) -> float:
        """Time between two actions [s]."""
        return 1.0 / self.control_rate
