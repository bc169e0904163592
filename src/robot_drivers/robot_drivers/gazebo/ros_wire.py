"""The topics of controllers and bridge, in a node and a thread of their own."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
import threading
import time
from typing import Any

from geometry_msgs.msg import PoseStamped, WrenchStamped
import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from sensor_msgs.msg import Image as ImageMsg
from sensor_msgs.msg import Imu as ImuMsg
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray

from robot_drivers.errors import ConnectionFailedError
from robot_drivers.gazebo.robot import Joints
from robot_drivers.robot import Array, Image, Imu, Pose
from sac_core import qos
from sac_core.convert import floats64, seconds

FORGET = 0.5  # [s] older poses say nothing about the velocity


class RosWire:
    """Keeps the newest message of each topic; see `gazebo.robot.Wire`."""

    def __init__(self, namespace: str, joints: Sequence[str], controllers: Sequence[str]) -> None:
        """Remember names; opens nothing.

        Args:
            namespace: Of controllers and bridge.
            joints: Order of the joint arrays.
            controllers: Forward command controllers to publish to.
        """
        self.joints: Joints | None = None
        self.imu: Imu | None = None
        self.wrench: Array | None = None
        self.base: tuple[Pose, float] | None = None
        self.image: Image | None = None
        self._namespace = namespace
        self._names = tuple(joints)
        self._controllers = tuple(controllers)
        self._order: list[int] = []
        self._received: list[str] = []
        self._node: Any = None
        self._executor: Any = None
        self._thread: threading.Thread | None = None
        self._commands: dict[str, Any] = {}
        self._setter: Any = None
        self._last_pose: tuple[float, Array, Array] | None = None  # [s], position, orientation

    def open(self) -> None:
        """Open the topics and receive in a thread."""
        self.close()
        # The driver's own name, namespace and parameters are given to the process as a whole.
        self._node = rclpy.create_node(
            'gazebo_wire', namespace=self._namespace, use_global_arguments=False
        )
        for kind, topic, callback in (
            (JointState, 'joint_states', self._on_joints),
            (ImuMsg, 'imu/data', self._on_imu),
            (WrenchStamped, 'wrench', self._on_wrench),
            (PoseStamped, 'base/pose', self._on_pose),
            (ImageMsg, 'image_raw', self._on_image),
        ):
            self._node.create_subscription(kind, topic, callback, qos.STATE)
        self._commands = {
            name: self._node.create_publisher(
                Float64MultiArray, f'{name}/commands', qos.STATE_PUBLISHER
            )
            for name in self._controllers
        }
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, name='gazebo_wire', daemon=True)
        self._thread.start()

    def send(self, controller: str, values: Array) -> None:
        """Publish a command, in the order of the controller's joints."""
        if controller in self._commands:
            self._commands[controller].publish(Float64MultiArray(data=floats64(values)))

    def place(self, model: str, position: Array, yaw: float) -> None:
        """Ask Gazebo's service set_pose to put a model somewhere; does not wait.

        Raises:
            ConnectionFailedError: ros_gz_interfaces is not installed.
        """
        try:
            from ros_gz_interfaces.srv import SetEntityPose  # type: ignore[import-not-found]
        except ImportError as error:
            raise ConnectionFailedError(
                'ros_gz_interfaces is not installed: install the ros_gz of your distribution'
            ) from error
        if self._setter is None:
            self._setter = self._node.create_client(SetEntityPose, f'/world/{model}/set_pose')
        request = SetEntityPose.Request()
        request.entity.name = model
        pose = request.pose
        pose.position.x, pose.position.y, pose.position.z = position.tolist()
        pose.orientation.z, pose.orientation.w = float(np.sin(yaw / 2)), float(np.cos(yaw / 2))
        self._setter.call_async(request)

    def close(self) -> None:
        """Close the topics."""
        if self._executor is not None:
            self._executor.shutdown()
        if self._thread is not None:
            self._thread.join(timeout=2.0)
        if self._node is not None:
            self._node.destroy_node()
        self._node = self._executor = self._thread = self._setter = None
        self._commands = {}
        self.joints = self.imu = self.wrench = self.base = self.image = None

    def _spin(self) -> None:
        with suppress(ExternalShutdownException):
            self._executor.spin()

    def _on_joints(self, msg: JointState) -> None:
        names = list(msg.name)
        if names != self._received:
            if not set(self._names) <= set(names):
                return  # of another broadcaster
            self._received = names
            self._order = [names.index(name) for name in self._names]
        if not len(names) == len(msg.position) == len(msg.velocity):
            return
        effort = np.array(msg.effort) if len(msg.effort) == len(names) else np.zeros(len(names))
        position, velocity = np.array(msg.position), np.array(msg.velocity)
        if not (np.isfinite(position).all() and np.isfinite(velocity).all()):
            return
        self.joints = Joints(
            position[self._order],
            velocity[self._order],
            np.nan_to_num(effort[self._order]),
            time.time(),
            time.monotonic(),
        )

    def _on_imu(self, msg: ImuMsg) -> None:
        self.imu = Imu(
            _four(msg.orientation), _three(msg.angular_velocity), _three(msg.linear_acceleration)
        )

    def _on_wrench(self, msg: WrenchStamped) -> None:
        self.wrench = np.concatenate([_three(msg.wrench.force), _three(msg.wrench.torque)])

    def _on_pose(self, msg: PoseStamped) -> None:
        stamp, pose = seconds(msg.header.stamp), msg.pose
        position, orientation = _three(pose.position), _four(pose.orientation)
        linear, angular = np.zeros(3), np.zeros(3)
        if self._last_pose is not None and 0.0 < stamp - self._last_pose[0] < FORGET:
            before, place, turn = self._last_pose
            linear = (position - place) / (stamp - before)
            angular = _rotation(turn, orientation) / (stamp - before)
        self._last_pose = stamp, position, orientation
        self.base = Pose(position, orientation, linear, angular), time.monotonic()

    def _on_image(self, msg: ImageMsg) -> None:
        if msg.encoding == 'rgb8' and msg.step == 3 * msg.width:
            pixels = np.frombuffer(msg.data, np.uint8)
            self.image = pixels.reshape(msg.height, msg.width, 3)


def _rotation(before: Array, after: Array) -> Array:
    """Return the small rotation (3,) [rad] from one quaternion x y z w to another, world axes."""
    x, y, z, w = -before[0], -before[1], -before[2], before[3]
    a, b, c, d = after
    vector = np.array(
        [
            d * x + a * w + b * z - c * y,
            d * y - a * z + b * w + c * x,
            d * z + a * y - b * x + c * w,
        ]
    )
    scalar = d * w - a * x - b * y - c * z
    return np.asarray(2.0 * vector * np.sign(scalar if scalar else 1.0))


def _three(vector: Any) -> Array:
    return np.array([vector.x, vector.y, vector.z])


def _four(quaternion: Any) -> Array:
    return np.array([quaternion.x, quaternion.y, quaternion.z, quaternion.w])
