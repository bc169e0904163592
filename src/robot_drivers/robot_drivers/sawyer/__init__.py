"""Sawyer: a seven-joint arm that takes torques over its own ROS 1 protocol."""
