"""The driver in ROS: one lifecycle node for every robot, its topics and services."""
