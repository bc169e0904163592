"""The ``ros2`` command, for machines that have ROS 2 only as wheels."""
