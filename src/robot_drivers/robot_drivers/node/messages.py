"""Robot states as messages; only what a robot measures is published."""

from __future__ import annotations

from typing import Any

from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, PoseStamped, Quaternion, TwistStamped, Vector3, WrenchStamped
import numpy as np
from sac_msgs.msg import JointCommand
from sensor_msgs.msg import Image as ImageMsg
from sensor_msgs.msg import Imu as ImuMsg
from sensor_msgs.msg import JointState

from robot_drivers.robot import Array, Image, Imu, Pose, RobotSpec, RobotState
from sac_core import qos
from sac_core.convert import floats64, octets

MODES = {
    JointCommand.MODE_POSITION: 'position',
    JointCommand.MODE_VELOCITY: 'velocity',
    JointCommand.MODE_EFFORT: 'effort',
}


def stamp_msg(stamp: float) -> Time:
    """Return seconds as a message, to the microsecond: floats hold no more since the epoch."""
    microseconds = round(stamp * 1e6)
    return Time(sec=microseconds // 1_000_000, nanosec=microseconds % 1_000_000 * 1000)


class StatePublishers:
    """Publishes states; a topic appears with the first value for it."""

    def __init__(self, node: Any, spec: RobotSpec) -> None:
        """Open the topic that every robot has."""
        self._node = node
        self._spec = spec
        self._publishers: dict[str, Any] = {}
        self._joints = JointState(name=list(spec.sensed_joints))
        self._joints.header.frame_id = spec.frame_id
        self._topic(JointState, 'joint_states')

    def publish(self, state: RobotState) -> None:
        """Publish one state; joint_states comes last, so that the rest of its instant is there."""
        stamp = stamp_msg(state.stamp)
        if state.imu is not None:
            self._send('imu/data', imu_msg(state.imu), stamp, state.imu.frame_id)
        if state.wrench is not None:
            self._send('wrench', wrench_msg(state.wrench), stamp, self._spec.frame_id)
        for name, pose in (('base', state.base), ('endpoint', state.endpoint)):
            if pose is not None:
                self._send(f'{name}/pose', pose_msg(pose), stamp, pose.frame_id)
                self._send(f'{name}/twist', twist_msg(pose), stamp, pose.frame_id)
        if state.image is not None:
            self._send('image_raw', image_msg(state.image), stamp, 'camera_optical_frame')
        joints = self._joints
        joints.header.stamp = stamp
        joints.position = floats64(state.position)
        joints.velocity = floats64(state.velocity)
        joints.effort = floats64(state.effort)
        self._publishers['joint_states'].publish(joints)

    def destroy(self) -> None:
        """Close the topics."""
        for publisher in self._publishers.values():
            self._node.destroy_publisher(publisher)
        self._publishers.clear()

    def _send(self, name: str, msg: Any, stamp: Time, frame: str) -> None:
        msg.header.stamp = stamp
        msg.header.frame_id = frame
        self._topic(type(msg), name).publish(msg)

    def _topic(self, kind: type, name: str) -> Any:
        if name not in self._publishers:
            self._publishers[name] = self._node.create_publisher(kind, name, qos.STATE_PUBLISHER)
        return self._publishers[name]


def image_msg(image: Image) -> ImageMsg:
    """Return an RGB image, (H, W, 3)."""
    height, width = image.shape[:2]
    return ImageMsg(
        height=height, width=width, encoding='rgb8', step=3 * width, data=octets(image)
    )


def imu_msg(imu: Imu) -> ImuMsg:
    """Return an inertial measurement after REP-145: unknown covariance 0, missing field -1."""
    msg = ImuMsg(
        angular_velocity=_vector(imu.angular_velocity),
        linear_acceleration=_vector(imu.linear_acceleration),
    )
    if imu.orientation is None:
        msg.orientation_covariance[0] = -1.0
    else:
        msg.orientation = _quaternion(imu.orientation)
    return msg


def wrench_msg(wrench: Array) -> WrenchStamped:
    """Return a force and torque, (6,)."""
    msg = WrenchStamped()
    msg.wrench.force, msg.wrench.torque = _vector(wrench[:3]), _vector(wrench[3:])
    return msg


def pose_msg(pose: Pose) -> PoseStamped:
    """Return the pose of a frame."""
    msg = PoseStamped()
    x, y, z = pose.position.tolist()
    msg.pose.position = Point(x=x, y=y, z=z)
    msg.pose.orientation = _quaternion(pose.orientation)
    return msg


def twist_msg(pose: Pose) -> TwistStamped:
    """Return the twist of a frame."""
    msg = TwistStamped()
    msg.twist.linear = _vector(pose.linear_velocity)
    msg.twist.angular = _vector(pose.angular_velocity)
    return msg


def _vector(values: Array) -> Vector3:
    x, y, z = np.asarray(values, dtype=np.float64).tolist()
    return Vector3(x=x, y=y, z=z)


def _quaternion(values: Array) -> Quaternion:
    x, y, z, w = np.asarray(values, dtype=np.float64).tolist()
    return Quaternion(x=x, y=y, z=z, w=w)
