"""Records and configuration to ROS messages; arrays go in as bytes, which is fast."""

from collections.abc import Mapping
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import Twist, TwistStamped
import numpy as np
import numpy.typing as npt
from sac_msgs.msg import (
    EpisodeSummary,
    EvaluationSummary,
    JointCommand,
    Observation,
    PolicyWeights,
    Transition,
)
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from sac_agent.config import ActionConfig, TWIST_TYPES
from sac_agent.errors import ConfigError
from sac_agent.policy.store import PolicyOffer
from sac_agent.records import EpisodeRecord, EvaluationRecord, Observed, StepRecord
from sac_core.convert import floats32, floats64, octets, time_msg

Array = npt.NDArray[np.float64]

_MODES = {
    'position': JointCommand.MODE_POSITION,
    'velocity': JointCommand.MODE_VELOCITY,
    'effort': JointCommand.MODE_EFFORT,
}
_TWIST = tuple(f'{part}.{axis}' for part in ('linear', 'angular') for axis in 'xyz')


def transition(record: StepRecord, agent_id: str, stream_id: str, sequence: int) -> Transition:
    """Return the message of one executed step."""
    message = Transition(
        agent_id=agent_id,
        stream_id=stream_id,
        sequence=sequence,
        episode=record.episode,
        step=record.step,
        segment_start=record.segment_start,
        observation=_observation(record.observation, with_image=record.segment_start),
        next_observation=_observation(record.next_observation),
        action=floats32(record.action),
        sampled_action=floats32(record.sampled_action),
        latent=floats32(record.latent),
        clipped=record.clipped.tolist(),
        source=int(record.source),
        policy_version=record.policy_version,
        command=floats64(record.command),
        reward=record.reward,
        reward_terms=floats64(record.reward_terms),
        terminated=record.terminated,
        truncated=record.truncated,
        truncation_reason=int(record.truncation_reason),
        evaluation=record.evaluation,
        observation_age=record.observation_age,
        command_latency=record.command_latency,
        deadline_missed=record.deadline_missed,
    )
    message.header.stamp = time_msg(record.next_observation.stamp)
    return message


def episode(record: EpisodeRecord, agent_id: str, stream_id: str) -> EpisodeSummary:
    """Return the message of one ended episode; the stamp is left to the caller."""
    return EpisodeSummary(
        agent_id=agent_id,
        stream_id=stream_id,
        episode=record.episode,
        evaluation=record.evaluation,
        steps=record.steps,
        length=record.length,
        duration=record.duration,
        episode_return=record.episode_return,
        success=record.success,
        terminated=record.terminated,
        truncation_reason=int(record.truncation_reason),
        policy_version=record.policy_version,
        metric_names=list(record.metrics),
        metric_values=floats64(list(record.metrics.values())),
        reward_names=list(record.reward_sums),
        reward_sums=floats64(list(record.reward_sums.values())),
    )


def evaluation(record: EvaluationRecord, agent_id: str) -> EvaluationSummary:
    """Return the message of one evaluation; the stamp is left to the caller."""
    return EvaluationSummary(
        agent_id=agent_id,
        steps=record.steps,
        policy_version=record.policy_version,
        episodes=record.episodes,
        success_rate=record.success_rate,
        mean_return=record.mean_return,
        metric_names=list(record.metrics),
        metric_values=floats64(list(record.metrics.values())),
        solved=record.solved,
        robot_time=record.robot_time,
    )


def offer(message: PolicyWeights) -> PolicyOffer:
    """Return the offer in a message of weights."""
    stamp = message.header.stamp
    return PolicyOffer(
        learner_id=message.learner_id,
        version=message.version,
        stamp=stamp.sec * 1_000_000_000 + stamp.nanosec,
        spec_hash=message.spec_hash,
        architecture=message.architecture,
        crc32=message.crc32,
        data=memoryview(message.data).cast('B'),
        updates=message.updates,
        averaged_crc32=message.averaged_crc32,
        averaged=memoryview(message.averaged).cast('B'),
    )


def weights(offer: PolicyOffer) -> PolicyWeights:
    """Return the message that an offer came in."""
    message = PolicyWeights(
        learner_id=offer.learner_id,
        version=offer.version,
        updates=offer.updates,
        spec_hash=offer.spec_hash,
        architecture=offer.architecture,
        crc32=offer.crc32,
        data=octets(offer.data),
        averaged_crc32=offer.averaged_crc32,
        averaged=octets(offer.averaged),
    )
    message.header.stamp = time_msg(offer.stamp)
    return message


class CommandMessages:
    """Builds the command messages of one channel."""

    def __init__(self, name: str, config: ActionConfig, period: float) -> None:
        """Prepare what is the same in every message.

        Raises:
            ConfigError: Names do not suit the message type.
        """
        self._config = config
        self._period = period
        self._sequence = 0
        if config.type in TWIST_TYPES:
            wrong = [n for n in config.names if n not in _TWIST]
            if wrong:
                raise ConfigError(
                    f'actions.{name}.names: of a Twist must be of {", ".join(_TWIST)}, '
                    f'got {wrong[0]!r}'
                )

    def build(self, values: Array, now: int, observation: int) -> Any:
        """Return the message for values (J,).

        Args:
            values: In the order of the channel's names, unit by mode.
            now: Publication time [ns].
            observation: Measurement the command answers [ns].
        """
        config = self._config
        if config.type == 'sac_msgs/msg/JointCommand':
            self._sequence += 1
            joint = JointCommand(
                observation_stamp=time_msg(observation),
                sequence=self._sequence,
                mode=_MODES[config.mode],
                names=list(config.names),
                values=floats64(values),
            )
            joint.header.stamp = time_msg(now)
            return joint
        if config.type == 'std_msgs/msg/Float64MultiArray':
            return Float64MultiArray(data=floats64(values))
        if config.type == 'trajectory_msgs/msg/JointTrajectory':
            return self._trajectory(values)
        twist = Twist()
        for name, value in zip(config.names, values, strict=True):
            part, axis = name.split('.')
            setattr(getattr(twist, part), axis, float(value))
        if config.type == 'geometry_msgs/msg/Twist':
            return twist
        stamped = TwistStamped(twist=twist)
        stamped.header.stamp = time_msg(now)
        return stamped

    def _trajectory(self, values: Array) -> JointTrajectory:
        point = JointTrajectoryPoint(**{f'{_PLURAL[self._config.mode]}': floats64(values)})
        nanoseconds = round(self._period * 1e9)
        point.time_from_start.sec = nanoseconds // 1_000_000_000
        point.time_from_start.nanosec = nanoseconds % 1_000_000_000
        # Stamp 0 means: begin when it arrives.
        return JointTrajectory(joint_names=list(self._config.names), points=[point])


_PLURAL = {'position': 'positions', 'velocity': 'velocities', 'effort': 'effort'}


def command_type(name: str) -> type[Any]:
    """Return the message class of a command type in `sac_agent.config.COMMAND_TYPES`."""
    known: tuple[type[Any], ...] = (
        JointCommand, Float64MultiArray, JointTrajectory, Twist, TwistStamped,
    )  # fmt: skip
    return next(cls for cls in known if cls.__name__ == name.rsplit('/', 1)[-1])


def diagnostics(
    name: str, hardware: str, level: Any, text: str, values: Mapping[str, Any]
) -> DiagnosticArray:
    """Return one diagnostic status in an array; the stamp is left to the caller."""
    status = DiagnosticStatus(
        level=level,
        name=name,
        message=text,
        hardware_id=hardware,
        values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
    )
    return DiagnosticArray(status=[status])


def _observation(observed: Observed, *, with_image: bool = True) -> Observation:
    message = Observation(
        stamp=time_msg(observed.stamp),
        vector=floats32(observed.vector),
        sensors=floats64(observed.sensors),
    )
    if observed.image is not None and with_image:
        message.image = octets(observed.image)
    return message
