"""Controllers of ros2_control and topics of ros_gz_bridge, as YAML."""

from __future__ import annotations

from typing import Any

import yaml

from robot_drivers.sim.describe.robots import GazeboSetup, POSITION_GAIN
from robot_drivers.sim.describe.xml import NOTE

_TO_ROS = 'GZ_TO_ROS'


def controllers(setup: GazeboSetup) -> str:
    """Return the parameters of the controller manager and its controllers, for any namespace."""
    kinds = {
        'joint_state_broadcaster': 'joint_state_broadcaster/JointStateBroadcaster',
        **{
            controller.name: 'forward_command_controller/ForwardCommandController'
            for controller in setup.controllers
        },
    }
    content: dict[str, Any] = {
        '/**/controller_manager': _parameters(
            {'update_rate': setup.rate, **{name: {'type': kind} for name, kind in kinds.items()}}
        ),
        '/**/gz_ros2_control': _parameters({'position_proportional_gain': POSITION_GAIN}),
    }
    for controller in setup.controllers:
        content[f'/**/{controller.name}'] = _parameters(
            {'joints': list(controller.joints), 'interface_name': controller.interface}
        )
    return _write(content)


def bridge(setup: GazeboSetup) -> str:
    """Return what ros_gz_bridge passes on, on relative topics with the names of the driver's."""
    topics = [('/clock', '/clock', 'rosgraph_msgs/msg/Clock', 'gz.msgs.Clock')]
    if setup.imu:
        topics.append(('imu/data', f'{setup.name}/imu', 'sensor_msgs/msg/Imu', 'gz.msgs.IMU'))
    if setup.wrench:
        topics.append(
            (
                'wrench',
                f'{setup.name}/wrench',
                'geometry_msgs/msg/WrenchStamped',
                'gz.msgs.Wrench',
            )
        )
    if setup.camera:
        topics.append(
            ('image_raw', f'{setup.name}/image', 'sensor_msgs/msg/Image', 'gz.msgs.Image')
        )
    if setup.height:
        topics.append(
            (
                'base/pose',
                f'/model/{setup.name}/pose',
                'geometry_msgs/msg/PoseStamped',
                'gz.msgs.Pose',
            )
        )
    entries = [
        {
            'ros_topic_name': ros,
            'gz_topic_name': gazebo,
            'ros_type_name': ros_type,
            'gz_type_name': gazebo_type,
            'direction': _TO_ROS,
        }
        for ros, gazebo, ros_type, gazebo_type in topics
    ]
    if setup.height:
        entries.append(
            {
                'service_name': f'/world/{setup.name}/set_pose',
                'ros_type_name': 'ros_gz_interfaces/srv/SetEntityPose',
                'gz_req_type_name': 'gz.msgs.Pose',
                'gz_rep_type_name': 'gz.msgs.Boolean',
            }
        )
    return _write(entries)


def _parameters(values: dict[str, Any]) -> dict[str, Any]:
    return {'ros__parameters': values}


def _write(content: Any) -> str:
    return f'#{NOTE.rstrip()}\n' + yaml.safe_dump(content, sort_keys=False, width=100)
